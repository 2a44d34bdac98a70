import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking.exact_json import dumps, loads

TEXTS = st.text(st.characters(exclude_categories=()), max_size=10) | st.sampled_from(
    ["$float", "$", "$$float", "\ud800", "\\ud800"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS.filter(bool), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS.filter(bool), VALUES, max_size=4), st.sampled_from([None, 2]))
def test_every_value_comes_back_with_its_type(value, indent):
    """Reading what was written gives the same, to the sign of a zero and the type of a number."""
    assert repr(value) == repr(loads(dumps(value, indent=indent)))


@given(st.dictionaries(TEXTS.filter(bool), VALUES, max_size=4))
def test_any_json_reader_takes_it(value):
    """What is written is strict JSON in UTF-8: no bare NaN or Infinity."""

    def refuse(constant):
        raise AssertionError(constant)

    assert isinstance(json.loads(dumps(value).decode(), parse_constant=refuse), dict)


def test_floats_that_json_has_no_word_for_are_marked():
    """NaN and the infinities are an object with the one key `$float`."""
    written = dumps({"a": float("inf"), "b": [float("-inf")], "c": float("nan")})

    assert b'{"a":{"$float":"inf"},"b":[{"$float":"-inf"}],"c":{"$float":"nan"}}' == written


def test_a_list_is_no_object():
    """Reading JSON that is no object is a ValueError that says so."""
    with pytest.raises(ValueError) as caught:
        loads(b"[1]")

    assert "expected a JSON object, got list" == str(caught.value)
