"""Reading texts such as `10 epochs | 2 h` into exact amounts, without knowing what they limit."""

from __future__ import annotations

from treadle_units.errors import InvalidAmount, MalformedLimit, MissingUnit, UnknownUnit
from treadle_units.value import Value
from treadle_units.vocabulary import COUNTER_PREFIX, LEGAL, SECONDS_IN, SPELLINGS, nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fractions import Fraction
    from re import Match
    from typing import Final

_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_AMOUNT = rf"""(?x)\s*
    (?P<number>{_DIGITS}(?:/{_DIGITS}|(?:\.{_DIGITS})?(?:[eE][+-]?[0-9]{{1,2}})?))
    \s*(?P<multiplier>[kKMG](?=\s*$|\s+[a-zA-Z]))?
    \s*(?P<unit>[^\W\d][\w:]*)?
    \s*"""
_MULTIPLIERS = {"k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9}
# Past what any run counts; it keeps a text from becoming a number that fills the memory.
_LONGEST_NUMBER = 400


class Amount(Value):
    """A number of a unit; times are in `seconds`."""

    __slots__ = __match_args__ = ("value", "unit")

    value: Final[int | Fraction]
    unit: Final[str]

    def __init__(self, value: int | Fraction, unit: str) -> None:
        self.value = value
        self.unit = unit


def read_alternatives(text: object) -> list[Amount]:
    """Read the amounts that a text joins with `|`.

    A value that is not a text is refused here: a configuration file may hold a number.

    Raises:
        MalformedLimit: A part is not `<number> <unit>`.
        MissingUnit: A part is only a number.
        UnknownUnit: A unit does not exist.
        InvalidAmount: A number divides by zero or has more digits than any run counts.
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str):
        raise MalformedLimit(f"{text!r} is no text; write a length such as '10 epochs'")
    return [_read_amount(part.strip(), text) for part in text.split("|")]


def _read_amount(part: str, text: str) -> Amount:
    import re

    pattern = re.compile(_AMOUNT)
    amounts: list[Amount] = []
    position = 0
    while position < len(part):
        match = pattern.match(part, position)
        if match is None:
            break
        amounts.append(_amount_of(match, part))
        position = match.end()
    if position < len(part) or not amounts:
        raise _malformed(part, text)
    if len(amounts) > 1 and any(amount.unit != "seconds" for amount in amounts):
        raise _malformed(part, text)
    return Amount(sum(amount.value for amount in amounts), amounts[0].unit)


def _amount_of(match: Match[str], part: str) -> Amount:
    number, multiplier, word = match["number"], match["multiplier"] or "", match["unit"]
    if word is None and match.end() < len(part):
        # Followed by something that is no unit, such as the comma of "1,000 records".
        raise _malformed(part, part)
    if len(number) > _LONGEST_NUMBER:
        raise InvalidAmount(
            f"{part!r} has a number of {len(number)} characters; "
            f"write at most {_LONGEST_NUMBER}, such as '1e9 records'"
        )
    try:
        value = _number(number) * _MULTIPLIERS.get(multiplier, 1)
    except ZeroDivisionError:
        raise InvalidAmount(f"{part!r} divides by zero; write a positive number") from None
    if word is None:
        raise _missing_unit(number + multiplier, value)
    lowered = word.lower()
    if lowered in SPELLINGS:
        return Amount(value, SPELLINGS[lowered])
    if lowered in SECONDS_IN:
        return Amount(value * SECONDS_IN[lowered], "seconds")
    counter = word.removeprefix(COUNTER_PREFIX)
    known = counter.lower() in SPELLINGS or counter.lower() in SECONDS_IN
    if counter != word and counter.isidentifier() and not known:
        return Amount(value, counter)
    raise _unknown_unit(word, part)


def _number(written: str) -> int | Fraction:
    if written.replace("_", "").isdigit():
        return int(written)
    # After the whole numbers, which need not wait for its import.
    from fractions import Fraction

    return Fraction(written)


def _missing_unit(number: str, value: int | Fraction) -> MissingUnit | InvalidAmount:
    """The error for a number that does not say what it counts."""
    if not value:
        return InvalidAmount(f"{number} is not positive; give more than 0, or None for never")
    units = ("epochs", "steps", "batches", "records") if value.denominator == 1 else ("epochs",)
    ways = ", ".join(f"'{number} {unit}'" for unit in units)
    return MissingUnit(f"{number} has no unit; write {ways} or a time such as '{number} min'")


def _unknown_unit(word: str, part: str) -> UnknownUnit:
    close = nearest(word)
    meant = f"; did you mean {close!r}?" if close else ""
    if word == "m":
        meant = "; write M for a million, or min for minutes"
    return UnknownUnit(f"{word!r} in {part!r} is no unit; the units are {LEGAL}{meant}")


def _malformed(part: str, text: str) -> MalformedLimit | InvalidAmount:
    import re

    grouped = re.match(r"[0-9]{1,3}(?:,[0-9]{3})+", part)
    if grouped:
        return MalformedLimit(
            f"{part!r} has a comma in its number; write {grouped[0].replace(',', '_')}"
        )
    if re.match(r"-\s*[0-9]", part):
        return InvalidAmount(f"{part!r} is negative; write a positive number, or None for never")
    whole = f" in {text!r}" if text.strip() != part else ""
    return MalformedLimit(
        f"{part!r}{whole} is no length; write a number and a unit, such as '10 epochs', "
        "'1k records', '0.5 epochs' or '2 h', and join alternatives with '|'"
    )
