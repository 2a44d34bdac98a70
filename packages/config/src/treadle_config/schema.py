"""From declared types to plans; what cannot serve is found here, with the field's path."""

import collections.abc
import contextlib
import inspect
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import NOTHING

from treadle_config import leaves
from treadle_config.errors import SchemaError
from treadle_config.fields import Field, Fields, fields_of, has_field, is_class, is_frozen
from treadle_config.foreign import Foreign
from treadle_config.link_checks import check_links
from treadle_config.plans import Choice, Dictionary, Items, Leaf, Plan
from treadle_config.tags import TAG_KEY, subclasses
from treadle_config.tree import join

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
    collections.abc.Sequence: list,
    set: set,
    frozenset: frozenset,
    tuple: tuple,
}
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


class Schema:
    """Plans of types and classes, each made once."""

    def __init__(self, hooks: Mapping[type, Leaf], foreign: Foreign) -> None:
        self._hooks = hooks
        self._foreign = foreign
        self._names: Mapping[str, Any] = {}
        self._fields: dict[type, Fields] = {}
        self._checked: set[type] = set()

    @contextlib.contextmanager
    def naming(self, names: Mapping[str, Any]) -> Iterator[None]:
        """Let annotations of local classes refer to names: the caller's locals.

        Only for a while, since a frame's locals keep alive whatever they name.
        """
        before, self._names = self._names, names
        try:
            yield
        finally:
            self._names = before

    def root(self, cls: type) -> Plan:
        """Plan a class and everything it declares.

        Raises:
            SchemaError: Something in it cannot serve as a schema.
        """
        if not is_class(cls):
            raise SchemaError(
                f"{cls!r} is no schema: give an attrs class or a dataclass, not an instance of one"
            )
        self._check(cls, "")
        # The root is not polymorphic: a broken subclass of it somewhere harms nobody.
        return Plan(cls.__name__, mapping=Choice((cls,), None))

    def fields_of(self, cls: type, path: str = "") -> Fields:
        """Plan the fields of one class, without what lies below them."""
        planned = self._fields.get(cls)
        if planned is None:
            planned = fields_of(cls)
            hints = self._hints(cls, path)
            for one in planned.values():
                self._plan(cls, one, hints, join(path, one.key))
            self._fields[cls] = planned
        return planned

    def of_type(self, declared: Any, path: str = "") -> Plan:
        """Plan one type.

        Raises:
            SchemaError: Nobody reads such a type.
        """
        plan = self._own_plan(declared, path)
        if plan is not None:
            return plan
        leaf = self._foreign.leaf(declared, path)
        if leaf is not None:
            return _of_leaf(leaf)
        name = declared.__qualname__ if isinstance(declared, type) else str(declared)
        raise SchemaError(
            f"{path or 'the type'}: nothing reads the type {name}; "
            "register it with Codecs().register(type, encode, decode)"
        )

    def knows(self, declared: Any) -> bool:
        """Whether a type is planned here, and not left to others."""
        try:
            return self._own_plan(declared, "") is not None
        except SchemaError:
            return False

    def alternatives(self, choice: Choice) -> dict[str, list[type]]:
        """The classes that a tag may choose, with subclasses defined since, by tag."""
        return subclasses(choice.classes) if choice.tag_key else {"": list(choice.classes)}

    def class_of(self, choice: Choice, tag: Any) -> type | None:
        """The one class that a tag chooses, if it chooses one; a tag in code may be the class.

        Without a tag, the one that is meant where no default says which.
        """
        if isinstance(tag, type):
            return tag
        if tag is not None:
            found = self.alternatives(choice).get(str(tag), [])
            return found[0] if len(found) == 1 else None
        first = choice.classes[0]
        return first if len(choice.classes) == 1 and not inspect.isabstract(first) else None

    def planned_classes(self, choice: Choice) -> list[Fields]:
        """The fields of all classes that may be chosen.

        A subclass that somebody defined badly elsewhere is left out: it is an error only for
        those who choose it.
        """
        found = []
        for cls in (one for classes in self.alternatives(choice).values() for one in classes):
            with contextlib.suppress(SchemaError):
                found.append(self.fields_of(cls))
        return found

    def _plan(self, cls: type, field: Field, hints: Mapping[str, Any], path: str) -> None:
        declared = hints.get(field.name, field.type)
        if declared is None and field.name not in hints:
            raise SchemaError(
                f"{path}: {cls.__name__}.{field.name} has no type; "
                f"annotate it, as in `{field.name}: int`"
            )
        if hasattr(field.default, "validator") and hasattr(field.default, "metadata"):
            raise SchemaError(
                f"{path}: {cls.__name__} is a dataclass, and an attrs field or a link says "
                "nothing there; make it an attrs class"
            )
        field.plan = field.given = self.of_type(declared, path)
        taken = field.taken
        if taken is not NOTHING:
            field.given = self.of_type(taken, path)
        merge, expected = field.setting.merge, field.plan.expected
        if merge == "append" and field.plan.sequence is None:
            raise SchemaError(f'{path}: setting(merge="append") is for lists, not {expected}')
        if merge == "replace" and field.plan.mapping is None:
            raise SchemaError(f'{path}: setting(merge="replace") is for mappings, not {expected}')

    def _hints(self, cls: type, path: str) -> dict[str, Any]:
        with contextlib.suppress(NameError, TypeError):
            return typing.get_type_hints(cls)
        # A local class under `from __future__ import annotations` names what only its
        # function knows.
        module = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
        try:
            return typing.get_type_hints(cls, None, {**module, **self._names})
        except (NameError, TypeError) as error:
            raise SchemaError(
                f"{path or cls.__name__}: an annotation of {cls.__qualname__} cannot be read "
                f"({error}); define what it names at module level"
            ) from error

    def _own_plan(self, declared: Any, path: str) -> Plan | None:
        origin, arguments = typing.get_origin(declared), typing.get_args(declared)
        kind = origin or declared
        if declared in self._hooks:
            return _of_leaf(self._hooks[declared])
        if hasattr(declared, "__supertype__"):  # NewType
            own = self._foreign.has_own_hook(declared)
            return None if own else self.of_type(declared.__supertype__, path)
        if hasattr(declared, "__value__"):  # type X = ..., from python 3.12 on
            return self.of_type(declared.__value__, path)
        if origin is typing.Annotated:
            return self.of_type(arguments[0], path)
        if origin in (typing.Union, types.UnionType):
            return self._union(arguments, path)
        if origin is typing.Literal:
            return _of_leaf(leaves.literal_leaf(arguments))
        if declared in (None, types.NoneType):
            return Plan("null", optional=True)
        if declared in _SCALARS:
            return _of_leaf(_SCALARS[declared])
        if kind in _SEQUENCES:
            return self._sequence(_SEQUENCES[kind], arguments, path)
        if kind in _MAPPINGS:
            return self._dictionary(*(arguments or (Any, Any)), path=path)
        leaf = leaves.leaf_of(declared) if isinstance(declared, type) else None
        if leaf is not None:
            return _of_leaf(leaf)
        return _of_mapping(self._choice((declared,))) if is_class(declared) else None

    def _choice(self, classes: tuple[type, ...]) -> Choice:
        own = len(classes) == 1 and has_field(classes[0], TAG_KEY)
        return Choice(classes, None if own else TAG_KEY)

    def _sequence(self, make: type, arguments: tuple[Any, ...], path: str) -> Plan:
        fixed = make is tuple and bool(arguments) and arguments[-1] is not Ellipsis
        if fixed:
            plans = [self.of_type(one, f"{path}[{i}]") for i, one in enumerate(arguments)]
        else:
            plans = [self.of_type(arguments[0] if arguments else Any, f"{path}[]")]
        items = Items(make, plans, fixed=fixed)
        return Plan(items.expected, sequence=items)

    def _dictionary(self, key: Any, value: Any, *, path: str) -> Plan:
        keys = self.of_type(key, path)
        if len(keys.leaves) != 1 or keys.expected != keys.leaves[0].expected:
            raise SchemaError(f"{path}: the keys of a dict are scalars, not {keys.expected}")
        return _of_mapping(Dictionary(keys.leaves[0], self.of_type(value, f"{path}.*")))

    def _union(self, members: tuple[Any, ...], path: str) -> Plan:
        optional = types.NoneType in members
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
            mappings.append(self._choice(classes))
        sequences = [plan.sequence for plan in plans if plan.sequence is not None]
        if len(sequences) > 1 or len(mappings) > 1:
            raise SchemaError(
                f"{path}: nothing written could tell {' from '.join(p.expected for p in plans)}; "
                "keep one kind of list and one kind of mapping in a union"
            )
        if len(classes) > 1:
            self._check_tags(classes, path)
        return Plan(
            " | ".join([plan.expected for plan in plans] + ["null"] * optional),
            leaves=leaves.union_of([leaf for plan in plans for leaf in plan.leaves]),
            sequence=sequences[0] if sequences else None,
            mapping=mappings[0] if mappings else None,
            optional=optional or any(plan.optional for plan in plans),
        )

    def _check_tags(self, classes: tuple[type, ...], path: str) -> None:
        for cls in classes:
            if has_field(cls, TAG_KEY):
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
        fields = self.fields_of(cls, path)
        # Added before going down, for classes that contain themselves.
        self._checked.add(cls)
        try:
            for one in fields.values():
                below = join(path, one.key)
                for inner in _classes_within(one.plan):
                    self._check(inner, below)
                _check_default(one, below)
                check_links(fields, one, below, self.fields_of)
        except SchemaError:
            self._checked.discard(cls)
            raise


def _of_leaf(leaf: Leaf) -> Plan:
    return Plan(leaf.expected, leaves=(leaf,))


def _of_mapping(mapping: Dictionary | Choice) -> Plan:
    return Plan(mapping.expected, mapping=mapping)


def _classes_within(plan: Plan) -> list[type]:
    if isinstance(plan.mapping, Choice):
        found = list(plan.mapping.classes)
    else:
        found = [] if plan.mapping is None else _classes_within(plan.mapping.value)
    inside = () if plan.sequence is None else plan.sequence.plans
    return found + [cls for item in inside for cls in _classes_within(item)]


def _check_default(field: Field, path: str) -> None:
    cls = type(field.default)
    if isinstance(field.plan.mapping, Choice) and is_class(cls) and not is_frozen(cls):
        raise SchemaError(
            f"{path}: the default is an instance of {cls.__name__}, which can be changed, and "
            f"every config would share it; use factory={cls.__name__}, or freeze the class"
        )
