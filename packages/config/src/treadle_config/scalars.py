"""Strict scalars: one decoding by declared type, the same from every source.

Text is matched by our own patterns, since python's `int()` and `float()` also take digits of
other scripts, surrounding blanks, and the word `infinity`.
"""

import contextlib
import math
import operator
import re
from collections.abc import Sequence
from typing import Any

from treadle_config.errors import Problem
from treadle_config.tree import DEFAULT, Plain, Unreadable, Verbatim, is_null, value_of

_DIGITS = r"[0-9](?:_?[0-9])*"
_INTEGER = re.compile(rf"[+-]?{_DIGITS}")
_NUMBER = re.compile(
    rf"[+-]?(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE](?P<exponent>[+-]?[0-9]+))?"
)
_OCTAL = re.compile(r"[+-]?0_?[0-9][0-9_]*")
_NO_OCTAL = "some readers take a leading 0 to mean octal; leave the 0 out"
_NOT_ZERO = re.compile(r"[^eE]*[1-9]")
_NOT_FINITE = re.compile(r"[+-]?\.?inf|\.?nan", re.IGNORECASE)
_LARGEST_EXPONENT = 400
"""`int(Decimal("1e9999999"))` would run for minutes; no float reaches beyond 308."""
_MOST_DIGITS = 4000
"""Python itself refuses to write an int of more than 4300."""

_TRUE_WORDS = frozenset({"true", "yes", "on", "1"})
FALSE_WORDS = frozenset({"false", "no", "off", "0"})
BOOL_WORDS = _TRUE_WORDS | FALSE_WORDS


class Mismatch(Exception):
    """A value does not fit its type.

    The hint, if any, says more than the type does. Where the value is a whole that someone
    else reads, `within` are the problems of its parts, by paths that begin at it.
    """

    def __init__(self, hint: str = "", within: Sequence[Problem] = ()) -> None:
        super().__init__(hint)
        self.hint = hint
        self.within = within


def decode_int(content: Any) -> int:
    """Read an int: `32`, `32.0`, `1e3`, `1_000`, never `32.7` or a bool."""
    if type(content) is int:
        return content
    if isinstance(content, str):
        return _int_of_text(content)
    if isinstance(content, float) and content.is_integer():
        return int(content)
    if isinstance(content, bool):
        raise Mismatch
    try:
        return operator.index(content)
    except TypeError:
        raise Mismatch from None


def decode_integer_text(content: Any) -> int:
    """Read an int beside a float in a union: `1.0` and `1e3` are the float's."""
    if isinstance(content, float) or (isinstance(content, str) and not _INTEGER.fullmatch(content)):
        raise Mismatch
    return decode_int(content)


def decode_float(content: Any) -> float:
    """Read a float: any number, `inf` and `nan`, never a bool."""
    if type(content) is float:
        return content
    if isinstance(content, str):
        if not _NUMBER.fullmatch(content):
            if not _NOT_FINITE.fullmatch(content):
                raise Mismatch
            return float(content.replace(".", ""))
        if content[0] in "0+-" and _OCTAL.fullmatch(content):
            raise Mismatch(_NO_OCTAL)
    elif isinstance(content, float):
        return float(content)
    elif isinstance(content, bool) or not isinstance(content, int):
        raise Mismatch
    try:
        number = float(content)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise Mismatch("too large for a float; write inf to mean infinity")
    if number == 0 and isinstance(content, str) and _NOT_ZERO.match(content):
        raise Mismatch("too small for a float; write 0 to mean zero")
    return number


def decode_bool(content: Any) -> bool:
    """Read a bool: `True`, `1`, or one of the eight words, whatever their case."""
    if isinstance(content, bool):
        return content
    if isinstance(content, int) and content in (0, 1):
        return bool(content)
    if isinstance(content, str):
        word = content.lower()
        if word in BOOL_WORDS:
            return word in _TRUE_WORDS
    raise Mismatch("write true or false")


def decode_bool_word(content: Any) -> bool:
    """Read a bool beside a number in a union: `1` and `0` are the number's."""
    if isinstance(content, bool) or (isinstance(content, str) and content not in ("0", "1")):
        return decode_bool(content)
    raise Mismatch


def decode_str(content: Any) -> str:
    """Read text as it was written; only a plain null in a file is not text."""
    if type(content) is str:
        return content
    if not isinstance(content, str):
        raise Mismatch
    if is_null(content):
        raise Mismatch(f'write "{content}" in quotes to mean the text')
    return str(content)


def decode_anything(content: Any) -> Any:
    """Read a value of no declared type: what plain text says by YAML 1.2's core schema.

    On the command line and in variables, what is a JSON list or object is one.
    """
    if isinstance(content, Verbatim) and content[:1] in ("[", "{"):
        from treadle_config.json_reader import read_json

        with contextlib.suppress(Unreadable):
            content = read_json(content, lambda _line: DEFAULT).content
    return value_of(content, _guessed)


def _guessed(content: Any) -> Any:
    if not isinstance(content, Plain | Verbatim):
        return content
    if is_null(content) or content == "null":
        return None
    if content.lower() in ("true", "false"):
        return content.lower() == "true"
    for decode in (decode_integer_text, decode_float):
        try:
            return decode(content)
        except Mismatch:
            continue
    return str(content)


def _int_of_text(text: str) -> int:
    digits = text.isascii() and text.isdecimal()  # as most are; a pattern takes longer
    if len(text) <= _MOST_DIGITS and (digits or _INTEGER.fullmatch(text)):
        if text[0] in "0+-" and _OCTAL.fullmatch(text):
            raise Mismatch(_NO_OCTAL)
        return int(text)
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise Mismatch
    if len(text) > _MOST_DIGITS or abs(int(found["exponent"] or 0)) > _LARGEST_EXPONENT:
        raise Mismatch("too large")
    # Not through float: int(float("1e23")) is 99999999999999991611392.
    from decimal import Decimal

    number = Decimal(text)
    if number != number.to_integral_value():
        raise Mismatch
    return int(number)
