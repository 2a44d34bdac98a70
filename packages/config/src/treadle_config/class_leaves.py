"""The leaves of classes that have a text form: paths, enums, times and exact numbers."""

import enum
import functools
import operator
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from treadle_config import scalars
from treadle_config.leaves import enum_leaf, is_a, is_int, member_text, reading, reason, text_of
from treadle_config.plans import Leaf
from treadle_config.scalars import Mismatch
from treadle_config.torch_leaves import torch_leaf

if TYPE_CHECKING:
    from pathlib import PurePath


def leaf_of(cls: type) -> Leaf | None:
    """The leaf of a class that has a text form; `None` if it has none."""
    if issubclass(cls, enum.Enum):
        if not cls.__members__:
            return None  # a base of enums: nothing says which of them is meant
        return _flag_leaf(cls) if issubclass(cls, enum.Flag) else enum_leaf(cls)
    # Only who has imported it can declare one; the same holds for those below.
    pathlib = sys.modules.get("pathlib")
    if pathlib is not None and issubclass(cls, pathlib.PurePath):
        name = "Path" if cls is pathlib.Path else cls.__name__
        return Leaf(name, _path_of(cls, pathlib.PurePath), is_a(cls), str)
    made = _OF_MODULES.get((cls.__module__, cls.__name__))
    if made is not None:
        return made(cls)
    parse = getattr(cls, "parse", None)
    if getattr(parse, "__self__", None) is cls and cls.__str__ is not object.__str__:
        return _text_leaf(cls, parse, str)  # type: ignore[arg-type]  # a bound classmethod
    return None


def _text_leaf(cls: type, parse: Callable[[str], Any], encode: Callable[[Any], Any]) -> Leaf:
    return Leaf(
        cls.__name__, reading(cls, lambda content: parse(text_of(content))), is_a(cls), encode
    )


def _path_of(cls: Any, any_path: type) -> Callable[[Any], "PurePath"]:
    """The text is not changed, and relative paths stay relative."""

    def decode(content: Any) -> "PurePath":
        made: PurePath = cls(content if isinstance(content, any_path) else text_of(content))
        return made

    return decode


def _exact_leaf(cls: type, ways: str) -> Leaf:
    """A number that is kept as it was written, without the rounding of a float."""
    from decimal import Decimal

    def parse(content: Any) -> Any:
        if isinstance(content, float):
            content = Decimal(repr(content))  # what a file would say
        elif not is_int(content):
            content = text_of(content)
            # Not the digits of other scripts, nor 1e9999999 of a Fraction, which takes minutes.
            exponent = cls is not Decimal and "e" in content.lower()
            if not content.isascii() or content != content.strip() or exponent:
                raise Mismatch(ways)
        try:
            return cls(content)
        except (ArithmeticError, ValueError):
            raise Mismatch(ways) from None

    return Leaf(cls.__name__, reading(cls, parse), is_a(cls), str)


def _moment_leaf(cls: Any) -> Leaf:
    """A date, a time or both, in the forms of ISO 8601 that python reads and writes."""
    import datetime as dt

    def accepts(value: Any) -> bool:
        return isinstance(value, cls) and (cls is not dt.date or not isinstance(value, dt.datetime))

    def decode(content: Any) -> Any:
        if accepts(content):
            return content
        if isinstance(content, dt.date | dt.time):  # as a file may have it: another of the three
            content = content.isoformat()
        try:
            return cls.fromisoformat(text_of(content))
        except ValueError as error:
            raise Mismatch(reason(error)) from None

    return Leaf(cls.__name__, decode, accepts, cls.isoformat)


def _duration_leaf(cls: type) -> Leaf:
    # Imported here, since its patterns take longer to compile than this module to load.
    from treadle_config.durations import duration_of, duration_text

    return _text_leaf(cls, duration_of, duration_text)


_OF_MODULES: dict[tuple[str, str], Callable[[type], Leaf]] = {
    ("datetime", "date"): _moment_leaf,
    ("datetime", "datetime"): _moment_leaf,
    ("datetime", "time"): _moment_leaf,
    ("datetime", "timedelta"): _duration_leaf,
    ("decimal", "Decimal"): lambda cls: _exact_leaf(cls, "write it as 0.1 or 1e-3"),
    ("fractions", "Fraction"): lambda cls: _exact_leaf(cls, "write it as 1/3 or 0.25"),
    ("uuid", "UUID"): lambda cls: _text_leaf(cls, cls, str),
    ("torch", "dtype"): torch_leaf,
    ("torch", "device"): torch_leaf,
}


def _flag_leaf(cls: type[enum.Flag]) -> Leaf:
    """Members of an enum of flags, by name with `|` between them, else by value."""

    def decode(content: Any) -> enum.Flag:
        if isinstance(content, cls):
            return content
        names = content.split("|") if isinstance(content, str) else [""]
        if all(name.strip() in cls.__members__ for name in names):
            members = [cls.__members__[name.strip()] for name in names]
            return functools.reduce(operator.or_, members)
        try:
            return cls(scalars.decode_int(content))
        except ValueError:
            raise Mismatch from None

    def encode(value: enum.Flag) -> Any:
        names = [str(member.name) for member in cls if member in value and member.value]
        return "|".join(names) if names and decode("|".join(names)) == value else value.value

    said = ", ".join(member_text(name, one.value) for name, one in cls.__members__.items())
    return Leaf(f"any of {said} with | between them", decode, is_a(cls), encode)
