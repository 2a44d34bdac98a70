"""Generic classes: what their type variables are, where they are declared and chosen."""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytest
from attrs import Factory, field, frozen

from treadle_config import Codecs, SchemaError, link, linked, load

T = TypeVar("T")
U = TypeVar("U")
Limited = TypeVar("Limited", bound=int)
OneOfTwo = TypeVar("OneOfTwo", int, str)


@frozen
class Box(Generic[T]):
    item: T
    items: list[T] = Factory(list)
    named: dict[str, T] = Factory(dict)
    maybe: T | None = None


@frozen
class IntBox(Box[int]):
    note: str = "a"


@frozen
class Labelled(Box[T], Generic[U, T]):
    label: U = field(kw_only=True)


@frozen
class Open(Generic[Limited, OneOfTwo]):
    limited: Limited
    either: OneOfTwo


@dataclass(frozen=True)
class Data(Generic[T]):
    x: T


@dataclass(frozen=True)
class Lists(Data[list[T]], Generic[T]):
    y: T | None = None


@frozen
class Holder:
    ints: Box[int] = Box(0)
    texts: Box[str] = Box("a")


@frozen
class Chain(Generic[T]):
    value: T
    more: Chain[T] | None = None


@frozen
class Nest(Generic[T]):
    value: T
    inner: Nest[list[T]] | None = None


def test_a_field_gives_a_generic_class_its_parameters():
    """Each place decodes by its own, also within lists, dicts and optionals."""
    actual = load(
        Holder,
        {"ints": {"item": "1", "items": ["2"], "named": {"a": "3"}, "maybe": "4"}},
        argv=["--texts.item", "5", "--texts.maybe", "6"],
    )

    assert Holder(Box(1, [2], {"a": 3}, 4), Box("5", maybe="6")) == actual


def test_problems_tell_the_type_that_was_given(said):
    """The expected type is the parameter, not the variable."""
    actual = said(load, Holder, argv=["--ints.item", "x", "--ints.items", "y", "--ints", "[]"])

    assert [
        "ints.item (cli --ints.item): expected int, got x",
        "ints.items[0] (cli --ints.items): expected int, got y",
        "ints (cli --ints): expected Box[int] as a JSON object, got []",
    ] == actual


@pytest.mark.parametrize(
    ("declared", "written", "expected"),
    [
        (Box[int], {"item": "1"}, Box(1)),
        (Box[Box[float]], {"item": {"item": "1"}}, Box(Box(1.0))),
        (Box[list[int]], {"item": ["1"], "maybe": ["2"]}, Box([1], maybe=[2])),
        (Box[int | None], {"item": None}, Box(None)),
        (IntBox, {"item": "1", "items": ["2"]}, IntBox(1, [2])),
        (Labelled[str, int], {"item": "1", "label": "2"}, Labelled(1, label="2")),
        (Data[int], {"x": "1"}, Data(1)),
        (Lists[int], {"x": ["1"], "y": "2"}, Lists([1], 2)),
        (Chain[int], {"value": "1", "more": {"value": "2"}}, Chain(1, Chain(2))),
        (list[Box[int]], [{"item": "1"}], [Box(1)]),
        (dict[str, Box[int]], {"a": {"item": "1"}}, {"a": Box(1)}),
    ],
)
def test_parameters_reach_where_a_variable_is_used(declared: Any, written, expected):
    """Through bases, nested parameters, containers, and classes within themselves."""
    assert expected == Codecs().decode(written, declared)


def test_without_parameters_a_variable_is_anything_or_its_bound(said):
    """Its constraints are a union of them."""
    decode = Codecs().decode

    actual = [
        decode({"item": [1, "a"]}, Box),
        decode({"limited": "3", "either": "4"}, Open),
        said(decode, {"limited": "a", "either": []}, Open),
    ]

    assert [
        Box([1, "a"]),
        Open(3, "4"),
        [
            "either (code): expected int | str, got a list",
            "limited (code): expected int, got 'a'",
        ],
    ] == actual


