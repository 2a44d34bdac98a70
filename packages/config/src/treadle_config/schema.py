"""From declared types to plans; what cannot serve is found here, with the field's path."""

import collections.abc
import datetime as dt
import enum
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

from attrs import NOTHING

from treadle_config import leaves
from treadle_config.declared_fields import (
    ClassPlan,
    DeclaredField,
    FieldPlan,
    declared_fields,
    is_class,
    is_frozen,
    module_names,
    planned,
)
from treadle_config.errors import SchemaError
from treadle_config.link_checks import check_links
from treadle_config.plans import (
    Alternatives,
    Choice,
    Dictionary,
    Items,
    Leaf,
    Plan,
    Tuple,
    mapping_of,
    sequence_of,
)
from treadle_config.tags import TAG_KEY, subclasses
from treadle_config.tree import join

_SIMPLE: dict[Any, Leaf] = {
    int: leaves.INT,
    float: leaves.FLOAT,
    bool: leaves.BOOL,
    str: leaves.STR,
    Any: leaves.ANYTHING,
    object: leaves.ANYTHING,
    dt.date: leaves.datetime_leaf(dt.date),
    dt.datetime: leaves.datetime_leaf(dt.datetime),
}
_SEQUENCES: dict[Any, tuple[type, str]] = {
    list: (list, "list"),
    collections.abc.Sequence: (list, "list"),
    set: (set, "set"),
    frozenset: (frozenset, "frozenset"),
    tuple: (tuple, "tuple"),
}


