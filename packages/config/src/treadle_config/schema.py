"""From declared types to plans; what cannot serve is found here, with the field's path."""

import contextlib
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import NOTHING

from treadle_config.annotations import declared_types
from treadle_config.constructors import check_constructor
from treadle_config.declared_defaults import check_default
from treadle_config.errors import SchemaError
from treadle_config.fields import Field, Fields, fields_of, is_class
from treadle_config.foreign import Foreign
from treadle_config.generics import (
    Given,
    Variables,
    assumed,
    bare,
    parameters_of,
    solved,
    variables_of,
)
from treadle_config.link_checks import check_links
from treadle_config.plans import Choice, Leaf, Plan
from treadle_config.tags import subclasses
from treadle_config.tree import join
from treadle_config.type_plans import TypePlans, check_tag_key

_SCALARS = frozenset({int, float, bool, str})
_DEEPEST = 10
"""A class within itself with other parameters, `Nest[list[T]]` within `Nest[T]`, has no end."""


class Schema:
    """Plans of types and classes, each made once.

    Attributes:
        has_secrets: Whether a field that was planned so far is secret.
    """

    def __init__(self, hooks: Mapping[type, Leaf], foreign: Foreign) -> None:
        self._types = TypePlans(hooks, foreign)
        self._names: Mapping[str, Any] = {}
        self._fields: dict[type, Fields] = {}
        self._roots: dict[type, Plan] = {}
        self._under_way: list[type] = []
        self.has_secrets = False

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
        origin = typing.get_origin(cls)
        if not is_class(origin or cls):
            given: object = cls
            way = "give an attrs class or a dataclass"
            if not isinstance(given, type):
                way += ", not an instance of one"
            elif given.__module__ != "builtins":
                way = "put @frozen of attrs, or @dataclass, above the class"
            raise SchemaError(f"{cls!r} is no schema: {way}")
        found = cls if origin is None else self._types.given(origin, typing.get_args(cls))
        self._check(found, "")
        if found not in self._roots:
            # The root is not polymorphic: a broken subclass of it somewhere harms nobody.
            self._roots[found] = Plan(found.__name__, mapping=Choice((found,), None))
        return self._roots[found]

    def fields_of(self, cls: type, path: str = "") -> Fields:
        """Plan the fields of one class, when it is first seen with all that it declares.

        Args:
            cls: The class, or what stands for a generic class with its parameters.
            path: Where it stands, for messages; its own name if that is empty.

        Raises:
            SchemaError: One of its fields cannot be planned.
        """
        planned = self._fields.get(cls)
        if planned is None:
            self._check(cls, path or cls.__name__)
            planned = self._fields[cls]
        return planned

    def fields_in(self, choice: Choice, cls: type) -> Fields:
        """Plan the fields of a class with the parameters that a choice gives it, if it does."""
        if choice.tag_key is not None and cls is not choice.only:
            check_tag_key(cls, "")
        return self.fields_of(self._chosen(choice, cls) or cls)

    def of_type(self, declared: Any, path: str = "") -> Plan:
        """Plan one type.

        Raises:
            SchemaError: Nobody reads such a type.
        """
        return self._types.of_type(declared, path)

    def knows(self, declared: Any) -> bool:
        """Whether a type is planned here, and not left to others."""
        return self._types.knows(declared)

    def alternatives(self, choice: Choice) -> dict[str, list[type]]:
        """The classes that a tag may choose, with subclasses defined since, by tag."""
        if choice.tag_key is None:
            return {"": list(choice.classes)}
        found = subclasses(map(bare, choice.classes))
        if any(isinstance(cls, Given) for cls in choice.classes):
            chosen = {
                tag: [one for cls in classes if (one := self._chosen(choice, cls)) is not None]
                for tag, classes in found.items()
            }
            return {tag: classes for tag, classes in chosen.items() if classes}
        return found

    def class_of(self, choice: Choice, tag: Any) -> type | None:
        """The one class that a tag chooses, if it chooses one; a tag in code may be the class.

        Without a tag, the one that is meant where no default says which.
        """
        if tag is None or tag is choice.only:
            return choice.only
        if isinstance(tag, type):
            return self._chosen(choice, tag)
        found = self.alternatives(choice).get(tag, []) if isinstance(tag, str) else ()
        return found[0] if len(found) == 1 else None

    def planned_classes(self, choice: Choice) -> list[Fields]:
        """The fields of all classes that may be chosen.

        A subclass that somebody defined badly elsewhere is left out: it is an error only for
        those who choose it.
        """
        if choice.only is not None and not type.__subclasses__(bare(choice.only)):
            return [self.fields_of(choice.only)]
        found = []
        for cls in (one for classes in self.alternatives(choice).values() for one in classes):
            with contextlib.suppress(SchemaError):
                found.append(self.fields_of(cls))
        return found

    def _chosen(self, choice: Choice, cls: Any) -> type | None:
        """A class with the parameters that a choice gives it; `None` if it is none of them."""
        if not isinstance(cls, type):
            return None
        one = next((one for one in choice.classes if issubclass(cls, one)), None)
        if one is None or isinstance(cls, Given) or not isinstance(one, Given):
            return cls if one is not None else None
        if one.of is cls:
            return one
        return self._types.given(cls, solved(cls, one)) if parameters_of(cls) else cls

    def _check(self, cls: type, path: str) -> None:
        """Plan everything that a class declares, and check its defaults and links."""
        if cls in self._fields:
            return
        under_way = self._under_way
        if len(under_way) > _DEEPEST and list(map(bare, under_way)).count(bare(cls)) > _DEEPEST:
            first = path.partition(".")[0]
            raise SchemaError(
                f"{first}: {bare(cls).__name__} contains itself with other parameters each time, "
                "without end; give it the same ones there, or declare another class"
            )
        fields = fields_of(bare(cls))
        check_constructor(fields, path)
        declared = declared_types(fields, _variables(cls), self._names, path)
        for one in fields.values():
            self._plan(fields.cls, one, declared[one.key], join(path, one.key))
        fields.sort_out()
        # Before going down, for classes that contain themselves.
        self._fields[cls] = fields
        self._under_way.append(cls)
        try:
            for one in fields.others:
                below = join(path, one.key)
                for inner in _classes_within(one.plan):
                    self._check(inner, below)
                if one.link is not None or one.linked is not None:
                    check_links(fields, one, below, self.fields_of)
        except SchemaError:
            del self._fields[cls]
            raise
        finally:
            self._under_way.pop()

    def _plan(self, cls: type, field: Field, declared: Any, path: str) -> None:
        if declared is NOTHING:
            raise SchemaError(
                f"{path}: {cls.__name__}.{field.name} has no type; "
                f"annotate it, as in `{field.name}: int`"
            )
        plan = field.plan = field.given = self._types.of_type(declared, path)
        if field.converter is not None and (taken := field.taken) is not NOTHING:
            field.given = self._types.of_type(taken, path)
        if field.linked is not None and isinstance(plan.mapping, Choice):
            # With the parameters that the field gives it, where it is generic.
            chosen: Any = self._chosen(plan.mapping, field.linked.cls)
            field.linked = field.linked if chosen is None else field.linked.replaced(cls=chosen)
        default = field.default
        if type(default) in _SCALARS and len(plan.leaves) == 1:
            # As most are; to ask the leaf at once is much faster.
            fits = plan.leaves[0].accepts(default)
        else:
            fits = default is NOTHING or (default is None and plan.optional)
        if not fits:
            check_default(field, cls, path)
        if field.setting.merge is not None:
            _check_merge(field, path)
        if field.setting.secret:
            # Imported here: most schemas have none.
            from treadle_config.secret_fields import check_secret

            check_secret(field, cls, path)
            self.has_secrets = True


def _classes_within(plan: Plan) -> list[type]:
    if isinstance(plan.mapping, Choice):
        found = list(plan.mapping.classes)
    else:
        found = [] if plan.mapping is None else _classes_within(plan.mapping.value)
    inside = () if plan.sequence is None else plan.sequence.plans
    return found + [cls for item in inside for cls in _classes_within(item)]


def _variables(cls: type) -> dict[type, Variables]:
    """What the type variables of a class and its bases are; empty where it is not generic."""
    if isinstance(cls, Given):
        return variables_of(cls.of, cls.arguments)
    if not hasattr(cls, "__orig_bases__"):
        return {}
    return variables_of(cls, [assumed(one) for one in parameters_of(cls)])


def _check_merge(field: Field, path: str) -> None:
    merge, expected = field.setting.merge, field.plan.expected
    if merge == "append" and field.plan.sequence is None:
        raise SchemaError(f'{path}: setting(merge="append") is for lists, not {expected}')
    if merge == "replace" and field.plan.mapping is None:
        raise SchemaError(f'{path}: setting(merge="replace") is for mappings, not {expected}')
