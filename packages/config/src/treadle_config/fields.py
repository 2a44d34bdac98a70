"""The fields of attrs classes and dataclasses, told in one way."""

import inspect
import typing
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs
from attrs import NOTHING

from treadle_config.links import Link, Linked, link_of, linked_of
from treadle_config.plans import Plan
from treadle_config.settings import Setting, setting_of
from treadle_config.tree import Node

if TYPE_CHECKING:
    import dataclasses

_NO_SETTING = Setting()


class Field:
    """One field of a class.

    Attributes:
        name: The attribute.
        key: Its name in a config (for attrs its alias: `_lr` is `lr`).
        type: As it is annotated; may be text.
        default: Its default where that is a value, else `NOTHING`.
        factory: Makes its default, if anything does.
        computed: Whether the factory is given an instance, with the earlier fields.
        attribute: What attrs knows of it; `None` in a dataclass.
        converter: What attrs puts a given value through, if anything.
        plan: What its value is; set by the schema.
        given: What is decoded for it: another plan where a converter says what it takes.
        default_node: The tree of a default that is a value, once it has been asked for.
        refresh: Makes such a default anew, once it has been asked for.
    """

    plan: Plan
    given: Plan

    def __init__(  # noqa: PLR0917
        self,
        name: str,
        key: str,
        type: Any,
        default: Any,
        factory: Callable[..., Any] | None,
        computed: bool,  # noqa: FBT001  # made in two places, both here
        attribute: "attrs.Attribute[Any] | None",
        setting: Setting,
        link: Link | None,
        linked: Linked | None,
    ) -> None:
        self.name = name
        self.key = key
        self.type = type
        self.default = default
        self.factory = factory
        self.computed = computed
        self.attribute = attribute
        self.converter: Any = None if attribute is None else attribute.converter
        self.setting = setting
        self.link = link
        self.linked = linked
        self.default_node: Node | None = None
        self.refresh: Callable[[], Any] | None = None

    @property
    def required(self) -> bool:
        """Whether it has no default of any kind."""
        return self.default is NOTHING and self.factory is None

    @property
    def is_plain(self) -> bool:
        """Whether it is a scalar and nothing more: no link, converter or secret."""
        return (
            self.given is self.plan
            and self.plan.is_scalar
            and not self.plan.is_open
            and self.link is None
            and self.linked is None
            and self.converter is None
            and not self.setting.secret
        )

    @cached_property
    def is_shareable(self) -> bool:
        """Whether its default is one that all configs may hold, since nothing in it changes."""
        return self.default is not NOTHING and is_unchangeable(self.default)

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
        if self.factory is None:
            return self.default
        return self.factory(instance) if self.computed else self.factory()

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
    """The fields that a class takes in its constructor, by key, in order.

    Attributes:
        cls: The class.
        decoders: How the fields that are plain scalars are read, by key; most fields are.
        others: The fields that are not, in order.
        required: The plain scalars that have no default.
        factories: The fields whose factory gives the value as it is, till each has once been seen
            to give what it should.
        computed: The fields whose link or decorated default gives the value as it is.
        has_secrets: Whether any of them is secret.
    """

    def __init__(self, cls: type, found: Iterable[Field]) -> None:
        super().__init__((one.key, one) for one in found)
        self.cls = cls
        self.decoders: dict[str, Callable[[Any], Any]] = {}
        self.others: list[Field] = []
        self.required: list[Field] = []
        self.factories: list[Field] = []
        self.computed: list[Field] = []
        self.has_secrets = False

    def sort_out(self) -> None:
        """Find what every load asks for, once each field has its plan."""
        for key, one in self.items():
            if one.is_plain:
                self.decoders[key] = one.plan.read
                if one.required:
                    self.required.append(one)
            else:
                self.others.append(one)
            if one.factory is not None and one.converter is None and one.linked is None:
                (self.computed if one.computed else self.factories).append(one)
            self.has_secrets = self.has_secrets or one.setting.secret

    def seen_without(self, given: Container[str]) -> None:
        """Note that the factories of fields that were not given have made what they should."""
        left = [one for one in self.factories if one.key in given]
        if len(left) < len(self.factories):
            self.factories = left


def is_class(candidate: Any) -> bool:
    """Whether something is an attrs class or a dataclass."""
    # Not attrs.has, which looks for generic aliases as well: they are no classes.
    return isinstance(candidate, type) and (
        hasattr(candidate, "__attrs_attrs__") or hasattr(candidate, "__dataclass_fields__")
    )


def fields_of(cls: type) -> Fields:
    """The fields of a class, not planned yet."""
    made: Callable[[Any], Field] = _of_attrs if attrs.has(cls) else _of_dataclass
    return Fields(cls, [made(one) for one in declared_by(cls) if one.init])


def owner_of(field: Field, cls: type) -> type:
    """The class that declares a field of a class: itself or one of its bases."""
    attribute: Any = field.attribute
    if attribute is not None:
        if not attribute.inherited:
            return cls
        for base in cls.__mro__[1:]:
            found = getattr(base.__dict__.get("__attrs_attrs__"), field.name, None)
            if found is not None and not found.inherited:
                return base
        return cls
    of_cls: Any = cls
    own = of_cls.__dataclass_fields__[field.name]
    # A dataclass takes over the very objects of its bases.
    holds = [
        base
        for base in cls.__mro__
        if base.__dict__.get("__dataclass_fields__", {}).get(field.name) is own
    ]
    return holds[-1]


def has_field(cls: type, key: str) -> bool:
    """Whether a class takes a field of this name."""
    for one in declared_by(cls):
        if (getattr(one, "alias", None) or one.name) == key and one.init:
            return True
    return False


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


def is_unchangeable(value: Any) -> bool:
    """Whether configs may share a value: nothing in it can be changed, as far as is known."""
    if is_class(type(value)):
        return is_frozen(type(value)) and all(
            is_unchangeable(getattr(value, one.name, None)) for one in declared_by(type(value))
        )
    if isinstance(value, tuple | frozenset):
        return all(map(is_unchangeable, value))
    # What else there is would be shared by every default of its class anyway.
    return not isinstance(value, dict | list | set | bytearray)


def declared_by(cls: type) -> Any:
    """The fields of a class as attrs or dataclasses know them."""
    if attrs.has(cls):
        return attrs.fields(cls)
    import dataclasses

    return dataclasses.fields(cls)


def _of_attrs(one: "attrs.Attribute[Any]") -> Field:
    default: Any = one.default
    factory = None
    computed = False
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class, typed as a function
        computed = default.takes_self
        factory = default.factory
        default = NOTHING
    metadata = one.metadata
    return Field(
        one.name,
        one.alias or one.name.lstrip("_"),
        one.type,
        default,
        factory,
        computed,
        one,
        setting_of(metadata) if metadata else _NO_SETTING,
        link_of(metadata) if metadata else None,
        linked_of(metadata) if metadata else None,
    )


def _of_dataclass(one: "dataclasses.Field[Any]") -> Field:
    import dataclasses

    default = NOTHING if one.default is dataclasses.MISSING else one.default
    made: Any = one.default_factory
    factory = None if made is dataclasses.MISSING else made
    metadata = setting_of(one.metadata)
    return Field(one.name, one.name, one.type, default, factory, False, None, metadata, None, None)
