"""The leaves of scalars: what each takes, and what a union of some takes first."""

import contextlib
import enum
from collections.abc import Callable
from typing import Any

from treadle_config import scalars
from treadle_config.errors import SchemaError
from treadle_config.plans import Leaf, Plan
from treadle_config.scalars import Mismatch, decode_anything
from treadle_config.tree import (
    DEEPEST,
    Plain,
    Source,
    Verbatim,
    is_null,
    is_quoted,
    shown,
    too_deep,
)


def is_int(value: Any) -> bool:
    """Whether a value is an int, which python says of a bool, too."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_a(*classes: type) -> Callable[[Any], bool]:
    """A question: whether a value is an instance."""
    return lambda value: isinstance(value, classes)


INT = Leaf("int", scalars.decode_int, is_int)
FLOAT = Leaf("float", scalars.decode_float, lambda value: isinstance(value, float) or is_int(value))
BOOL = Leaf("bool", scalars.decode_bool, is_a(bool), is_bool=True)
STR = Leaf("str", scalars.decode_str, is_a(str), is_text=True)


def _written(value: Any, levels: int = 0) -> Any:
    """A value of no declared type, if a file can hold what is equal to it."""
    if levels > DEEPEST:
        raise too_deep(Source("code"))
    what, way = shown(value), "declare its type"
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {str.__str__(key): _written(child, levels + 1) for key, child in value.items()}
        what = "a mapping with keys that are not text"
    elif isinstance(value, list):
        return [_written(child, levels + 1) for child in value]
    elif value is None or isinstance(value, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            # A member of an IntEnum is a number, of which a file has no name.
            return kind.__str__(value) if kind is str else kind(value)
    if isinstance(value, tuple):
        way = "write it as a list, or declare its type"  # it would be read back as one
    raise SchemaError(
        f"{what} stands where any value may, so nothing says how to read it back; {way}"
    )


ANYTHING = Leaf("any value", decode_anything, lambda _value: True, _written, is_open=True)

_OWN = (INT, FLOAT, BOOL, STR, ANYTHING)

INT_BESIDE_FLOAT = Leaf("int", scalars.decode_integer_text, is_int)
FLOAT_BESIDE_INT = Leaf("float", scalars.decode_float, is_a(float))
BOOL_BESIDE_NUMBER = Leaf("bool", scalars.decode_bool_word, is_a(bool), is_bool=True)


def union_of(found: list[Leaf]) -> tuple[Leaf, ...]:
    """Put what takes less text before what takes more: numbers, bools, others, str."""
    # The text of a date is one of a datetime as well, and every text is one of a path.
    found.sort(key=lambda leaf: (leaf.expected.endswith("Path"), leaf.expected != "date"))
    numbers = INT in found or FLOAT in found
    both = INT in found and FLOAT in found
    # Written as text, they are quoted in a file as a str is.
    others = [leaf for leaf in found if leaf not in _OWN and not isinstance(leaf, _LiteralLeaf)]
    text = _text_of_kinds([*others, STR]) if others and STR in found else STR
    ranked: dict[Leaf, tuple[int, Leaf]] = {
        INT: (0, INT_BESIDE_FLOAT if both else INT),
        FLOAT: (1, FLOAT_BESIDE_INT if both else FLOAT),
        BOOL: (2, BOOL_BESIDE_NUMBER if numbers else BOOL),
        STR: (4, text),
        ANYTHING: (5, ANYTHING),
    }
    kept = [leaf for leaf in found if text is STR or leaf not in others]
    pairs = sorted((ranked.get(leaf, (3, leaf)) for leaf in kept), key=lambda pair: pair[0])
    return tuple(leaf for _, leaf in pairs)


def is_ambiguous(plan: Plan, value: Any) -> bool:
    """Whether a value is a text that would be read as another type of its union, such as a path."""
    if type(value) is not str or not plan.is_text or plan.leaves[-1] is STR:
        return False
    try:
        return type(plan.decode(value)) is not str
    except Mismatch:
        return False


def _text_of_kinds(found: list[Leaf]) -> Leaf:
    """Several kinds of text, such as `Mode | str`: the first that takes what is written."""

    def decode(content: Any) -> Any:
        for leaf in found:
            with contextlib.suppress(Mismatch):
                return leaf.decode(content)
        raise Mismatch

    def accepts(value: Any) -> bool:
        return any(leaf.accepts(value) for leaf in found)

    def encode(value: Any) -> Any:
        return next(leaf.encode(value) for leaf in found if leaf.accepts(value))

    return Leaf(" | ".join(leaf.expected for leaf in found), decode, accepts, encode, is_text=True)


class _LiteralLeaf(Leaf):
    """One of a few values, each of a type of its own."""

    __slots__ = ()


def literal_leaf(options: tuple[Any, ...]) -> Leaf:
    """One of a few values; quoted text is text, plain text may be a number, a bool or null."""

    def decode(content: Any) -> Any:
        quoted = is_quoted(content) and content in options
        for option in options:
            if isinstance(option, str) or quoted:
                fits = isinstance(content, str) and option == content
            else:
                fits = _decodes_to(option, content)
            if fits:
                return option
        raise Mismatch

    def accepts(value: Any) -> bool:
        return any(type(value) is type(option) and value == option for option in options)

    def encode(value: Any) -> Any:
        return value.name if isinstance(value, enum.Enum) else value

    def said(value: Any) -> str:
        if isinstance(value, enum.Enum):
            return member_text(value.name, value.value)
        return "null" if value is None else str(value)

    return _LiteralLeaf("one of " + ", ".join(map(said, options)), decode, accepts, encode)


def hook_leaf(cls: type, encode: Callable[[Any], Any], decode: Callable[[Any], Any]) -> Leaf:
    """A type that the user registered: text as it was written, all else as python has it."""
    if not isinstance(cls, type):
        raise TypeError(f"register({cls!r}, ...): give a class, then how to encode and decode it")
    for name, function in (("encode", encode), ("decode", decode)):
        if not callable(function):
            raise TypeError(f"register({cls.__name__}, {name}={function!r}): give a function")

    def read(content: Any) -> Any:
        text = isinstance(content, Plain | Verbatim)
        return decode(str(content) if text else decode_anything(content))

    return Leaf(cls.__name__, reading(cls, read), is_a(cls), encode, is_whole=True)


def reason(error: BaseException) -> str:
    """What an exception of someone else's code says, in one line."""
    # attrs validators put the attribute and the value behind the message.
    said = " ".join(str(error.args[0]).split()) if error.args else ""
    if said and isinstance(error, ValueError | TypeError):
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def reading(cls: type, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
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


def enum_leaf(cls: type[enum.Enum]) -> Leaf:
    """A member of an enum, by name, else by value; it is written by name."""
    members = dict(cls.__members__)

    def decode(content: Any) -> enum.Enum:
        if isinstance(content, cls):
            return content
        if isinstance(content, str) and content in members:
            return members[content]
        for member in cls:
            value = str(member.value) if isinstance(content, str) else member.value
            same_kind = isinstance(content, str) or type(value) is type(content)
            if same_kind and value == content:
                return member
        raise Mismatch

    said = (member_text(name, member.value) for name, member in members.items())
    return Leaf("one of " + ", ".join(said), decode, is_a(cls), lambda member: member.name)


def text_of(content: Any) -> str:
    """Text as it was written; a plain null is none."""
    if not isinstance(content, str) or is_null(content):
        raise Mismatch
    return str(content)


def member_text(name: str, value: Any) -> str:
    """A name of an enum, with the value that is taken as well."""
    simple = isinstance(value, str | int | float) and str(value) != name
    return f"{name} ({shown(Verbatim(value), 20)})" if simple else name


def _decodes_to(option: Any, content: Any) -> bool:
    if option is None:
        return is_null(content) or (isinstance(content, Verbatim) and content == "null")
    if isinstance(option, enum.Enum):
        leaf = enum_leaf(type(option))
    elif isinstance(option, bool):
        leaf = BOOL
    elif isinstance(option, int):
        leaf = INT
    else:  # bytes: nothing writes them
        return isinstance(content, bytes) and content == option
    try:
        return bool(leaf.decode(content) == option)
    except Mismatch:
        return False
