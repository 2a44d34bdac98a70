"""What the class of an object says of its values: an attrs class or a dataclass, as a config is one."""

import dataclasses
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    NewType,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs

__all__ = [
    "MASK",
    "UNDECLARED",
    "Declaration",
    "DeclaredValue",
    "as_declared",
    "declared_values",
    "element_type",
    "is_declared",
    "reads_as_number",
    "tag_of",
]

Declaration: TypeAlias = Any  # a type, as an annotation has it
UNDECLARED: Declaration = Any
MASK = "***"

_NUMBERS = frozenset({int, float, bool, types.NoneType})
# Without what is a name more often: 007, 1_000, nan, inf.
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,16})")
_FLOAT = re.compile(r"[+-]?((0|[1-9][0-9]*)?\.[0-9]+|(0|[1-9][0-9]*)\.?)([eE][+-]?[0-9]{1,3})?")
# The annotations that are worth reading where the rest of a class's cannot be.
_WORDS: Mapping[str, Declaration] = {
    "float": float,
    "int": int,
    "str": str,
    "bool": bool,
    "float | None": float | None,
    "int | None": int | None,
    "str | None": str | None,
    "Optional[float]": float | None,
    "Optional[int]": int | None,
    "Optional[str]": str | None,
}


@attrs.frozen
class DeclaredValue:
    """The value of a field, by the name under which the class takes it."""

    name: str
    value: Any = attrs.field(repr=False)
    declared: Declaration
    is_secret: bool


def is_declared(value: object) -> bool:
    """Whether `value` is an instance of an attrs class or a dataclass."""
    kind = type(value)
    return hasattr(kind, "__attrs_attrs__") or hasattr(kind, "__dataclass_fields__")


def declared_values(instance: Any) -> Iterator[DeclaredValue]:
    """The values of the fields that the class of `instance` takes, in order, each with its declared type.

    The name is the one under which the class takes it: `_lr` of an attrs class is `lr`. A field that was never set is
    left out. One is secret whose metadata say so: `{"secret": True}`, or an object with a true attribute `secret`, such
    as `treadle_config.setting(secret=True)` puts there.
    """
    cls = type(instance)
    is_attrs = hasattr(cls, "__attrs_attrs__")
    fields: Sequence[Any] = attrs.fields(cls) if is_attrs else dataclasses.fields(instance)
    types_by_name = _hints(cls)
    for field in fields:
        if not field.init or not hasattr(instance, field.name):
            continue
        given = types_by_name.get(field.name, field.type)
        if isinstance(given, str):
            given = _WORDS.get(given, UNDECLARED)
        yield DeclaredValue(
            name=getattr(field, "alias", None) or field.name,
            value=getattr(instance, field.name),
            declared=UNDECLARED if given is None else given,
            is_secret=_is_secret(field.metadata),
        )


def _hints(cls: type) -> dict[str, Declaration]:
    try:
        return get_type_hints(cls, include_extras=True)
    except Exception:  # noqa: BLE001  # annotations are the user's code; a name under TYPE_CHECKING is not there
        return {}


def _is_secret(metadata: Mapping[Any, Any]) -> bool:
    if metadata.get("secret"):
        return True
    return any(getattr(one, "secret", None) is True for one in metadata.values())


def tag_of(value: Any, declared: Declaration) -> str | None:
    """What tells the class of `value` where its field could have held another: the class's name in lower case.

    `treadle_config.setting(tag=…)` gives a class another. None where the field is declared as just this class.
    """
    cls = type(value)
    choices = [one for one in _choices(declared) if one is not types.NoneType]
    if [get_origin(one) or one for one in choices] == [cls]:
        return None
    return str(cls.__dict__.get("__treadle_config_tag__", cls.__name__.lower()))


def _choices(declared: Declaration) -> tuple[Declaration, ...]:
    """The types of which a declared one is a union, without what only decorates them."""
    if isinstance(declared, NewType):
        return _choices(declared.__supertype__)
    origin: Any = get_origin(declared)
    if origin in {Annotated, Final, ClassVar}:
        return _choices(get_args(declared)[0])
    if origin in {Union, types.UnionType}:
        return tuple(choice for one in get_args(declared) for choice in _choices(one))
    return (declared,)


def element_type(declared: Declaration, index: int | None = None) -> Declaration:
    """The declared type of what is at `index` of a list or tuple, or of the values of a mapping."""
    for choice in _choices(declared):
        origin: Any = get_origin(choice)
        arguments = get_args(choice)
        if not isinstance(origin, type) or not arguments:
            continue
        if index is None:
            if issubclass(origin, Mapping):
                return arguments[-1]
        elif issubclass(origin, tuple) and arguments[-1] is not Ellipsis:
            return arguments[index] if index < len(arguments) else UNDECLARED
        elif not issubclass(origin, Mapping):
            return arguments[0]
    return UNDECLARED


def reads_as_number(text: str) -> bool:
    """Whether somebody who wrote `text` meant a number: `1e-3` and `32`, but not `007`, `1_000` or `nan`."""
    return bool(_INTEGER.fullmatch(text) or (_FLOAT.fullmatch(text) and isfinite(float(text))))


def as_declared(value: Any, declared: Declaration) -> Any:
    """`value` as a number, where only numbers are declared and it is a text of one; an integer as the declared float.

    Anything else is what it was: `"1e-3"` in a field of `float`, or of `float | None`, becomes 0.001, but not in one of
    `str`, of `float | str`, or of nothing that is known.
    """
    if not isinstance(value, str | int) or isinstance(value, bool):
        return value
    choices = set(_hashable(_choices(declared)))
    if not choices <= _NUMBERS:
        return value
    number: Any = value
    if isinstance(value, str):
        text = value.strip()
        if int in choices and _INTEGER.fullmatch(text):
            number = int(text)
        elif float in choices and reads_as_number(text):
            number = float(text)
        else:
            return value
    if float in choices and int not in choices:
        try:
            # An integer that no double is stays exact.
            return float(number) if float(number) == number else number
        except OverflowError:
            return number
    return number


def _hashable(choices: Sequence[Declaration]) -> Iterator[Declaration]:
    for choice in choices:
        try:
            hash(choice)
        except TypeError:
            yield UNDECLARED
        else:
            yield choice
