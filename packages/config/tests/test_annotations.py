"""The forms in which a field's type may be written."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from typing import (  # noqa: UP035  # the old names are what is tested
    TYPE_CHECKING,
    Annotated,
    ClassVar,
    Dict,
    Final,
    List,
    Literal,
    NewType,
    Optional,
    Tuple,
    TypeAlias,
    Union,
)

import pytest
from attrs import Factory, define, field, frozen, make_class

from treadle_config import Codecs, SchemaError, load

if TYPE_CHECKING:
    from nowhere import Thing

Number: TypeAlias = int | float
Count = NewType("Count", int)


@frozen
class Tree:
    value: int = 0
    more: list["Tree"] = Factory(list)  # noqa: UP037  # the quotes are what is tested
    named: "dict[str, 'Tree']" = Factory(dict)  # noqa: UP037


@frozen
class Everything:
    old_list: List[int] = Factory(list)  # noqa: UP006
    old_dict: Dict[str, int] = Factory(dict)  # noqa: UP006
    old_tuple: Tuple[int, ...] = ()  # noqa: UP006
    optional: Optional[int] = None  # noqa: UP045
    old_union: Union[int, None] = None  # noqa: UP007
    new_union: int | None = None
    alias: Number = 1
    count: Count = Count(1)
    noted: Annotated[int, ["of any kind"]] = 1
    noted_within: list[Annotated[int, ["of any kind"]]] = Factory(list)
    final: Final[int] = 1
    none: None = None
    literal: Literal["a, b", "c]"] = "a, b"
    several: Sequence[int] = ()
    changeable: MutableSequence[int] = Factory(list)
    unordered: AbstractSet[int] = frozenset()
    mapping: Mapping[str, int] = Factory(dict)
    shared: ClassVar[Nowhere] = 1  # noqa: F821  # no field, so it is not looked at


def test_every_form_of_a_type_is_read():
    """Old and new spellings, aliases, notes, and abstract types, which are immutable ones."""
    given = {
        "old_list": ["1"],
        "old_dict": {"a": "1"},
        "old_tuple": ["1"],
        "optional": "2",
        "old_union": "2",
        "new_union": "2",
        "alias": "2.5",
        "count": "2",
        "noted": "2",
        "noted_within": ["1"],
        "final": "2",
        "literal": "c]",
        "several": ["1"],
        "changeable": ["1"],
        "unordered": ["1"],
        "mapping": {"a": "1"},
    }

    assert Everything(
        [1],
        {"a": 1},
        (1,),
        2,
        2,
        2,
        2.5,
        Count(2),
        2,
        [1],
        2,
        None,
        "c]",
        (1,),
        [1],
        frozenset({1}),
        {"a": 1},
    ) == load(Everything, given)


def test_names_in_quotes_within_types_are_found():
    """Also those of the class itself."""
    actual = load(Tree, {"more": [{"value": "1"}], "named": {"a": {"value": "2"}}})

    assert Tree(more=[Tree(1)], named={"a": Tree(2)}) == actual


def test_an_inherited_annotation_means_what_it_meant_in_its_module():
    """The name may be another thing, or nothing, where the subclass is."""
    elsewhere = types.ModuleType("elsewhere")
    program = """
from __future__ import annotations
import dataclasses
from attrs import frozen
Size = int
@frozen
class Base:
    size: Size = 1
    sizes: list[Size] | None = None
@dataclasses.dataclass
class Plain:
    size: Size = 1
"""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "elsewhere", elsewhere)
        exec(program, vars(elsewhere))

        @frozen
        class Derived(elsewhere.Base):
            other: int = 2

        @dataclasses.dataclass
        class DerivedPlain(elsewhere.Plain):
            other: int = 2

        actual = [
            load(Derived, {"size": "3", "sizes": ["4"], "other": "5"}),
            load(DerivedPlain, {"size": "3"}),
        ]

    assert [Derived(3, [4], 5), DerivedPlain(3)] == actual


def test_what_an_annotation_cannot_name_is_told_with_its_field():
    """A name that only a type checker knows, one that is not there, and no type at all."""

    @define
    class Checked:
        good: int = 1
        thing: Thing | None = None

    @define
    class Wrong:
        thing: dataclasses.Nope = 1

    @define
    class Untyped:
        thing = field(default=1)

    actual = []
    for cls in (Checked, Wrong, Untyped):
        outer = make_class("Outer", {"inner": field(type=cls, factory=cls)})
        with pytest.raises(SchemaError) as caught:
            load(outer)
        actual.append(
            str(caught.value).replace(
                "test_what_an_annotation_cannot_name_is_told_with_its_field.<locals>.", ""
            )
        )

    assert [
        (
            "inner.thing: an annotation of Checked cannot be read (name 'Thing' is not defined); "
            "define what it names at module level, outside of `if TYPE_CHECKING`"
        ),
        (
            "inner.thing: an annotation of Wrong cannot be read "
            "(module 'dataclasses' has no attribute 'Nope'); "
            "define what it names at module level, outside of `if TYPE_CHECKING`"
        ),
        "inner.thing: Untyped.thing has no type; annotate it, as in `thing: int`",
    ] == actual


def test_an_alias_of_a_type_is_followed():
    """What `type X = ...` makes, with parameters and without."""
    extensions = pytest.importorskip("typing_extensions", reason="comes with cattrs")
    variable = extensions.TypeVar("variable")
    pair = extensions.TypeAliasType("pair", tuple[variable, variable], type_params=(variable,))
    whole = extensions.TypeAliasType("whole", int)

    actual = [
        Codecs().decode("1", whole),
        Codecs().decode(["1", "2"], pair[int]),
        Codecs().decode([1, "2"], pair),
    ]

    assert [1, (1, 2), (1, "2")] == actual
