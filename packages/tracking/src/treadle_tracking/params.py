"""Parameters as a run keeps them: plain typed values, nested as they were given."""

import os
from collections.abc import Iterator, Mapping, Sequence
from inspect import getattr_static
from typing import Any

from attrs import define, field, frozen

from treadle_tracking.declared import (
    MASK,
    UNDECLARED,
    Declaration,
    as_declared,
    declared_values,
    element_type,
    is_declared,
    reads_as_number,
    tag_of,
)
from treadle_tracking.entries import ParamValue
from treadle_tracking.errors import InvalidMapping, UnsupportedParam, seen
from treadle_tracking.functions import is_function, reference

__all__ = ["GivenParams", "flatten", "given_params", "joined", "plain", "plain_params"]

_NO_LISTS = (bytes, bytearray, memoryview, range)
# By name, so that their modules are not imported for this.
_NAMESPACES = {("argparse", "Namespace"), ("types", "SimpleNamespace")}
_DATES = {("datetime", "date"), ("datetime", "time")}  # and so `datetime`
_EXACT_TEXTS = {
    ("datetime", "timedelta"),
    ("decimal", "Decimal"),
    ("fractions", "Fraction"),
    ("uuid", "UUID"),
}


@frozen
class GivenParams:
    """Parameters, and what there is to do and to say about them."""

    values: dict[str, ParamValue]
    functions: tuple[tuple[str, Any], ...] = ()  # by dotted name: their sources are worth keeping
    doubtful: tuple[
        str, ...
    ] = ()  # dotted names of texts that read as numbers, of no declared type

    def notice(self, run: str) -> str | None:
        """A sentence about what is doubtful in the run of this name, if anything is."""
        if not self.doubtful:
            return None
        shown = ", ".join(
            f"{name!r} ({text!r})"
            for name, text in flatten(self.values).items()
            if name in self.doubtful[:5]
        )
        more = f" and {len(self.doubtful) - 5} more" if len(self.doubtful) > 5 else ""
        return (
            f"the run {run!r} has texts that read as numbers as parameters: {shown}{more}. One text makes TensorBoard "
            f"treat that parameter of every run as text: give numbers, such as float('1e-3'), or an attrs or dataclass "
            f"object, whose types say what is meant"
        )


def plain(value: Any, path: str, kind: str = "parameter") -> ParamValue:
    """`value` as the plain Python value that it stands for.

    A tuple is a list, a set a sorted one; a path is its text; a date is as in ISO 8601; a `Decimal`, `Fraction`, `UUID`
    or `timedelta`, and an object of a class with a class method `parse` and a `__str__` of its own, is its text; a numpy
    or zero-dimensional tensor scalar is its number, an array is nested lists. A function, class, `torch.dtype`,
    `torch.device` or member of an enumeration is its `reference`. An object of an attrs class or a dataclass is a
    mapping of the fields that it takes, a secret one `"***"`, with numbers as its class declares them; where it could
    have been of another class, `type` says of which it is. `path` is its dotted name and `kind` what it is, for messages.

    Raises:
        UnsupportedParam: it has no exact form in JSON.
    """
    return _Reading(kind).whole(value, path)


