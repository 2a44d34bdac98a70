from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NewType, Optional

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking.declared import as_declared, element_type, reads_as_number
from treadle_tracking.params import plain_params

if TYPE_CHECKING:
    from decimal import Decimal

Rate = NewType("Rate", float)


@attrs.frozen
class Adam:
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)


@attrs.frozen
class SGD:
    lr: float = 0.1


@dataclasses.dataclass
class Data:
    root: Path = Path("data")
    batch_size: int = 32
    shares: list[float] = dataclasses.field(default_factory=lambda: [1, "0.5"])
    cache: dict = dataclasses.field(default_factory=dict, init=False)


@attrs.frozen
class Config:
    optim: Adam | SGD = Adam()
    data: Data = attrs.field(factory=Data)
    layers: Sequence[Adam] = ()
    token: str = attrs.field(default="hunter2", metadata={"secret": True})
    _warmup: Optional[float] = None  # noqa: UP045
    anything: Any = None


def test_an_object_is_a_mapping_of_its_fields():
    """Nested objects are nested mappings, under the names that their classes take, in declared order."""
    kept = plain_params(Config())
    expected = {
        "optim": {"type": "adam", "lr": 0.001, "betas": [0.9, 0.99]},
        "data": {"root": "data", "batch_size": 32, "shares": [1.0, 0.5]},
        "layers": [],
        "token": "***",
        "warmup": None,
        "anything": None,
    }

    assert repr(expected) == repr(kept)


def test_an_object_may_be_anywhere():
    """In a mapping, and in a list, an object is its mapping too, and says of which class it is where that is not declared."""
    kept = plain_params({"optims": [Adam(lr="3e-4")], "optim": SGD()})
    typed = plain_params(Config(layers=[Adam(lr=1)]))

    assert [{"type": "adam", "lr": 3e-4, "betas": [0.9, 0.99]}] == kept["optims"]
    assert {"type": "sgd", "lr": 0.1} == kept["optim"]
    assert "[{'lr': 1.0, 'betas': [0.9, 0.99]}]" == repr(typed["layers"])


def test_a_class_may_be_tagged_by_another_name():
    """A tag that the configuration library puts on a class is what `type` says."""

    @attrs.frozen
    class AdamW(Adam):
        __treadle_config_tag__ = "adam-w"

    assert "adam-w" == plain_params(Config(optim=AdamW()))["optim"]["type"]
    assert "type" not in plain_params({"a": 1} | attrs.asdict(Adam()))


@pytest.mark.parametrize(
    "metadata", [{"secret": True}, {"config.setting": type("Setting", (), {"secret": True})}]
)
def test_a_secret_is_stars(metadata):
    """A field whose metadata call it a secret is never written, with whatever is in it; None hides nothing."""

    @attrs.frozen
    class Login:
        token: Any = attrs.field(metadata=metadata)

    assert {"token": "***"} == plain_params(Login({"user": "me"}))
    assert {"token": None} == plain_params(Login(None))


def test_a_text_that_does_not_show_itself_is_stars():
    """A text whose `repr` is stars, as one of a loaded config, is stars in a mapping too."""

    class Hidden(str):
        __slots__ = ()

        def __repr__(self):
            return "'***'"

    assert {"a": {"token": "***"}} == plain_params({"a": {"token": Hidden("hunter2")}})


@pytest.mark.parametrize(
    ("value", "declared", "expected"),
    [
        ("1e-3", float, 1e-3),
        (" 32 ", float, 32.0),
        (3, float, 3.0),
        (3, float | None, 3.0),
        ("1e-3", Optional[float], 1e-3),  # noqa: UP045
        ("0.5", Annotated[float, "share"], 0.5),
        ("0.5", Rate, 0.5),
        ("32", int, 32),
        ("32", int | float, 32),
        ("32.5", int | float, 32.5),
        (32, int | float, 32),
        # What is not certain stays what it is.
        ("32.5", int, "32.5"),
        ("auto", float, "auto"),
        ("1e-3", str, "1e-3"),
        ("1e-3", float | str, "1e-3"),
        ("1e-3", Any, "1e-3"),
        ("nan", float, "nan"),
        ("1e999", float, "1e999"),
        (True, float, True),
        ("true", bool, "true"),
        (10**400, float, 10**400),
        (2**53 + 1, float, 2**53 + 1),
        (0.5, int, 0.5),
    ],
)
def test_a_number_is_what_its_field_declares(value, declared, expected):
    """A text of a number in a field of numbers is that number, an integer in one of floats a float; nothing else changes."""
    found = as_declared(value, declared)

    assert (type(expected), expected) == (type(found), found)


@pytest.mark.parametrize(
    ("declared", "index", "expected"),
    [
        (list[float], 3, float),
        (tuple[int, float], 1, float),
        (tuple[float, ...], 7, float),
        (Sequence[float] | None, 0, float),
        (dict[str, float], None, float),
        (Mapping[str, float], None, float),
        (dict[str, float], 0, Any),
        (tuple[int], 5, Any),
        (list, 0, Any),
        (float, 0, Any),
    ],
)
def test_what_is_inside_has_a_declared_type(declared, index, expected):
    """The type of a list's items and of a mapping's values is read from theirs."""
    assert expected == element_type(declared, index)


@pytest.mark.parametrize("text", ["0", "32", "-1", "1e-3", "1E+5", ".5", "5.", "0.001", "+2.5e10"])
def test_a_text_reads_as_a_number(text):
    """What somebody writes for a number is one."""
    assert reads_as_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "007",
        "1_000",
        "nan",
        "inf",
        "0x10",
        "1.2.3",
        "2026-11-22",
        "1e",
        "v2",
        "1e999",
        "٣",
    ],
)
def test_a_text_is_a_name(text):
    """A number with leading zeros, a version, a date and what is no number at all are names."""
    assert not reads_as_number(text)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_written_as_text_comes_back(number):
    """Every float's `repr` in a float field is that very float."""
    assert repr(number) == repr(as_declared(repr(number), float))


def test_annotations_that_cannot_be_read_are_passed_over():
    """A name that is there only for type checkers costs its own field's type, and that of no plain word."""

    @attrs.frozen
    class Odd:
        exact: Decimal | None = None
        lr: float = "1e-3"
        name: str = "1e-3"

    assert {"exact": None, "lr": 1e-3, "name": "1e-3"} == plain_params(Odd())
