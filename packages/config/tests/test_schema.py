"""Schemas: what serves as one, and what does not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Annotated, NewType

import pytest
from attrs import Converter, define, field, frozen, make_class

from treadle_config import Codecs, ConfigError, SchemaError, load, setting

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


@frozen
class Late(Base):
    y: int = 2


@setting(tag="a-third")
@frozen
class Third(Base):
    z: int = 3


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

    assert Outer(Inner(2)) == load(Outer, {"inner": {"x": 2}})


def test_subclasses_defined_later_can_be_chosen():
    """By their lower-cased names, or by the tag that `setting` gave them."""

    @frozen
    class Holder:
        base: Base = Base()

    actual = [
        load(Holder, {"base": {"x": 5}}),
        load(Holder, {"base": {"type": "late", "y": 5}}),
        load(Holder, argv=["--base.type", "a-third", "--base.z", "5"]),
    ]

    assert [Holder(Base(5)), Holder(Late(y=5)), Holder(Third(z=5))] == actual


def test_an_abstract_base_has_to_be_chosen_from():
    """A tag is needed where the declared class cannot be made."""

    @frozen
    class Shape(ABC):
        @abstractmethod
        def area(self) -> float: ...

    @frozen
    class Square(Shape):
        side: float = 1.0

        def area(self):
            return self.side**2

    @frozen
    class Holder:
        shape: Shape

    with pytest.raises(ConfigError) as caught:
        load(Holder, argv=["--shape.type", "circle"])

    assert (
        "shape.type (cli --shape.type): expected one of square, got circle",
        Holder(Square()),
    ) == (str(caught.value), load(Holder, {"shape.type": "square"}))


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

    assert Mixed(x=7, secret=3, count=Count(4), several=[5], named={"a": 6}) == actual


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


def test_what_cannot_serve_is_found_with_its_path():
    """Before any value is read, whichever fields the layers touch."""

    class Strange:
        pass

    @define
    class Mutable:
        x: int = 0

    @frozen
    class HasType:
        type: str = ""

    @setting(tag="late")
    @frozen
    class Twice:
        x: int = 0

    cases = {
        "strange": (Strange, None),
        "several": (list[Strange], None),
        "mutable": (Mutable, Mutable()),
        "typed": (HasType | Base, Base()),
        "lists": (list[int] | list[str], None),
        "keys": (dict[tuple[int, int], int], None),
        "tags": (Late | Twice, Late()),
    }
    actual = []
    for name, (declared, default) in cases.items():
        inner = make_class("Inner", {name: field(type=declared, default=default)}, frozen=True)
        outer = make_class("Outer", {"inner": field(type=inner, factory=inner)}, frozen=True)
        with pytest.raises(SchemaError) as caught:
            load(outer)
        actual.append(str(caught.value).replace(f"{Strange.__qualname__}", "Strange"))

    assert [
        (
            "inner.strange: nothing reads the type Strange; "
            "register it with Codecs().register(type, encode, decode)"
        ),
        (
            "inner.several[]: nothing reads the type Strange; "
            "register it with Codecs().register(type, encode, decode)"
        ),
        (
            "inner.mutable: the default is an instance of Mutable, which can be changed, and "
            "every config would share it; use factory=Mutable, or freeze the class"
        ),
        (
            "inner.typed: HasType has a field named type, the key that chooses "
            "a class of the union; rename the field"
        ),
        (
            "inner.lists: nothing written could tell list[int] from list[str]; "
            "keep one kind of list and one kind of mapping in a union"
        ),
        "inner.keys: the keys of a dict are scalars, not tuple[int, int]",
        (
            f"inner.tags: Late and {Twice.__qualname__} share the tag late; "
            'give one another with @setting(tag="...")'
        ),
    ] == actual


def test_an_instance_or_a_plain_class_is_no_schema():
    """The schema is the class itself."""
    actual = []
    for wrong in (Base(), int):
        with pytest.raises(SchemaError) as caught:
            load(wrong)
        actual.append(str(caught.value))

    assert [
        "Base(x=1) is no schema: give an attrs class or a dataclass, not an instance of one",
        "<class 'int'> is no schema: give an attrs class or a dataclass, not an instance of one",
    ] == actual


def test_a_subclass_that_is_broken_elsewhere_harms_nobody():
    """A subclass is looked at only when its tag is chosen."""

    @frozen
    class Parent:
        x: int = 1

    @frozen
    class Broken(Parent):
        y: Nowhere = 0  # noqa: F821

    @frozen
    class Holder:
        parent: Parent = Parent()

    with pytest.raises(SchemaError):
        load(Holder, {"parent.type": "broken"})

    assert Holder(Parent(3)) == load(Holder, argv=["--parent.x", "3"])


def test_merge_rules_fit_their_types():
    """`append` is for lists, `replace` for mappings."""
    actual = []
    for declared, rule in ((dict[str, int], "append"), (list[int], "replace")):
        one = make_class("One", {"x": field(type=declared, metadata=setting(merge=rule))})
        with pytest.raises(SchemaError) as caught:
            load(one)
        actual.append(str(caught.value))
    with pytest.raises(TypeError) as caught:
        setting(tag="a", help="b")

    assert [
        'x: setting(merge="append") is for lists, not dict[str, int]',
        'x: setting(merge="replace") is for mappings, not list[int]',
        "setting(tag=...) decorates a class and takes nothing beside the tag",
    ] == [*actual, str(caught.value)]


def test_a_kept_codecs_plans_a_class_once():
    """The plan of a class is the same object at the next load."""
    codecs = Codecs()
    load(Tree, codecs=codecs)
    first = codecs.schema.fields_of(Tree)

    load(Tree, codecs=codecs)

    assert first is codecs.schema.fields_of(Tree)