class Schema:
    """Plans of types and classes, each made once.

    `names` are what annotations of local classes may refer to: the caller's locals.
    """

    def __init__(self, hooks: Mapping[type, Leaf]) -> None:
        self.names: Mapping[str, Any] = {}
        self._hooks = hooks
        self._classes: dict[type, ClassPlan] = {}
        self._checked: set[type] = set()

    def root(self, cls: type) -> Choice:
        """Plan a class and everything it declares.

        Raises:
            SchemaError: Something in it cannot serve as a schema.
        """
        if not is_class(cls):
            raise SchemaError(
                f"{cls!r} is no schema: give an attrs class or a dataclass, not an instance of one"
            )
        self._check(cls, "")
        return Choice((cls,), None)

    def of_class(self, cls: type, path: str = "") -> ClassPlan:
        """Plan one class, without what lies below it."""
        plan = self._classes.get(cls)
        if plan is None:
            hints = self._hints(cls, path)
            fields = {
                one.key: self._field(cls, one, hints, join(path, one.key))
                for one in declared_fields(cls)
            }
            plan = self._classes[cls] = ClassPlan(cls, fields)
        return plan

    def of_type(self, declared: Any, path: str = "") -> Plan:
        """Plan one type.

        Raises:
            SchemaError: Nothing here reads such a type.
        """
        while True:
            if hasattr(declared, "__supertype__"):  # NewType
                declared = declared.__supertype__
            elif hasattr(declared, "__value__"):  # type X = ..., from python 3.12 on
                declared = declared.__value__
            else:
                break
        origin, arguments = typing.get_origin(declared), typing.get_args(declared)
        if origin is typing.Annotated:
            return self.of_type(arguments[0], path)
        if origin in (typing.Union, types.UnionType):
            return self._union(arguments, path)
        if origin is typing.Literal:
            return leaves.literal_leaf(arguments)
        if declared is None or declared is types.NoneType:
            return Alternatives((), None, None, optional=True, expected="null")
        kind = origin or declared
        if kind in _SEQUENCES:
            return self._sequence(kind, arguments, path)
        if kind in (dict, collections.abc.Mapping, collections.abc.MutableMapping):
            key, value = arguments or (Any, Any)
            return self._dictionary(key, value, path)
        if declared in self._hooks:
            return self._hooks[declared]
        if declared in _SIMPLE:
            return _SIMPLE[declared]
        if isinstance(declared, type):
            leaf = _leaf_of_class(declared)
            if leaf is not None:
                return leaf
            if is_class(declared):
                return self._choice((declared,))
        raise SchemaError(
            f"{path or 'the type'}: nothing reads the type {_type_name(declared)}; "
            "register it with Codecs().register(type, encode, decode)"
        )

    def alternatives(self, choice: Choice) -> dict[str, list[type]]:
        """The classes that a tag may choose, with subclasses defined since, by tag."""
        return subclasses(choice.classes) if choice.tag_key else {"": list(choice.classes)}

    def only_class(self, choice: Choice) -> type | None:
        """The class that is meant where no tag and no default says which."""
        first = choice.classes[0]
        return first if len(choice.classes) == 1 and not inspect.isabstract(first) else None

    def _field(
        self, cls: type, declared: DeclaredField, hints: Mapping[str, Any], path: str
    ) -> FieldPlan:
        declared_type = hints.get(declared.name, declared.type)
        if declared_type is None and declared.name not in hints:
            raise SchemaError(
                f"{path}: {cls.__name__}.{declared.name} has no type; "
                f"annotate it, as in `{declared.name}: int`"
            )
        if hasattr(declared.default, "validator") and hasattr(declared.default, "metadata"):
            raise SchemaError(
                f"{path}: {cls.__name__} is a dataclass, and an attrs field or a link says "
                "nothing there; make it an attrs class"
            )
        plan = self.of_type(declared_type, path)
        field = planned(declared, plan, plan)
        taken = _parameter_type(field.converter)
        if taken is not NOTHING:
            field.given = self.of_type(taken, path)
        if field.setting.merge == "append" and sequence_of(plan) is None:
            raise SchemaError(f'{path}: setting(merge="append") is for lists, not {plan.expected}')
        if field.setting.merge == "replace" and mapping_of(plan) is None:
            raise SchemaError(
                f'{path}: setting(merge="replace") is for mappings, not {plan.expected}'
            )
        return field

    def _hints(self, cls: type, path: str) -> dict[str, Any]:
        try:
            return typing.get_type_hints(cls)
        except (NameError, TypeError):
            pass
        # A local class under `from __future__ import annotations` names what only its
        # function knows.
        try:
            return typing.get_type_hints(cls, None, {**module_names(cls), **self.names})
        except (NameError, TypeError) as error:
            raise SchemaError(
                f"{path or cls.__name__}: an annotation of {cls.__qualname__} cannot be read "
                f"({error}); define what it names at module level"
            ) from error

    def _choice(self, classes: tuple[type, ...]) -> Choice:
        if len(classes) == 1:
            own = any(one.key == TAG_KEY for one in declared_fields(classes[0]))
            return Choice(classes, None if own else TAG_KEY)
        return Choice(classes, TAG_KEY)

    def _sequence(self, kind: Any, arguments: tuple[Any, ...], path: str) -> Plan:
        make, name = _SEQUENCES[kind]
        if make is tuple and arguments and (len(arguments) != 2 or arguments[1] is not Ellipsis):
            items = tuple(self.of_type(one, f"{path}[{i}]") for i, one in enumerate(arguments))
            inside = ", ".join(item.expected for item in items)
            return Tuple(items, f"tuple[{inside}]")
        item = self.of_type(arguments[0] if arguments else Any, f"{path}[]")
        return Items(item, make, f"{name}[{item.expected}]")

    def _dictionary(self, key: Any, value: Any, path: str) -> Dictionary:
        key_plan = self.of_type(key, path)
        if not isinstance(key_plan, Leaf):
            raise SchemaError(f"{path}: the keys of a dict are scalars, not {key_plan.expected}")
        value_plan = self.of_type(value, f"{path}.*")
        return Dictionary(key_plan, value_plan, f"dict[{key_plan.expected}, {value_plan.expected}]")

    def _union(self, members: tuple[Any, ...], path: str) -> Plan:
        optional = any(one is types.NoneType for one in members)
        plans = [self.of_type(one, path) for one in members if one is not types.NoneType]
        classes = tuple(cls for plan in plans if isinstance(plan, Choice) for cls in plan.classes)
        sequences = [plan for plan in plans if isinstance(plan, Items | Tuple)]
        mappings: list[Dictionary | Choice] = [p for p in plans if isinstance(p, Dictionary)]
        if classes:
            mappings.append(self._choice(classes))
        found = tuple(plan for plan in plans if isinstance(plan, Leaf))
        if len(sequences) > 1 or len(mappings) > 1:
            raise SchemaError(
                f"{path}: nothing written could tell {' from '.join(p.expected for p in plans)}; "
                "keep one kind of list and one kind of mapping in a union"
            )
        if classes and len(classes) > 1:
            self._check_tags(classes, path)
        if not optional and len(plans) == 1:
            return plans[0]
        said = [plan.expected for plan in plans] + (["null"] if optional else [])
        return Alternatives(
            _ordered(found),
            sequences[0] if sequences else None,
            mappings[0] if mappings else None,
            optional=optional,
            expected=" | ".join(said),
        )

    def _check_tags(self, classes: tuple[type, ...], path: str) -> None:
        for cls in classes:
            if any(one.key == TAG_KEY for one in declared_fields(cls)):
                raise SchemaError(
                    f"{path}: {cls.__name__} has a field named {TAG_KEY}, the key that chooses "
                    "a class of the union; rename the field"
                )
        for tag, found in subclasses(classes).items():
            named = [cls for cls in found if cls in classes]
            if len(named) > 1:
                raise SchemaError(
                    f"{path}: {' and '.join(c.__qualname__ for c in named)} share the tag {tag}; "
                    'give one another with @setting(tag="...")'
                )

    def _check(self, cls: type, path: str) -> None:
        """Plan everything that a class declares, and check its defaults and links."""
        if cls in self._checked:
            return
        plan = self.of_class(cls, path)
        # Added before going down, for classes that contain themselves.
        self._checked.add(cls)
        try:
            for field in plan.fields.values():
                below = join(path, field.key)
                for inner in _classes_within(field.plan):
                    self._check(inner, below)
                _check_default(field, below)
                check_links(plan, field, below, self.of_class)
        except SchemaError:
            self._checked.discard(cls)
            raise


