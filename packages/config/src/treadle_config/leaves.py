"""The scalar types that can be declared, each with its text form."""

import datetime as dt
import enum
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

from treadle_config import scalars
from treadle_config.plans import Leaf
from treadle_config.scalars import Mismatch, decode_anything
from treadle_config.tree import Plain, Verbatim, is_null, shown


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_a(*classes: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, classes)


INT = Leaf("int", scalars.decode_int, _is_int)
FLOAT = Leaf(
    "float", scalars.decode_float, lambda value: isinstance(value, float) or _is_int(value)
)
BOOL = Leaf("bool", scalars.decode_bool, _is_a(bool), is_bool=True)
STR = Leaf("str", scalars.decode_str, _is_a(str), is_text=True)
ANYTHING = Leaf("any value", decode_anything, lambda _value: True)

INT_BESIDE_FLOAT = Leaf("int", scalars.decode_integer_text, _is_int)
FLOAT_BESIDE_INT = Leaf("float", scalars.decode_float, _is_a(float))
BOOL_BESIDE_NUMBER = Leaf("bool", scalars.decode_bool_word, _is_a(bool), is_bool=True)


def union_of(found: list[Leaf]) -> tuple[Leaf, ...]:
    """Put what takes less text before what takes more: numbers, bools, others, str."""
    numbers = INT in found or FLOAT in found
    both = INT in found and FLOAT in found
    ranked: dict[Leaf, tuple[int, Leaf]] = {
        INT: (0, INT_BESIDE_FLOAT if both else INT),
        FLOAT: (1, FLOAT_BESIDE_INT if both else FLOAT),
        BOOL: (2, BOOL_BESIDE_NUMBER if numbers else BOOL),
        STR: (4, STR),
        ANYTHING: (5, ANYTHING),
    }
    pairs = sorted((ranked.get(leaf, (3, leaf)) for leaf in found), key=lambda pair: pair[0])
    return tuple(leaf for _, leaf in pairs)


def leaf_of(cls: type) -> Leaf | None:
    """The leaf of a class that has a text form; `None` if it has none."""
    if issubclass(cls, enum.Enum):
        return _enum_leaf(cls)
    if issubclass(cls, PurePath):
        return Leaf("Path" if cls is Path else cls.__name__, _path_of(cls), _is_a(cls), str)
    if cls in (dt.date, dt.datetime):
        return _text_leaf(cls, cls.fromisoformat, cls.isoformat)
    if cls.__module__ == "fractions" and cls.__name__ == "Fraction":
        return _fraction_leaf(cls)
    parse = getattr(cls, "parse", None)
    if getattr(parse, "__self__", None) is cls and cls.__str__ is not object.__str__:
        return _text_leaf(cls, parse, str)  # type: ignore[arg-type]  # a bound classmethod
    return None


def literal_leaf(options: tuple[Any, ...]) -> Leaf:
    """One of a few values; quoted text is text, plain text may be a number, a bool or null."""

    def decode(content: Any) -> Any:
        quoted = type(content) is str and content in options
        for option in options:
            text = isinstance(option, str)
            if option == content if text or quoted else _decodes_to(option, content):
                return option
        raise Mismatch

    def accepts(value: Any) -> bool:
        return any(type(value) is type(option) and value == option for option in options)

    def encode(value: Any) -> Any:
        return value.name if isinstance(value, enum.Enum) else value

    def said(value: Any) -> str:
        if isinstance(value, enum.Enum):
            return _member_text(value.name, value.value)
        return "null" if value is None else str(value)

    return Leaf("one of " + ", ".join(map(said, options)), decode, accepts, encode)


def hook_leaf(cls: type, encode: Callable[[Any], Any], decode: Callable[[Any], Any]) -> Leaf:
    """A type that the user registered: text as it was written, all else as python has it."""

    def read(content: Any) -> Any:
        text = isinstance(content, Plain | Verbatim)
        return decode(str(content) if text else decode_anything(content))

    return Leaf(cls.__name__, _reading(cls, read), _is_a(cls), encode)


def reason(error: BaseException) -> str:
    """What an exception of someone else's code says, in one line."""
    # attrs validators put the attribute and the value behind the message.
    said = " ".join(str(error.args[0]).split()) if error.args else ""
    if said and isinstance(error, ValueError | TypeError):
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _reading(cls: type, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A decoder that leaves instances alone, and tells what someone else's code raises."""

    def decode(content: Any) -> Any:
        if isinstance(content, cls):
            return content
        try:
            return read(content)
        except Mismatch:
            raise
        except Exception as error:
            raise Mismatch(reason(error)) from error

    return decode


def _text_leaf(cls: type, parse: Callable[[str], Any], encode: Callable[[Any], Any]) -> Leaf:
    return Leaf(
        cls.__name__, _reading(cls, lambda content: parse(_text(content))), _is_a(cls), encode
    )


def _path_of(cls: type[PurePath]) -> Callable[[Any], PurePath]:
    """The text is not changed, and relative paths stay relative."""

    def decode(content: Any) -> PurePath:
        return cls(content if isinstance(content, PurePath) else _text(content))

    return decode


def _fraction_leaf(cls: type) -> Leaf:
    def parse(content: Any) -> Any:
        if _is_int(content):
            return cls(content)
        text = _text(content)
        if not text.isascii() or text != text.strip() or "e" in text.lower():
            raise Mismatch("write it as 1/3 or 0.25")
        return cls(text)

    return Leaf(cls.__name__, _reading(cls, parse), _is_a(cls), str)


def _enum_leaf(cls: type[enum.Enum]) -> Leaf:
    """A member of an enum, by name, else by value; it is written by name."""

    def decode(content: Any) -> enum.Enum:
        if isinstance(content, cls):
            return content
        if isinstance(content, str) and content in cls.__members__:
            return cls.__members__[content]
        for member in cls:
            value = str(member.value) if isinstance(content, str) else member.value
            same_kind = isinstance(content, str) or type(value) is type(content)
            if same_kind and value == content:
                return member
        raise Mismatch

    said = (_member_text(name, member.value) for name, member in cls.__members__.items())
    return Leaf("one of " + ", ".join(said), decode, _is_a(cls), lambda member: member.name)


def _text(content: Any) -> str:
    if not isinstance(content, str) or is_null(content):
        raise Mismatch
    return str(content)


def _member_text(name: str, value: Any) -> str:
    """A name of an enum, with the value that is taken as well."""
    simple = isinstance(value, str | int | float) and str(value) != name
    return f"{name} ({shown(Verbatim(value), 20)})" if simple else name


def _decodes_to(option: Any, content: Any) -> bool:
    if option is None:
        return is_null(content) or (isinstance(content, Verbatim) and content == "null")
    if isinstance(option, enum.Enum):
        leaf = _enum_leaf(type(option))
    elif isinstance(option, bool):
        leaf = BOOL
    elif isinstance(option, int):
        leaf = INT
    else:  # bytes: nothing writes them
        return bool(content == option)
    try:
        return bool(leaf.decode(content) == option)
    except Mismatch:
        return False