@define
class _Reading:
    kind: str
    functions: list[tuple[str, Any]] = field(factory=list)
    doubtful: list[str] = field(factory=list)

    def whole(self, value: Any, path: str) -> ParamValue:
        try:
            return self.plain(value, path, UNDECLARED)
        except RecursionError:
            raise UnsupportedParam(
                self.kind,
                path,
                "holds itself, or is nested hundreds of levels deep",
                "Give a tree of a few levels",
            ) from None

    def plain(self, value: Any, path: str, declared: Declaration) -> ParamValue:
        value = as_declared(value, declared)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            # The text itself, where `str` of a member of an enumeration is another.
            text = str.__str__(value)
            # A text that does not show itself is a secret, as one of a config that treadle_config has loaded.
            return MASK if repr(value) == repr(MASK) else text
        if isinstance(value, int):
            return self._integer(value, path)
        if isinstance(value, float):
            return float(value)
        if isinstance(value, Mapping):
            inner = element_type(declared)
            return {self.key(key, path): self._item(key, value[key], path, inner) for key in value}
        if isinstance(value, Sequence) and not isinstance(value, _NO_LISTS):
            return [
                self.plain(item, f"{path}[{index}]", element_type(declared, index))
                for index, item in enumerate(value)
            ]
        if isinstance(value, set | frozenset):
            inner = element_type(declared, 0)
            items = [self.plain(item, path, inner) for item in value]
            return sorted(items, key=_order)
        return self._other(value, path, declared)

    def _other(self, value: Any, path: str, declared: Declaration) -> ParamValue:
        if isinstance(value, os.PathLike):
            return os.fsdecode(value)
        text = _text(value)
        if text is not None:
            return text
        if is_declared(value):
            return self._object(value, path, declared)
        if _is_a(value, _NAMESPACES):
            return self.plain(vars(value), path, declared)
        text = reference(value)
        if text is not None:
            if is_function(value):
                self.functions.append((path, value))
            return text
        if callable(getattr(value, "tolist", None)):  # numpy's and torch's scalars and arrays
            plainer = value.tolist()
            if type(plainer) is not type(value):
                return self.plain(plainer, path, declared)
        raise UnsupportedParam(
            self.kind,
            path,
            f"is {seen(value)}",
            "Expected None, bool, int, float, str, a path, a function or class, an attrs or dataclass object, or lists "
            "and mappings of these: give str(...) of it",
        )

    def _integer(self, value: int, path: str) -> int:
        try:
            str(value)
        except ValueError:
            raise UnsupportedParam(
                self.kind,
                path,
                f"is an integer of {value.bit_length()} bits, more than Python writes in decimal",
                "Give it as a text in a base of your choice",
            ) from None
        return int(value)

    def _item(self, key: Any, value: Any, path: str, declared: Declaration) -> ParamValue:
        """What a mapping or an object has below a name."""
        name = f"{path}.{key}" if path else str(key)
        found = self.plain(value, name, declared)
        if declared is UNDECLARED and isinstance(found, str) and reads_as_number(found):
            self.doubtful.append(name)
        return found

    def _object(self, instance: Any, path: str, declared: Declaration) -> dict[str, ParamValue]:
        found: dict[str, ParamValue] = {}
        tag = tag_of(instance, declared) if path else None
        if tag is not None:
            found["type"] = tag
        for one in declared_values(instance):
            if one.is_secret and one.value is not None:
                found[one.name] = MASK
            else:
                found[one.name] = self._item(one.name, one.value, path, one.declared)
        return found

    def key(self, key: Any, path: str) -> str:
        if not isinstance(key, str) or not key:
            raise UnsupportedParam(
                self.kind, path, f"has the key {seen(key)}", "Keys are non-empty texts"
            )
        return str.__str__(key)


def _order(item: ParamValue) -> tuple[str, Any]:
    return type(item).__name__, item if isinstance(item, str | int | float) else repr(item)


def _is_a(value: object, names: set[tuple[str, str]]) -> bool:
    return any((one.__module__, one.__name__) in names for one in type(value).__mro__)


def _text(value: Any) -> str | None:
    """The text of a value that has an exact one."""
    if _is_a(value, _DATES):
        return str(value.isoformat())
    if _is_a(value, _EXACT_TEXTS):
        return str(value)
    cls: Any = type(value)
    reads = isinstance(getattr_static(cls, "parse", None), classmethod)
    return str(value) if reads and cls.__str__ is not object.__str__ else None


def given_params(values: Any) -> GivenParams:
    """Parameters as a run keeps them: of a mapping, or of an object of an attrs class or a dataclass.

    Raises:
        UnsupportedParam: one of them has no exact form, or two have one dotted name.
        InvalidMapping: they are none of these.
    """
    reading = _Reading("parameter")
    if isinstance(values, Mapping):
        # Each on its own, so that a message names the one that holds itself.
        params = {
            reading.key(key, ""): _checked(reading, key, item) for key, item in values.items()
        }
    elif is_declared(values) or _is_a(values, _NAMESPACES):
        whole = reading.whole(values, "")
        assert isinstance(whole, dict)
        params = whole
    else:
        raise InvalidMapping("params", values, "{'lr': 1e-3}, or an attrs or dataclass object")
    known: set[str] = set()
    for name, _ in _leaves(params, ""):
        if name in known:
            raise UnsupportedParam(
                "parameter",
                name,
                "is given twice, nested and with a dot in its key",
                "Give it once: other programs see only its dotted name",
            )
        known.add(name)
    # A list is shown as its JSON, whatever is in it.
    doubtful = tuple(name for name in reading.doubtful if name in known)
    return GivenParams(values=params, functions=tuple(reading.functions), doubtful=doubtful)


def _checked(reading: _Reading, key: str, value: Any) -> ParamValue:
    found = reading.whole(value, str(key))
    if isinstance(found, str) and reads_as_number(found):
        reading.doubtful.append(str(key))
    return found


def plain_params(values: Any) -> dict[str, ParamValue]:
    """The values of `given_params`, which it raises like."""
    return given_params(values).values


def _leaves(values: Mapping[str, ParamValue], prefix: str) -> Iterator[tuple[str, ParamValue]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def flatten(values: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
    """Parameters by dotted name: `{"optim": {"lr": 0.1}}` is `{"optim.lr": 0.1}`. A list is one value."""
    return dict(_leaves(values, ""))


def joined(
    earlier: Mapping[str, ParamValue], later: Mapping[str, ParamValue]
) -> dict[str, ParamValue]:
    """Earlier parameters with later ones in the place of those of their dotted names."""
    both = dict(earlier)
    for name, value in later.items():
        old = both.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            both[name] = joined(old, value)
        else:
            both[name] = value
    return both
