"""The fields of attrs classes and dataclasses, told in one way."""

import dataclasses
import inspect
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import attrs
from attrs import NOTHING, define, field

from treadle_config.links import Link, Linked, link_of, linked_of
from treadle_config.plans import Plan
from treadle_config.settings import Setting, setting_of


@define(eq=False)
class Field:
    """One field of a class.

    Attributes:
        name: The attribute.
        key: Its name in a config (for attrs its alias: `_lr` is `lr`).
        type: As it is annotated; may be text.
        default: Its default where that is a value, else `NOTHING`.
        factory: Makes its default from an instance that has the earlier fields, if anything does.
        computed: Whether the factory looks at the instance.
        attribute: What attrs knows of it; `None` in a dataclass.
        plan: What its value is; set by the schema.
        given: What is decoded for it: another plan where a converter says what it takes.
    """

    name: str
    key: str
    type: Any
    default: Any
    factory: Callable[[Any], Any] | None
    computed: bool
    attribute: "attrs.Attribute[Any] | None"
    setting: Setting
    link: Link | None
    linked: Linked | None
    plan: Plan = field(init=False)
    given: Plan = field(init=False)

    @property
    def required(self) -> bool:
        """Whether it has no default of any kind."""
        return self.default is NOTHING and self.factory is None

    @property
    def converter(self) -> Any:
        """What attrs puts a given value through, if anything."""
        return None if self.attribute is None else self.attribute.converter

    @property
    def taken(self) -> Any:
        """The declared type of what the converter takes, `NOTHING` where it does not say."""
        if self.converter is None or isinstance(self.converter, type):
            return NOTHING
        function = getattr(self.converter, "converter", self.converter)
        try:
            parameters = list(inspect.signature(function).parameters)
            return typing.get_type_hints(function).get(parameters[0], NOTHING)
        except (IndexError, NameError, TypeError, ValueError):
            return NOTHING

    def default_in(self, instance: Any) -> Any:
        """Make the default, which may look at an instance's earlier fields; else `NOTHING`."""
        return self.default if self.factory is None else self.factory(instance)

    def converted(self, value: Any, instance: Any) -> Any:
        """Put a value through the converter, as the constructor would."""
        converter: Any = self.converter
        if not isinstance(converter, attrs.Converter):
            return value if converter is None else converter(value)
        wrapped: Any = converter
        more = [instance] if wrapped.takes_self else []
        more += [self.attribute] if wrapped.takes_field else []
        return wrapped.converter(value, *more)


class Fields(dict[str, Field]):
    """The fields that a class takes in its constructor, by key, in order."""

    def __init__(self, cls: type, found: Iterable[Field]) -> None:
        super().__init__((one.key, one) for one in found)
        self.cls = cls


def is_class(candidate: Any) -> bool:
    """Whether something is an attrs class or a dataclass."""
    return isinstance(candidate, type) and (
        attrs.has(candidate) or dataclasses.is_dataclass(candidate)
    )


def fields_of(cls: type) -> Fields:
    """The fields of a class, not planned yet."""
    if attrs.has(cls):
        found = [_of_attrs(one) for one in attrs.fields(cls) if one.init]
    else:
        found = [_of_dataclass(one) for one in dataclasses.fields(cls) if one.init]
    return Fields(cls, found)


def has_field(cls: type, key: str) -> bool:
    """Whether a class takes a field of this name."""
    declared: Any = attrs.fields(cls) if attrs.has(cls) else dataclasses.fields(cls)
    return any(one.init and (getattr(one, "alias", None) or one.name) == key for one in declared)


def is_frozen(cls: type) -> bool:
    """Whether instances of a class refuse assignment."""
    if not attrs.has(cls):
        return bool(getattr(cls, "__dataclass_params__").frozen)  # noqa: B009
    if hasattr(attrs, "inspect"):  # attrs 26.1 and later
        return bool(attrs.inspect(cls).is_frozen)
    return cls.__setattr__.__name__ == "_frozen_setattrs"


def partial_instance(
    fields: Fields,
    values: Mapping[str, Any],
    *,
    without: Collection[str] = (),
    before: str | None = None,
) -> tuple[Any, dict[str, Exception]]:
    """Make an instance without its constructor, so that links and validators can look at it.

    Args:
        fields: The fields of the class.
        values: The decoded values of the fields that were given, by key.
        without: The keys of fields to leave unset, since what was given for them is bad.
        before: The key of the field to stop at; `None` goes through all.

    Returns:
        The instance, with as many fields set as could be, and for each field that was given
        or defaulted but could not be set, the exception of its converter or factory.
    """
    instance: Any = object.__new__(fields.cls)
    failed: dict[str, Exception] = {}
    for one in fields.values():
        if one.key == before:
            break
        if one.key in without:
            continue
        try:
            value = values[one.key] if one.key in values else one.default_in(instance)
            if value is not NOTHING:
                object.__setattr__(instance, one.name, one.converted(value, instance))
        except Exception as error:  # noqa: BLE001  # of the user's code, reported by the caller
            failed[one.key] = error
    return instance, failed


def _of_attrs(one: "attrs.Attribute[Any]") -> Field:
    default: Any = one.default
    factory = None
    computed = False
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class, typed as a function
        computed = default.takes_self
        factory = default.factory if computed else _without_instance(default.factory)
        default = NOTHING
    return Field(
        one.name,
        one.alias or one.name.lstrip("_"),
        one.type,
        default,
        factory,
        computed,
        one,
        setting_of(one.metadata),
        link_of(one.metadata),
        linked_of(one.metadata),
    )


def _of_dataclass(one: "dataclasses.Field[Any]") -> Field:
    default = NOTHING if one.default is dataclasses.MISSING else one.default
    made = one.default_factory
    factory = None if made is dataclasses.MISSING else _without_instance(made)
    metadata = setting_of(one.metadata)
    return Field(one.name, one.name, one.type, default, factory, False, None, metadata, None, None)


def _without_instance(factory: Callable[[], Any]) -> Callable[[Any], Any]:
    return lambda _instance: factory()
