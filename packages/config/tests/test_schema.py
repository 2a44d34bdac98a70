"""Classes that serve as a schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NewType

from attrs import Converter, converters, define, field, frozen

from treadle_config import Codecs, dump, load, setting

Count = NewType("Count", int)


@frozen
class Tree:
    """A class that contains itself."""

    value: int = 0
    left: Tree | None = None
    children: list[Tree] = field(factory=list)


@frozen
class Base:
    x: int = 1


def test_a_class_may_contain_itself():
    """Planning ends, and building follows what was given."""
    actual = load(
        Tree, {"left": {"value": 1, "children": [{"value": 2}]}}, argv=["--left.left.value", "3"]
    )

    assert Tree(left=Tree(1, children=[Tree(2)], left=Tree(3))) == actual


def test_local_classes_with_postponed_annotations_are_found():
    """The caller's own names are looked at where a module's do not suffice."""

    @frozen
    class Inner:
        x: int = 1

    @frozen
    class Outer:
        inner: Inner = Inner()
        several: list[tuple[Inner, Inner]] = field(factory=list)

    actual = load(Outer, {"inner": {"x": 2}, "several": [[{"x": 3}, {}]]})

    assert Outer(Inner(2), [(Inner(3), Inner())]) == actual


def test_dataclasses_serve_with_settings():
    """A dataclass is a schema, nested in or around attrs classes."""

    @dataclass(frozen=True)
    class Plain:
        base: Base = Base()
        tags: list[str] = dataclass_field(
            default_factory=lambda: ["a"], metadata=setting(merge="append")
        )

    assert Plain(Base(7), ["a", "b"]) == load(Plain, {"base": {"x": 7}, "tags": ["b"]})


def test_aliases_inheritance_and_other_spellings_of_types_work():
    """A private field goes by its alias; new types, annotations and abstract types are read."""

    @define(kw_only=True)
    class Mixed(Base):
        _secret: int = 1
        count: Count = Count(2)
        note: Annotated[str, "anything"] = ""
        several: Sequence[int] = ()
        named: Mapping[str, int] = field(factory=dict)
        computed: int = field(init=False, default=9)

    actual = load(Mixed, {"secret": 3, "count": "4", "several": [5], "named": {"a": 6}, "x": 7})

    assert Mixed(x=7, secret=3, count=Count(4), several=(5,), named={"a": 6}) == actual


def test_a_converter_gets_what_it_says_it_takes():
    """Its annotated parameter decides; else the declared type, else what was written."""

    def of_text(text: str) -> int:
        return len(text)

    def seconds(raw):
        return int(raw.removesuffix("s")) if isinstance(raw, str) else raw

    @frozen
    class Converted:
        length: int = field(default="", converter=of_text)
        wait: int = field(default=1, converter=seconds)
        items: tuple[int, ...] = field(default=(), converter=tuple)
        scaled: float = field(
            default=1.0,
            converter=Converter(lambda value, self_: value * self_.wait, takes_self=True),
        )

    actual = load(
        Converted, argv=["--length", "123", "--wait", "3s", "--items", "[1, 2]", "--scaled", "2"]
    )

    assert (3, 3, (1, 2), 6.0) == (actual.length, actual.wait, actual.items, actual.scaled)


def test_a_class_may_have_a_field_named_type():
    """Where no subtype is to choose, the key is the field's own, also in a default."""

    @frozen
    class Kind:
        type: str = "a"
        size: int = 1

    @frozen
    class Outer:
        kind: Kind = Kind(size=3)

    assert [Outer(Kind("a", 3)), Outer(Kind("b", 3))] == [
        load(Outer),
        load(Outer, {"kind.type": "b"}),
    ]


def test_a_dataclass_may_have_all_that_dataclasses_have():
    """Keyword-only fields, factories, fields that are not taken, and class variables."""

    @dataclass
    class Whole:
        a: int
        _: KW_ONLY
        b: int = 2
        items: list[int] = dataclass_field(default_factory=list)
        made: int = dataclass_field(init=False, default=9)
        shared: ClassVar[int] = 3

    assert Whole(1, b=3, items=[4]) == load(Whole, {"a": "1", "b": "3", "items": ["4"]})


def test_converters_of_attrs_say_what_they_take():
    """`optional`, `pipe`, `default_if_none`, `to_bool`, and a class."""

    @frozen
    class Converted:
        path: Path = field(default="a", converter=Path)
        maybe: int | None = field(default=None, converter=converters.optional(int))
        unset: int = field(default=None, converter=converters.default_if_none(5))
        piped: int = field(default="3", converter=converters.pipe(str, int))
        flag: bool = field(default="yes", converter=converters.to_bool)

    actual = load(Converted, {"path": "b", "maybe": "4", "unset": None, "piped": "6", "flag": "no"})

    assert (Converted("b", 4, None, 6, False), actual) == (actual, load(Converted, dump(actual)))


def test_a_diamond_has_the_fields_of_all_its_bases():
    """Each once, by their own types."""

    @frozen(slots=False)
    class Left(Base):
        left: int = 1

    @frozen(slots=False)
    class Right(Base):
        right: Literal["a", "b"] = "a"

    @frozen(slots=False)
    class Below(Left, Right):
        below: float = 1

    actual = load(Below, {"x": "5", "left": "6", "right": "b", "below": "7"})

    assert Below(x=5, left=6, right="b", below=7.0) == actual


def test_a_kept_codecs_plans_a_class_once():
    """The plan of a class is the same object at the next load."""
    codecs = Codecs()
    load(Tree, codecs=codecs)
    first = codecs.schema.fields_of(Tree)

    load(Tree, codecs=codecs)

    assert first is codecs.schema.fields_of(Tree)
