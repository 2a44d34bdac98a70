"""Values that compare, or count, in a way of their own: of numpy, and of classes of users."""

from collections import deque
from decimal import Decimal
from typing import Any, Literal

import pytest
from attrs import Factory, field, frozen

from treadle_config import Codecs, diff, load, resolve


class Odd:
    """As an array, it has no one answer to whether it is equal."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        raise ValueError("ambiguous")

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"Odd({self.name!r})"


@frozen
class Inner:
    a: int = 0


@frozen
class Holder:
    whole: int | None = None
    real: float | None = None
    text: str | None = None
    items: list[int] | None = None
    table: dict[str, int] | None = None
    inner: Inner | None = None
    one_of: Literal["a", 1, b"x"] = "a"
    on: bool = False


@pytest.mark.parametrize("name", ["whole", "real", "text", "items", "table", "inner", "one_of"])
def test_what_cannot_be_compared_is_a_problem_of_its_field(name, said):
    """Whatever the field is."""
    actual = said(load, Holder, {name: Odd("x")})

    assert [(1, True)] == [(len(actual), actual[0].startswith(f"{name} (code "))]


@frozen
class Free:
    a: Any = None


def test_what_cannot_be_compared_differs_by_what_it_says_of_itself():
    """An array by its items."""
    numpy = pytest.importorskip("numpy", reason="needs numpy, whose arrays compare item by item")
    one, other = numpy.array([1, 2]), numpy.array([1, 3])

    actual = [
        diff(Free(Odd("x")), Free(Odd("x"))),
        [*diff(Free(Odd("x")), Free(Odd("y")))],
        diff(Free(one), Free(one.copy())),
        [*diff(Free(one), Free(other))],
        [*diff(Free(one), Free([1, 2]))],
    ]

    assert [{}, ["a"], {}, ["a"], ["a"]] == actual


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("items", range(3), "give a list, as in list(range(0, 3))"),
        ("items", deque([1]), "give a list, as in list(deque([1]))"),
        ("real", Decimal("0.1"), "give a float, as in float(...)"),
    ],
)
def test_an_object_that_no_file_has_is_answered_with_the_way_to_give_it(
    name, given, expected, said
):
    """Since it is python that has it."""
    actual = said(load, Holder, {name: given})

    assert [expected] == [one.partition("; ")[2] for one in actual]


def test_numbers_of_numpy_are_answered_with_the_way_to_give_them(said):
    """Only float64, which is a float, and ints are taken."""
    numpy = pytest.importorskip("numpy", reason="needs numpy, to give its numbers")
    given = {
        "real": numpy.float32(0.5),
        "on": numpy.bool_(True),
        "whole": numpy.array(3.0),
        "items": numpy.array([1]),
    }

    actual = [one.partition("; ")[2] for one in said(load, Holder, given)]

    way = "give a Python value, with .item()"
    assert ["give a list, with .tolist()", way, way, way] == actual


class Grid:
    def __init__(self, items: list[int]) -> None:
        self.items = items

    def __eq__(self, other: object) -> bool:
        raise ValueError("ambiguous")

    def __hash__(self) -> int:
        return 0

    def tolist(self) -> list[int]:
        return self.items


@frozen
class Grids:
    grid: Grid = field(default=Factory(lambda: Grid([])))
    size: int = 1


def test_a_registered_type_that_cannot_be_compared_is_dumped():
    """And read back as what differs in nothing."""
    codecs = Codecs().register(Grid, encode=Grid.tolist, decode=Grid)
    resolution = resolve(Grids, {"grid": [1, 2], "size": 3}, codecs=codecs)

    again = load(Grids, resolution.dump("source"), codecs=codecs)

    assert {} == diff(resolution.config, again, codecs=codecs)
