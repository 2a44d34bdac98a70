"""Classes that do not serve as a schema, and what is said of them."""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from attrs import define, field, frozen, make_class

from treadle_config import SchemaError, load, setting


def test_what_cannot_serve_is_found_with_its_path(schemas):
    """Before any value is read, whichever fields the layers touch."""

    class Strange:
        pass

    @define
    class Mutable:
        x: int = 0

    @frozen
    class HasType:
        type: str = ""

    @setting(tag="sgd")
    @frozen
    class Twice:
        x: int = 0

    cases = {
        "strange": (Strange, None),
        "several": (list[Strange], None),
        "mutable": (Mutable, Mutable()),
        "typed": (HasType | schemas.SGD, schemas.SGD()),
        "lists": (list[int] | list[str], None),
        "keys": (dict[tuple[int, int], int], None),
        "tags": (schemas.SGD | Twice, schemas.SGD()),
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
            f"inner.tags: SGD and {Twice.__qualname__} share the tag sgd; "
            'give one its own with @setting(tag="...")'
        ),
    ] == actual


def test_an_instance_or_a_plain_class_is_no_schema(schemas):
    """The schema is the class itself."""
    actual = []
    for wrong in (schemas.SGD(), int):
        with pytest.raises(SchemaError) as caught:
            load(wrong)
        actual.append(str(caught.value))

    assert [
        "SGD(lr=0.1, momentum=0.9) is no schema: give an attrs class or a dataclass, not an instance of one",
        "<class 'int'> is no schema: give an attrs class or a dataclass",
    ] == actual


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


def test_a_constructor_that_does_not_take_the_fields_is_found(schemas):
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

    @frozen
    class Decorated:
        a: int
        shared: int = 0

    class Undecorated(Decorated):
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
    needs = "which is not a field, so no config can hold it; give it a default there, or"
    assert [
        f"inner: the __init__ of Narrow takes no 'b', {takes} init=False",
        f"inner: the __init__ of Wide needs 'scale', {needs} make it a field",
        1,
        f"inner: the __init__ of NoneAtAll takes no 'a', {takes} init=False",
        f"inner: the __init__ of Lost needs 'scale', {needs} make it a field",
        2,
        (
            "inner.more: Undecorated declares it but is not decorated like its base, so it is "
            "not a field; put @frozen, or what its base has, above the class"
        ),
    ] == actual


def test_merge_rules_fit_their_types():
    """`append` is for lists, `replace` for mappings."""
    actual = []
    for declared, rule in ((dict[str, int], "append"), (list[int], "replace")):
        one = make_class("One", {"x": field(type=declared, metadata=setting(merge=rule))})
        with pytest.raises(SchemaError) as caught:
            load(one)
        actual.append(str(caught.value))

    assert [
        'x: setting(merge="append") is for lists, not dict[str, int]',
        'x: setting(merge="replace") is for mappings, not list[int]',
    ] == actual


@pytest.mark.parametrize("more", [{"help": "b"}, {"merge": "append"}, {"secret": True}])
def test_a_class_takes_nothing_beside_its_tag(more):
    """`setting(tag=...)` is of the class as a whole."""
    with pytest.raises(TypeError) as caught:
        setting(tag="a", **more)

    assert "setting(tag=...) decorates a class and takes nothing but the tag" == str(caught.value)