def _leaf_of_class(cls: type) -> Leaf | None:
    if issubclass(cls, enum.Enum):
        return leaves.enum_leaf(cls)
    if issubclass(cls, PurePath):
        return leaves.path_leaf(cls)
    if leaves.has_text_form(cls):
        return leaves.parsed_leaf(cls)
    if cls.__module__ == "fractions" and cls.__name__ == "Fraction":
        return leaves.fraction_leaf(cls)
    return None


def _ordered(found: tuple[Leaf, ...]) -> tuple[Leaf, ...]:
    """Put what takes less text before what takes more: numbers, bools, others, str."""
    beside: dict[Leaf, tuple[int, Leaf]] = {
        leaves.INT: (0, leaves.INT),
        leaves.FLOAT: (1, leaves.FLOAT),
        leaves.BOOL: (2, leaves.BOOL),
        leaves.STR: (4, leaves.STR),
        leaves.ANYTHING: (5, leaves.ANYTHING),
    }
    if leaves.INT in found and leaves.FLOAT in found:
        beside[leaves.INT] = (0, leaves.INT_BESIDE_FLOAT)
        beside[leaves.FLOAT] = (1, leaves.FLOAT_BESIDE_INT)
    if leaves.BOOL in found and (leaves.INT in found or leaves.FLOAT in found):
        beside[leaves.BOOL] = (2, leaves.BOOL_BESIDE_NUMBER)
    ranked = sorted((beside.get(leaf, (3, leaf)) for leaf in found), key=lambda pair: pair[0])
    return tuple(leaf for _, leaf in ranked)


def _classes_within(plan: Plan) -> list[type]:
    if isinstance(plan, Choice):
        return list(plan.classes)
    if isinstance(plan, Alternatives):
        return [cls for member in plan for cls in _classes_within(member)]
    if isinstance(plan, Items):
        return _classes_within(plan.item)
    if isinstance(plan, Tuple):
        return [cls for item in plan.items for cls in _classes_within(item)]
    if isinstance(plan, Dictionary):
        return _classes_within(plan.value)
    return []


def _check_default(field: FieldPlan, path: str) -> None:
    default = field.declared.default
    if not isinstance(mapping_of(field.plan), Choice) or not is_class(type(default)):
        return
    cls = type(default)
    if not is_frozen(cls):
        raise SchemaError(
            f"{path}: the default is an instance of {cls.__name__}, which can be changed, and "
            f"every config would share it; use factory={cls.__name__}, or freeze the class"
        )


def _parameter_type(converter: Callable[..., Any] | None) -> Any:
    """The declared type of what a converter takes, `NOTHING` where it does not say."""
    if converter is None or isinstance(converter, type):
        return NOTHING
    function = getattr(converter, "converter", converter)
    try:
        parameters = list(inspect.signature(function).parameters)
        return typing.get_type_hints(function).get(parameters[0], NOTHING)
    except (IndexError, NameError, TypeError, ValueError):
        return NOTHING


def _type_name(declared: Any) -> str:
    return declared.__qualname__ if isinstance(declared, type) else str(declared)
