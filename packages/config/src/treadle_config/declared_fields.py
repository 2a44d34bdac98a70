"""The fields of attrs classes and dataclasses, told in one way."""

import dataclasses
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any

import attrs
from attrs import NOTHING, define

from treadle_config.links import Link, Linked, link_of, linked_of
from treadle_config.plans import Plan
from treadle_config.settings import Setting, setting_of


@define(eq=False)
class DeclaredField:
    """One field of a class, as the class declares it.

    `key` is its name in a config (for attrs its alias: `_lr` is `lr`), `name` the attribute's.
    """

    name: str
    key: str
    type: Any
    default: Any
    factory: Callable[..., Any] | None
    factory_takes_self: bool
    metadata: Mapping[Any, Any]
    attribute: "attrs.Attribute[Any] | None"


@define(eq=False)
class FieldPlan:
    """One field of a class, planned.

    `plan` is what the field's value is, `given` what is decoded for it: they differ where a
    converter says what it takes.
    """

    declared: DeclaredField
    plan: Plan
    given: Plan
    setting: Setting
    link: Link | None
    linked: Linked | None

    @property
    def key(self) -> str:
        """Its name in a config."""
        return self.declared.key

    @property
    def name(self) -> str:
        """Its name as an attribute."""
        return self.declared.name

    @property
    def required(self) -> bool:
        """Whether it has no default of any kind."""
        return self.declared.default is NOTHING and self.declared.factory is None

    @property
    def converter(self) -> Any:
        """What attrs puts a given value through, if anything."""
        return None if self.declared.attribute is None else self.declared.attribute.converter


@define(eq=False)
class ClassPlan:
    """A class and its fields, by their names in a config."""

    cls: type
    fields: dict[str, FieldPlan]


def is_class(candidate: Any) -> bool:
    """Whether something is an attrs class or a dataclass."""
    return isinstance(candidate, type) and (
        attrs.has(candidate) or dataclasses.is_dataclass(candidate)
    )


def declared_fields(cls: type) -> list[DeclaredField]:
    """List the fields that a class takes in its constructor, in order."""
    if attrs.has(cls):
        return [_of_attrs(one) for one in attrs.fields(cls) if one.init]
    return [_of_dataclass(one) for one in dataclasses.fields(cls) if one.init]


def is_frozen(cls: type) -> bool:
    """Whether instances of a class refuse assignment."""
    if not attrs.has(cls):
        return bool(getattr(cls, "__dataclass_params__").frozen)  # noqa: B009
    if hasattr(attrs, "inspect"):  # attrs 26.1 and later
        return bool(attrs.inspect(cls).is_frozen)
    return cls.__setattr__.__name__ == "_frozen_setattrs"


def converted(plan: FieldPlan, value: Any, instance: Any) -> Any:
    """Put a value through the field's converter, as the constructor would."""
    converter: Any = plan.converter
    if converter is None:
        return value
    if isinstance(converter, attrs.Converter):
        wrapped: Any = converter
        more = [instance] if wrapped.takes_self else []
        more += [plan.declared.attribute] if wrapped.takes_field else []
        return wrapped.converter(value, *more)
    return converter(value)


def default_value(plan: FieldPlan, instance: Any) -> Any:
    """Make a field's default, which may look at the instance's earlier fields.

    `NOTHING` where the field has none.
    """
    factory = plan.declared.factory
    if factory is None:
        return plan.declared.default
    return factory(instance) if plan.declared.factory_takes_self else factory()


def partial_instance(
    plan: ClassPlan,
    values: Mapping[str, Any],
    *,
    without: Collection[str] = (),
    before: str | None = None,
) -> tuple[Any, dict[str, Exception]]:
    """Make an instance without its constructor, so that links and validators can look at it.

    Args:
        plan: The class.
        values: The decoded values of the fields that were given, by key.
        without: The keys of fields to leave unset, since what was given for them is bad.
        before: The key of the field to stop at; `None` goes through all.

    Returns:
        The instance, with as many fields set as could be, and for each field that was given
        or defaulted but could not be set, the exception of its converter or factory.
    """
    instance: Any = object.__new__(plan.cls)
    failed: dict[str, Exception] = {}
    for field in plan.fields.values():
        if field.key == before:
            break
        if field.key in without:
            continue
        try:
            value = values[field.key] if field.key in values else default_value(field, instance)
            if value is not NOTHING:
                object.__setattr__(instance, field.name, converted(field, value, instance))
        except Exception as error:  # noqa: BLE001  # of the user's code, reported by the caller
            failed[field.key] = error
    return instance, failed


def planned(declared: DeclaredField, plan: Plan, given: Plan) -> FieldPlan:
    """Join a declared field and its plans."""
    metadata = declared.metadata
    return FieldPlan(
        declared, plan, given, setting_of(metadata), link_of(metadata), linked_of(metadata)
    )


def module_names(owner: Any) -> dict[str, Any]:
    """The global names that annotations of a class or a function were written among."""
    module = sys.modules.get(getattr(owner, "__module__", ""))
    return dict(vars(module)) if module is not None else {}


def _of_attrs(one: "attrs.Attribute[Any]") -> DeclaredField:
    default: Any = one.default
    factory = None
    takes_self = False
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class, typed as a function
        factory, takes_self, default = default.factory, default.takes_self, NOTHING
    alias = one.alias or one.name.lstrip("_")
    return DeclaredField(one.name, alias, one.type, default, factory, takes_self, one.metadata, one)


def _of_dataclass(one: "dataclasses.Field[Any]") -> DeclaredField:
    default = NOTHING if one.default is dataclasses.MISSING else one.default
    factory = None if one.default_factory is dataclasses.MISSING else one.default_factory
    return DeclaredField(one.name, one.name, one.type, default, factory, False, one.metadata, None)
