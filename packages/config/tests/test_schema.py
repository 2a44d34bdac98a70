"""Schemas: what serves as one, and what does not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NewType

import pytest
from attrs import Converter, converters, define, field, frozen, make_class

from treadle_config import Codecs, ConfigError, SchemaError, dump, load, setting

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
        several: list[tuple[Inner, Inner]] = field(factory=list)

    actual = load(Outer, {"inner": {"x": 2}, "several": [[{"x": 3}, {}]]})

    assert Outer(Inner(2), [(Inner(3), Inner())]) == actual


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


def test_a_default_that_cannot_be_every_configs_is_found():
    """It could be changed and is shared, or a dump of it could not be read back."""
    cases = {
        "items": (list[int], [], {}),
        "named": (dict[str, int], {"a": 1}, {}),
        "unset": (int, None, {}),
        "path": (Path, "a", {}),
        "mode": (Literal["a", "b"], "c", {}),
        "fine": (Path, "a", {"converter": Path}),
        "made_anew": (tuple[int, ...], [1], {"converter": tuple}),
    }
    actual = []
    for name, (declared, default, more) in cases.items():
        cls = make_class("One", {name: field(type=declared, default=default, **more)})
        try:
            actual.append(load(cls))
        except SchemaError as error:
            actual.append(str(error))

    assert [
        (
            "items: the default is a list, which can be changed, and every config would share "
            "it; use factory=list"
        ),
        (
            "named: the default is a dict, which can be changed, and every config would share "
            "it; use factory=lambda: {'a': 1}"
        ),
        "unset: the default is None, which is no int; declare int | None",
        "path: the default is 'a', which is no Path; write it as one",
        "mode: the default is 'c', which is no one of a, b; write it as one",
        "One(fine=PosixPath('a'))",
        "One(made_anew=(1,))",
    ] == [str(one).replace("WindowsPath", "PosixPath") for one in actual]


def test_a_constructor_that_does_not_take_the_fields_is_found():
    """A value that no field keeps could not be dumped, and one that is not taken not be set."""

    @define
    class Narrow:
        a: int
        b: int = 0

        def __init__(self, a):
            self.__attrs_init__(a)

    @define
    class Wide:
        a: int

        def __init__(self, a, scale):
            self.__attrs_init__(a * scale)

    @define
    class Free:
        a: int

        def __init__(self, **values):
            self.__attrs_init__(**values)

    @define(init=False)
    class NoneAtAll:
        a: int = 1

    @dataclass
    class Lost:
        a: int
        scale: InitVar[int]

    @dataclass
    class Kept:
        a: int
        scale: InitVar[int] = 2

        def __post_init__(self, scale):
            self.a *= scale

    class Undecorated(Base):
        shared: ClassVar[int] = 1
        more: int = 2

    actual = []
    for cls in (Narrow, Wide, Free, NoneAtAll, Lost, Kept, Undecorated):
        outer = make_class("Outer", {"inner": field(type=cls)})
        try:
            actual.append(load(outer, {"inner": {"a": 1}}).inner.a)
        except SchemaError as error:
            actual.append(str(error))

    takes = "which is a field of it; let it take every field by name, or declare the field with"
    wants = "which is no field of it, so that no config could hold it; give it a default there, or"
    assert [
        f"inner: the __init__ of Narrow takes no 'b', {takes} init=False",
        f"inner: the __init__ of Wide wants 'scale', {wants} make it a field",
        1,
        f"inner: the __init__ of NoneAtAll takes no 'a', {takes} init=False",
        f"inner: the __init__ of Lost wants 'scale', {wants} make it a field",
        2,
        (
            "inner.more: Undecorated declares it and is not decorated as its base is, so that it "
            "is no field; put @frozen, or what its base has, above the class"
        ),
    ] == actual


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


def test_defaults_of_one_subtype_never_reach_another():
    """Another tag means the other class with its own defaults, whatever the first one had."""

    @frozen
    class One:
        rate: float = 0.1
        only: int = 1

    @frozen
    class Other:
        rate: float = 0.2

    @frozen
    class Holder:
        of: One | Other = One(rate=5, only=6)

    actual = [
        load(Holder, {"of.type": "other"}),
        load(Holder, {"of.rate": 7}, argv=["--of.type", "other"]),
        load(Holder, {"of.type": "other"}, argv=["--of.type", "one"]),
        load(Holder, {"of.rate": 7}),
    ]

    assert [Other(), Other(), One(), One(7, 6)] == [one.of for one in actual]


def test_a_subclass_is_checked_as_a_whole_when_it_is_chosen():
    """What is wrong within it is found then, each time, and harms nobody before."""

    @frozen
    class Above:
        x: int = 1

    @frozen
    class Deeper:
        items: list[int] = []  # noqa: RUF008  # it is what is wrong

    @frozen
    class Wrong(Above):
        inner: Deeper = field(factory=Deeper)

    @frozen
    class Holder:
        above: Above = Above()

    codecs = Codecs()
    actual = []
    for _ in range(2):
        with pytest.raises(SchemaError) as caught:
            load(Holder, {"above.type": "wrong"}, codecs=codecs)
        actual.append(str(caught.value))

    expected = (
        "Wrong.inner.items: the default is a list, which can be changed, and every config would "
        "share it; use factory=list"
    )
    assert ([expected] * 2, Holder(Above(2))) == (
        actual,
        load(Holder, {"above.x": 2}, codecs=codecs),
    )


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