def test_a_subclass_is_chosen_where_its_parameters_fit(said):
    """One that says something else is no alternative; one that leaves them open takes them."""
    actual = [
        load(Holder, argv=["--ints.type", "intbox", "--ints.item", "1"]).ints,
        load(Holder, {"ints": {"type": "labelled", "item": "1", "label": 2}}).ints,
        said(load, Holder, argv=["--texts.type", "intbox"]),
    ]

    assert [
        IntBox(1),
        Labelled(1, label=2),
        [
            "texts.type (cli --texts.type): expected one of box, labelled, got intbox; did you mean box?"
        ],
    ] == actual


def test_a_root_may_be_generic():
    """With parameters or without."""
    actual = load(Box[int], {"item": "1"}), load(Box, argv=["--item", "1"])

    assert (Box(1), Box(1)) == actual


def test_links_reach_into_a_generic_class():
    """`linked` takes the class, and the field says its parameters."""

    @frozen
    class Following:
        size: int = 3
        box: Box[int] = linked(Box, item=link(lambda size: size + 1, "size"))

    actual = [load(Following, {"size": 5}), load(Following, {"box.maybe": "7"})]

    assert [Following(5, Box(6)), Following(3, Box(4, maybe=7))] == actual


def test_parameters_without_end_are_an_error():
    """A class that contains itself with others each time."""
    with pytest.raises(SchemaError) as caught:
        load(Nest[int], {"value": 1})

    assert (
        "inner: Nest contains itself with other parameters each time, without end; "
        "give it the same ones there, or declare another class"
    ) == str(caught.value)


def test_two_parameterizations_cannot_share_a_union():
    """Nothing written tells one from the other, but a subclass of each would."""

    @frozen
    class Either:
        box: Box[int] | Box[str] = Box(1)

    with pytest.raises(SchemaError) as caught:
        load(Either)

    assert (
        "box: Box[int] and Box[str] share the tag box; "
        "declare a subclass of each, as in `class IntBox(Box[int])`"
    ) == str(caught.value)


def test_one_variable_may_mean_two_things_in_two_bases():
    """It is looked up in the class that declares the field."""

    @frozen(slots=False)
    class One(Generic[T]):
        one: T

    @frozen(slots=False)
    class Other(Generic[T]):
        other: T

    @frozen(slots=False)
    class Both(One[int], Other[str]):
        pass

    assert Both(one=1, other="2") == load(Both, {"one": "1", "other": "2"})


def test_other_kinds_of_parameters_are_refused():
    """A `TypeVarTuple` is no type of a field."""
    from typing import TypeVarTuple

    several = TypeVarTuple("several")

    @frozen
    class Many(Generic[*several]):
        x: int = 1

    with pytest.raises(SchemaError) as caught:
        Codecs().decode({}, Many[int, str])

    assert (
        "Many: Many has parameters that are not plain type variables; "
        "declare a subclass that says what they are"
    ) == str(caught.value)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs the syntax of python 3.12")
def test_the_newer_syntax_means_the_same(monkeypatch):
    """`class Box[T]`, and `type Pair[T] = tuple[T, T]`, also with postponed annotations."""
    program = """
from __future__ import annotations
from attrs import frozen
from treadle_config import load

type Pair[T] = tuple[T, T]
type Number = int | float

@frozen
class New[T]:
    item: T
    pair: Pair[T]
    number: Number = 1

@frozen
class Outer:
    new: New[int]

type Json = int | dict[str, Json]

@frozen
class Endless:
    json: Json = 1
"""
    module = types.ModuleType("newer")
    monkeypatch.setitem(sys.modules, "newer", module)
    exec(program, vars(module))

    actual = load(module.Outer, {"new": {"item": "1", "pair": ["2", 3], "number": "2"}})
    with pytest.raises(SchemaError) as caught:
        load(module.Endless)

    assert (
        module.Outer(module.New(1, (2, 3), 2)),
        "json.*: the type Json contains itself; make it a class",
    ) == (actual, str(caught.value))
