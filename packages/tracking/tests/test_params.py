from enum import Enum, IntEnum
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking.errors import UnsupportedParam
from treadle_tracking.params import flatten, plain_params


class Scalar:
    """Stands for a numpy scalar or array, or a tensor: anything with a `tolist`."""

    def __init__(self, value):
        self.value = value

    def tolist(self):
        return self.value


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2**70, 2**70),
        (1e-3, 1e-3),
        ("1e-3", "1e-3"),
        ((1, 2.0), [1, 2.0]),
        ([None, {"a": ()}], [None, {"a": []}]),
        (Path("data/train"), "data/train"),
        (PurePosixPath("a"), "a"),
        (Scalar(0.5), 0.5),
        (Scalar([[1, 2]]), [[1, 2]]),
        ({"deep": {"deeper": 1}}, {"deep": {"deeper": 1}}),
    ],
)
def test_a_parameter_is_kept_as_the_plain_value_it_stands_for(given_value, expected):
    """Paths are texts, tuples are lists, numpy's and torch's are numbers; nothing else changes, nor a type."""
    kept = plain_params({"name": given_value})

    assert repr({"name": expected}) == repr(kept)


def test_numpys_numbers_are_pythons():
    """A numpy scalar is kept as the Python number it is, an array as lists."""
    np = pytest.importorskip("numpy", reason="numpy is no dependency of treadle-tracking")
    kept = plain_params(
        {"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True), "d": np.eye(1)}
    )

    assert repr({"a": 0.5, "b": 3, "c": True, "d": [[1.0]]}) == repr(kept)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"optim": {"betas": [0.9, 1j]}},
            (
                "parameter 'optim.betas[1]' is 1j (complex). Expected None, bool, int, float, str, a path, or "
                "lists and mappings of these: give str(...) of it"
            ),
        ),
        (
            {"a": {1: "x"}},
            "parameter 'a' has the key 1 (int). Keys are non-empty texts",
        ),
        (
            {"": 1},
            "parameter '' has the key '' (str). Keys are non-empty texts",
        ),
        (
            {"a": {"b": 1}, "a.b": 2},
            (
                "parameter 'a.b' is given twice, nested and with a dot in its key. Give it once: other programs see "
                "only its dotted name"
            ),
        ),
        (
            {"big": 10**5000},
            (
                "parameter 'big' is an integer of 16610 bits, more than Python writes in decimal. Give it as a text in "
                "a base of your choice"
            ),
        ),
    ],
)
def test_what_has_no_exact_form_is_an_error_that_names_it(params, message):
    """The message has the dotted name, what was given, and what to do."""
    with pytest.raises(UnsupportedParam) as caught:
        plain_params(params)

    assert message == str(caught.value)


def test_nested_parameters_have_dotted_names():
    """Flattening joins the names of mappings with dots and leaves lists whole."""
    nested = {"optim": {"name": "adam", "betas": [0.9, 0.99]}, "seed": 1, "empty": {}}

    assert {"optim.name": "adam", "optim.betas": [0.9, 0.99], "seed": 1} == flatten(nested)


@given(st.dictionaries(st.text(min_size=1), st.integers() | st.text()))
def test_flat_parameters_are_as_they_were(params):
    """Without mappings inside, flattening changes nothing."""
    assert params == flatten(plain_params(params))


def test_a_member_of_an_enumeration_is_its_value():
    """A text or number that is a member of an enumeration too is kept as the text or number."""

    class Kind(str, Enum):  # noqa: UP042  # whose `str` is not its text, unlike a StrEnum's
        ADAM = "adam"

    class Size(IntEnum):
        SMALL = 1

    assert "{'adam': ['adam', 1]}" == repr(plain_params({Kind.ADAM: [Kind.ADAM, Size.SMALL]}))


def test_parameters_that_hold_themselves_are_an_error():
    """A circle is no traceback of a thousand lines."""
    circle = {}
    circle["a"] = circle
    with pytest.raises(UnsupportedParam) as caught:
        plain_params(circle)

    assert (
        "parameter 'a' holds itself, or is nested hundreds of levels deep. Give a tree of a few levels"
    ) == str(caught.value)
