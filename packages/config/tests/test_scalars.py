"""Strict scalars: one decoding by declared type, from every source."""

import datetime as dt
import enum
import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import pytest
from attrs import field, make_class
from hypothesis import given
from hypothesis import strategies as st

from treadle_config import Codecs, ConfigError, load


def one_field(declared: Any) -> type:
    return make_class("One", {"x": field(type=declared)}, frozen=True)


def from_every_source(declared: Any, text: str, written: Any, monkeypatch: Any) -> list[Any]:
    """Read a text as a YAML plain scalar, a quoted one in JSON and python, argv and env."""
    cls = one_field(declared)
    monkeypatch.setenv("ONE_X", text)
    quoted = json.dumps(text)
    return [
        load(cls, written("plain.yaml", f"x: {text}")).x,
        load(cls, written("quoted.json", f'{{"x": {quoted}}}')).x,
        load(cls, {"x": text}).x,
        load(cls, argv=["--x", text]).x,
        load(cls, argv=[f"--x={text}"]).x,
        load(cls, env="ONE_").x,
    ]


@pytest.mark.parametrize(
    ("declared", "text", "expected"),
    [
        (float, "1e-3", 0.001),
        (float, "1e3", 1000.0),
        (float, "5", 5.0),
        (float, "-.inf", -math.inf),
        (float, "inf", math.inf),
        (int, "1e3", 1000),
        (int, "32.0", 32),
        (int, "1_000", 1000),
        (int, "-3", -3),
        (int, "1e23", 10**23),
        (bool, "false", False),
        (bool, "Yes", True),
        (bool, "off", False),
        (bool, "1", True),
        (str, "no", "no"),
        (str, "12:30", "12:30"),
        (str, "0x1F", "0x1F"),
        (str, "1_000", "1_000"),
        (str, "2024-01-01", "2024-01-01"),
        (str, "123E456", "123E456"),
        (str, "1e-3", "1e-3"),
        (int | float | None, "0.5", 0.5),
        (int | float | None, "1", 1),
        (int | float | None, "1.0", 1.0),
        (Path, "runs/a", Path("runs/a")),
        (Literal["fast", 2], "2", 2),
        (dt.date, "2026-11-21", dt.date(2026, 11, 21)),
        (Fraction, "1/3", Fraction(1, 3)),
    ],
)
@pytest.mark.usefixtures("yaml")
def test_a_text_means_the_same_from_every_source(declared, text, expected, written, monkeypatch):
    """A text is read by the declared type alone, wherever it was written."""
    actual = from_every_source(declared, text, written, monkeypatch)

    assert [(type(expected), expected)] * 6 == [(type(value), value) for value in actual]


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (int, 32.7),
        (int, "32.7"),
        (int, True),
        (int, None),
        (int, "٣"),
        (int, " 3 "),
        (int, "0x1F"),
        (int, "1e9999999"),
        (int, "9" * 5000),
        (int, ""),
        (float, True),
        (float, "infinity"),
        (float, "1_0.5x"),
        (float, "1e400"),
        (float, "1e-400"),
        (float, "-0.00001e-320"),
        (float, 10**400),
        (float, [1.0]),
        (bool, 2),
        (bool, "2"),
        (bool, 1.0),
        (bool, "maybe"),
        (str, 5),
        (str, True),
        (str, None),
        (str, ["a"]),
        (int | float | None, True),
        (int | float | None, "nul"),
        (Literal["a", "b"], "c"),
        (Literal[1], True),
        (list[int], 5),
        (list[int], "12"),
        (tuple[int, str], [1]),
        (dict[str, int], [1]),
        (Path, 3),
        (Fraction, "1e9"),
    ],
    ids=lambda one: f"{one!r:.40}",
)
def test_what_is_not_of_the_type_is_refused(declared, value):
    """Nothing is rounded, guessed or stringified to make it fit."""
    with pytest.raises(ConfigError) as caught:
        Codecs().decode(value, declared)

    assert 1 == len(caught.value.problems)


