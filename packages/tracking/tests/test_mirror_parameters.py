"""Parameters as texts, and exactly."""

from math import isnan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking.mirrors.parameters import fitted, from_pieces, pieces, shown

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, "1"),
        (1.0, "1.0"),
        (1e-05, "1e-05"),
        (True, "True"),
        (None, "None"),
        ("none", "none"),
        ("", ""),
        (float("inf"), "inf"),
        ([1, "é", None], '[1, "é", null]'),
    ],
)
def test_a_parameter_reads_as_in_other_runs_of_mlflow(value, expected):
    """Numbers, truth values and None are the texts that MLflow itself would have made of them."""
    actual = shown(value)

    assert expected == actual


def test_a_text_that_fits_is_left_alone():
    """A text of exactly the limit is not touched."""
    assert "a" * 100 == fitted("a" * 100, 100, "the tag x")


def test_a_text_that_is_cut_says_so():
    """A longer text ends in its true length and where the whole is, within the limit."""
    actual = fitted("a" * 101, 100, "the tag x")

    assert "a" * 55 + "… [101 characters; the whole is in the tag x]" == actual
    assert 100 == len(actual)


def test_half_a_character_becomes_an_escape():
    """A lone surrogate, which no database takes, is spelled out."""
    assert r"a\udc80" == fitted("a\udc80", 100, "the tag x")


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(min_size=1), VALUES))
def test_pieces_come_back_exactly(values):
    """Types, nesting and every character survive the pieces."""
    actual = from_pieces(pieces(values))

    assert values == actual
    assert repr(values) == repr(actual)


def test_nan_survives_the_pieces():
    """NaN, which JSON has no word for, comes back as NaN."""
    actual = from_pieces(pieces({"a": float("nan")}))

    assert actual is not None
    assert isnan(actual["a"])


def test_pieces_are_short_and_ascii():
    """No piece is long enough for MLflow to cut it, and the digest is last."""
    tags = pieces({"a": "é" * 5_000})

    assert [*(f"treadle.params.{index}" for index in range(5)), "treadle.params"] == list(tags)
    assert all(len(text) <= 7_500 and text.isascii() for text in tags.values())


@pytest.mark.parametrize(
    "damage",
    [
        {"treadle.params": "{}"},
        {"treadle.params": "no JSON"},
        {"treadle.params": "[]"},
        {"treadle.params.0": '{"a":2}'},
        {"treadle.params.0": "é"},
    ],
)
def test_damaged_pieces_are_none(damage):
    """Pieces that do not belong together are nothing, not something else."""
    assert None is from_pieces({**pieces({"a": 1}), **damage})


def test_no_pieces_are_none():
    """A run of somebody else's has none."""
    assert None is from_pieces({})
