"""From declared types to plans."""

import collections.abc
import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any

from treadle_config import leaves
from treadle_config.class_leaves import leaf_of
from treadle_config.errors import SchemaError
from treadle_config.fields import has_field, is_class
from treadle_config.foreign import Foreign
from treadle_config.generics import Given, assumed, bare, filled, parameters_of
from treadle_config.plans import Choice, Dictionary, Items, Leaf, Plan
from treadle_config.tags import TAG_KEY, tag_of

_SCALARS: dict[Any, Leaf] = {
    int: leaves.INT,
    float: leaves.FLOAT,
    bool: leaves.BOOL,
    str: leaves.STR,
    Any: leaves.ANYTHING,
    object: leaves.ANYTHING,
}
_SEQUENCES: dict[Any, type] = {
    list: list,
    set: set,
    frozenset: frozenset,
    tuple: tuple,
    # As a frozen config should have it, and as their usual default is.
    collections.abc.Sequence: tuple,
    collections.abc.Collection: tuple,
    collections.abc.Iterable: tuple,
    collections.abc.MutableSequence: list,
    collections.abc.Set: frozenset,
    collections.abc.MutableSet: set,
}
_UNIONS = (typing.Union, types.UnionType)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


class TypePlans:
    """Plans of types, those of plain classes each made once."""

    def __init__(self, hooks: Mapping[type, Leaf], foreign: Foreign) -> None:
        self._hooks = hooks
        self._foreign = foreign
        self._known: dict[type, Plan] = {}
        self._given: list[Given] = []
        self._aliases: list[Any] = []

    def of_type(self, declared: Any, path: str = "") -> Plan:
        """Plan one type.

        Raises:
            SchemaError: Nobody reads such a type.
        """
        plan = self._known.get(declared) if isinstance(declared, type) else None
        if plan is None:
            plan = self._own_plan(declared, path)
        if plan is not None:
            return plan
        leaf = None if isinstance(declared, str) else self._foreign.leaf(declared, path)
        if leaf is not None:
            return _of_leaf(leaf)
        raise SchemaError(f"{path or 'the type'}: {_unread(declared)}")

    def knows(self, declared: Any) -> bool:
        """Whether a type is planned here, and not left to others."""
        try:
            return self._own_plan(declared, "") is not None
        except SchemaError:
            return False

    def given(self, cls: type, arguments: tuple[Any, ...], path: str = "") -> Given:
        """What stands for a generic class with its parameters; the same one for the same.

        Raises:
            SchemaError: Its parameters are no plain type variables.
        """
        if not all(isinstance(one, typing.TypeVar) for one in parameters_of(cls)):
            raise SchemaError(
                f"{path or cls.__name__}: {cls.__name__} has parameters that are not plain type "
                "variables; declare a subclass that says what they are"
            )
        for one in self._given:
            if one.of is cls and one.arguments == arguments:
                return one
        made = Given(cls, arguments)
        self._given.append(made)
        return made

    def _own_plan(self, declared: Any, path: str) -> Plan | None:
        if isinstance(declared, type):
            known = self._known.get(declared)
            if known is None:
                known = self._of_class(declared, path)
                if known is not None:
                    self._known[declared] = known
            return known
        origin = typing.get_origin(declared)
        if origin is None:
            return self._of_name(declared, path)
        arguments = typing.get_args(declared)
        if origin in _UNIONS:
            return self._union(arguments, path)
        if origin is typing.Literal:
            return _of_leaf(leaves.literal_leaf(arguments))
        if origin in _SEQUENCES:
            return self._sequence(origin, arguments, path)
        if origin in _MAPPINGS:
            return self._dictionary(*arguments, path=path)
        if origin in (typing.Annotated, typing.Final):
            return self.of_type(arguments[0], path)
        if hasattr(origin, "__value__"):
            return self._alias(declared, origin, arguments, path)
        if not is_class(origin):
            return None
        if origin in self._hooks:
            return _of_leaf(self._hooks[origin])
        return _of_mapping(_choice((self.given(origin, arguments, path),)))

    def _of_name(self, declared: Any, path: str) -> Plan | None:
        """What is no class, and has no parameters either."""
        if declared is None:
            return Plan("null", optional=True)
        if isinstance(declared, typing.TypeVar):
            return self.of_type(assumed(declared), path)
        if hasattr(declared, "__supertype__"):  # NewType
            own = self._foreign.has_own_hook(declared)
            return None if own else self.of_type(declared.__supertype__, path)
        if hasattr(declared, "__value__"):
            return self._alias(declared, declared, (), path)
        return None

    def _of_class(self, cls: type, path: str) -> Plan | None:
        if cls in self._hooks:
            return _of_leaf(self._hooks[cls])
        if cls in _SCALARS:
            return _of_leaf(_SCALARS[cls])
        if cls is types.NoneType:
            return Plan("null", optional=True)
        if cls in _SEQUENCES:
            return self._sequence(cls, (), path)
        if cls in _MAPPINGS:
            return self._dictionary(Any, Any, path=path)
        leaf = leaf_of(cls)
        if leaf is not None:
            return _of_leaf(leaf)
        return _of_mapping(_choice((cls,))) if is_class(cls) else None

    def _alias(self, declared: Any, alias: Any, arguments: tuple[Any, ...], path: str) -> Plan:
        """What a name of `type X = ...` stands for, from python 3.12 on."""
        if declared in self._aliases:
            raise SchemaError(f"{path}: the type {declared} contains itself; make it a class")
        value = filled(alias.__value__, dict(zip(alias.__type_params__, arguments, strict=False)))
        self._aliases.append(declared)
        try:
            return self.of_type(value, path)
        finally:
            self._aliases.pop()

    def _sequence(self, kind: type, arguments: tuple[Any, ...], path: str) -> Plan:
        fixed = kind is tuple and bool(arguments) and arguments[-1] is not Ellipsis
        if fixed:
            plans = [self.of_type(one, f"{path}[{i}]") for i, one in enumerate(arguments)]
        else:
            plans = [self.of_type(arguments[0] if arguments else Any, f"{path}[]")]
        items = Items(_SEQUENCES[kind], plans, fixed=fixed)
        return Plan(items.expected, sequence=items)

    def _dictionary(self, key: Any, value: Any, *, path: str) -> Plan:
        keys = self.of_type(key, path)
        if len(keys.leaves) != 1 or keys.expected != keys.leaves[0].expected:
            raise SchemaError(f"{path}: the keys of a dict are scalars, not {keys.expected}")
        return _of_mapping(Dictionary(keys.leaves[0], self.of_type(value, f"{path}.*")))

    def _union(self, members: tuple[Any, ...], path: str) -> Plan:
        optional = types.NoneType in members
        if optional and len(members) == 2:  # as most unions are
            one = self.of_type(members[members[0] is types.NoneType], path)
            return Plan(
                one.expected if one.optional else f"{one.expected} | null",
                leaves=one.leaves,
                sequence=one.sequence,
                mapping=one.mapping,
                optional=True,
            )
        plans = [self.of_type(one, path) for one in members if one is not types.NoneType]
        if not optional and len(plans) == 1:
            return plans[0]
        classes = tuple(
            cls
            for plan in plans
            if isinstance(plan.mapping, Choice)
            for cls in plan.mapping.classes
        )
        mappings: list[Dictionary | Choice] = [
            plan.mapping for plan in plans if isinstance(plan.mapping, Dictionary)
        ]
        if classes:
            mappings.append(_choice(classes))
        sequences = [plan.sequence for plan in plans if plan.sequence is not None]
        if len(sequences) > 1 or len(mappings) > 1:
            raise SchemaError(
                f"{path}: nothing written could tell {' from '.join(p.expected for p in plans)}; "
                "keep one kind of list and one kind of mapping in a union"
            )
        if len(classes) > 1:
            _check_tags(classes, path)
        found = [leaf for plan in plans for leaf in plan.leaves]
        return Plan(
            " | ".join([plan.expected for plan in plans] + ["null"] * optional),
            leaves=leaves.union_of(found) if len(found) > 1 else tuple(found),
            sequence=sequences[0] if sequences else None,
            mapping=mappings[0] if mappings else None,
            optional=optional or any(plan.optional for plan in plans),
        )