@pytest.mark.parametrize(
    ("declared", "text", "expected"),
    [
        (int | None, "null", None),
        (int | None, "~", None),
        (str | None, "null", None),
        (str | None, '"null"', "null"),
        (int, '"32"', 32),
        (Literal[1, "1"], "1", 1),
        (Literal[1, "1"], '"1"', "1"),
        (int | str, "32", 32),
        (int | str, '"32"', "32"),
        (bool | int, "1", 1),
        (bool | int, "yes", True),
        (Any, "1e3", 1000.0),
        (Any, "no", "no"),
        (Any, "{a: [1, x]}", {"a": [1, "x"]}),
        (set[int], "[1, 2, 1]", {1, 2}),
        (tuple[int, ...], "[1, 2]", (1, 2)),
        (dict[int, str], "{1: a}", {1: "a"}),
        (list[int] | None, "null", None),
        (str | list[str], "a", "a"),
        (str | list[str], "[a]", ["a"]),
    ],
)
@pytest.mark.usefixtures("yaml")
def test_quotes_and_shapes_in_yaml_decide_within_a_union(declared, text, expected, written):
    """In a file, plain text may be null or a number where quoted text is text."""
    name = written("one.yaml", f"x: {text}")

    actual = load(one_field(declared), name).x

    assert (type(expected), expected) == (type(actual), actual)


def test_null_on_the_command_line_is_text_where_text_is_taken():
    """`--x null` is None for an optional number, and the text for an optional string."""
    actual = [
        load(one_field(int | None), argv=["--x", "null"]).x,
        load(one_field(str | None), argv=["--x", "null"]).x,
        load(one_field(str | None), argv=["--no-x"]).x,
    ]

    assert [None, "null", None] == actual


@given(st.floats() | st.integers().map(float))
def test_every_float_is_read_back_from_its_repr(number):
    """decode(repr(x)) is x, also for what is not finite."""
    actual = Codecs().decode(repr(number), float)

    assert repr(number) == repr(actual)


@given(st.text() | st.from_regex(r"[+-]?[0-9_.eE]{1,8}", fullmatch=True))
def test_any_text_into_an_int_is_an_int_or_one_problem(text):
    """Nothing but the package's own error leaves the decoder, whatever the text."""
    try:
        actual = type(Codecs().decode(text, int))
    except ConfigError:
        actual = None

    assert actual in (int, None)


@given(st.text())
def test_text_is_verbatim(text):
    """A str field takes any text, unchanged."""
    assert text == Codecs().decode(text, str)


def test_a_number_that_a_float_cannot_tell_from_zero_is_shown_as_it_was_typed(schemas, said):
    """It is refused as one that is too large is; zero itself, however written, is not."""
    assert [
        (
            "optim.lr (cli --optim.lr): expected float, got 1e-400; "
            "too small for a float; write 0 to mean zero"
        )
    ] == said(load, schemas.Config, argv=["--optim.lr", "1e-400"])
    assert [0.0, 0.0, 5e-324] == [
        Codecs().decode(text, float) for text in ("0.0e-400", "-0", "5e-324")
    ]


def test_an_enum_lists_the_values_that_it_takes_beside_its_names(said):
    """Also in a Literal; a value that is its name, or is no scalar, is not said."""

    class Precision(enum.Enum):
        FULL = "fp32"
        HALF = "HALF"
        MIXED = (16, 32)
        EIGHT = 8

    held = make_class(
        "Held", {"a": field(type=Precision), "b": field(type=Literal[Precision.FULL])}, frozen=True
    )

    actual = said(load, held, argv=["--a", "x", "--b", "y"])

    assert [
        "a (cli --a): expected one of FULL (fp32), HALF, MIXED, EIGHT (8), got x",
        "b (cli --b): expected one of FULL (fp32), got y",
    ] == actual
