"""The scalar types that can be declared, each with its text form."""

import datetime as dt
import enum
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

from treadle_config import scalars
from treadle_config.plans import Leaf
from treadle_config.scalars import Mismatch
from treadle_config.tree import NULL_WORDS, Plain, Verbatim


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_float(value: Any) -> bool:
    return isinstance(value, float) or _is_int(value)


def _is_exactly_float(value: Any) -> bool:
    return isinstance(value, float)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_str(value: Any) -> bool:
    return isinstance(value, str)


def _is_any(_value: Any) -> bool:
    return True


INT = Leaf("int", scalars.decode_int, _is_int)
FLOAT = Leaf("float", scalars.decode_float, _is_float)
BOOL = Leaf("bool", scalars.decode_bool, _is_bool, is_bool=True)
STR = Leaf("str", scalars.decode_str, _is_str, is_text=True)
ANYTHING = Leaf("any value", scalars.decode_anything, _is_any)

INT_BESIDE_FLOAT = Leaf("int", scalars.decode_integer_text, _is_int)
FLOAT_BESIDE_INT = Leaf("float", scalars.decode_float, _is_exactly_float)
BOOL_BESIDE_NUMBER = Leaf("bool", scalars.decode_bool_word, _is_bool, is_bool=True)


def path_leaf(cls: type[PurePath]) -> Leaf:
    """A path; the text is not changed, and relative ones stay relative."""

    def decode(content: Any) -> PurePath:
        if isinstance(content, PurePath):
            return cls(content)
        return cls(_text(content))

    def accepts(value: Any) -> bool:
        return isinstance(value, cls)

    return Leaf("Path" if cls is Path else cls.__name__, decode, accepts, str)


def enum_leaf(cls: type[enum.Enum]) -> Leaf:
    """A member of an enum, by name, else by value; it is written by name."""
    members = cls.__members__

    def decode(content: Any) -> enum.Enum:
        if isinstance(content, cls):
            return content
        if isinstance(content, str):
            if content in members:
                return members[content]
            for member in cls:
                if content == str(member.value):
                    return member
        else:
            for member in cls:
                if type(member.value) is type(content) and member.value == content:
                    return member
        raise Mismatch

    def encode(value: enum.Enum) -> str:
        return value.name

    return Leaf("one of " + ", ".join(members), decode, _instance_check(cls), encode)


def literal_leaf(options: tuple[Any, ...]) -> Leaf:
    """One of a few values; quoted text is text, plain text may be a number, a bool or null."""

    def decode(content: Any) -> Any:
        quoted = type(content) is str
        for option in options:
            if isinstance(option, str) and quoted and content == option:
                return option
        for option in options:
            if isinstance(option, str):
                if isinstance(content, str) and content == option:
                    return option
            elif _decodes_to(option, content):
                return option
        raise Mismatch

    def accepts(value: Any) -> bool:
        return any(type(value) is type(option) and value == option for option in options)

    def encode(value: Any) -> Any:
        return value.name if isinstance(value, enum.Enum) else value

    return Leaf("one of " + ", ".join(map(_option, options)), decode, accepts, encode)


def parsed_leaf(cls: type) -> Leaf:
    """A class with a classmethod `parse(str)` and its own `__str__`, which undoes it."""
    parse = cls.parse  # type: ignore[attr-defined]  # looked for by the caller
    return _text_leaf(cls, parse, str)


def datetime_leaf(cls: type[dt.date]) -> Leaf:
    """A date or a datetime in ISO 8601."""
    return _text_leaf(cls, cls.fromisoformat, cls.isoformat)


def fraction_leaf(cls: type) -> Leaf:
    """A fraction: `1/3`, `0.25`, or an int."""

    def parse(text: str) -> Any:
        if not text.isascii() or text != text.strip() or "e" in text.lower():
            raise Mismatch("write it as 1/3 or 0.25")
        return cls(text)

    leaf = _text_leaf(cls, parse, str)
    of_text = leaf.decode

    def decode(content: Any) -> Any:
        return cls(content) if _is_int(content) else of_text(content)

    leaf.decode = decode
    return leaf


def hook_leaf(cls: type, encode: Callable[[Any], Any], decode: Callable[[Any], Any]) -> Leaf:
    """A type that the user registered."""

    def decode_or_say(content: Any) -> Any:
        if isinstance(content, cls):
            return content
        try:
            return decode(str(content) if isinstance(content, Plain | Verbatim) else content)
        except Mismatch:
            raise
        except Exception as error:
            raise Mismatch(reason(error)) from error

    return Leaf(cls.__name__, decode_or_say, _instance_check(cls), encode)


def has_text_form(cls: type) -> bool:
    """Whether a class has a classmethod `parse` and its own `__str__`."""
    parse = getattr(cls, "parse", None)
    return (
        callable(parse)
        and getattr(parse, "__self__", None) is cls
        and (cls.__str__ is not object.__str__)
    )


def reason(error: BaseException) -> str:
    """What an exception of someone else's code says, in one line."""
    # attrs validators put the attribute and the value behind the message.
    said = str(error.args[0]) if error.args else ""
    said = " ".join(said.split())
    return (
        said
        if isinstance(error, ValueError | TypeError) and said
        else (f"{type(error).__name__}: {said}" if said else type(error).__name__)
    )


def _text_leaf(cls: type, parse: Callable[[str], Any], encode: Callable[[Any], Any]) -> Leaf:
    def decode(content: Any) -> Any:
        if isinstance(content, cls):
            return content
        text = _text(content)
        try:
            return parse(text)
        except Mismatch:
            raise
        except Exception as error:
            raise Mismatch(reason(error)) from error

    return Leaf(cls.__name__, decode, _instance_check(cls), encode)


def _text(content: Any) -> str:
    if not isinstance(content, str) or (isinstance(content, Plain) and content in NULL_WORDS):
        raise Mismatch
    return str(content)


def _instance_check(cls: type) -> Callable[[Any], bool]:
    def accepts(value: Any) -> bool:
        return isinstance(value, cls)

    return accepts


def _decodes_to(option: Any, content: Any) -> bool:
    if option is None:
        return (
            content is None
            or (isinstance(content, Plain) and content in NULL_WORDS)
            or (isinstance(content, Verbatim) and content == "null")
        )
    if isinstance(option, enum.Enum):
        leaf = enum_leaf(type(option))
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


def _option(option: Any) -> str:
    if option is None:
        return "null"
    return option.name if isinstance(option, enum.Enum) else str(option)