def _choice(classes: tuple[type, ...]) -> Choice:
    own = len(classes) == 1 and has_field(bare(classes[0]), TAG_KEY)
    return Choice(classes, None if own else TAG_KEY)


def _of_leaf(leaf: Leaf) -> Plan:
    return Plan(leaf.expected, leaves=(leaf,))


def _of_mapping(mapping: Dictionary | Choice) -> Plan:
    return Plan(mapping.expected, mapping=mapping)


def _check_tags(classes: tuple[type, ...], path: str) -> None:
    for cls in classes:
        check_tag_key(cls, path, "a class of the union")
    by_tag: dict[str, list[type]] = {}
    for cls in classes:
        if not inspect.isabstract(cls):
            by_tag.setdefault(tag_of(cls), []).append(cls)
    for tag, named in by_tag.items():
        if len(named) > 1:
            way = 'give one its own with @setting(tag="...")'
            if any(isinstance(cls, Given) for cls in named):
                way = "declare a subclass of each, as in `class IntBox(Box[int])`"
            names = " and ".join(cls.__qualname__ for cls in named)
            raise SchemaError(f"{path}: {names} share the tag {tag}; {way}")


def check_tag_key(cls: type, path: str, among: str = "a class") -> None:
    """Check that a class that a tag chooses has no field of the tag's name; it may have no path.

    Raises:
        SchemaError: It has one.
    """
    if has_field(bare(cls), TAG_KEY):
        where = f"{path}: " if path else ""
        raise SchemaError(
            f"{where}{cls.__name__} has a field named {TAG_KEY}, the key that chooses "
            f"{among}; rename the field"
        )


def _unread(declared: Any) -> str:
    """Why nobody reads a type, and what to do."""
    if isinstance(declared, str | typing.ForwardRef):
        return f"the type {declared!r} is a name in quotes; give the type itself"
    if declared is typing.Self:
        return "typing.Self is not read; name the class itself"
    origin = typing.get_origin(declared) or declared
    if origin in (collections.abc.Callable, type):
        return (
            f"a file has no word for {declared}; declare a Literal or an Enum of names, "
            "and look up what they mean"
        )
    name = declared.__qualname__ if isinstance(declared, type) else str(declared)
    return (
        f"nothing reads the type {name}; register it with Codecs().register(type, encode, decode)"
    )
