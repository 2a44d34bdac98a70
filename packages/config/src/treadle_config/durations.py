"""Lengths of time as text: `90 s`, `1 h 30 min`, `1:30:00`."""

import datetime as dt
import re
from decimal import Decimal

from treadle_config.scalars import Mismatch

_MICROSECONDS = {
    **dict.fromkeys(("us", "µs"), 1),
    "ms": 1_000,
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1_000_000),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60 * 1_000_000),
    **dict.fromkeys(("h", "hour", "hours"), 3_600 * 1_000_000),
    **dict.fromkeys(("d", "day", "days"), 86_400 * 1_000_000),
}
_PART = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{0,15})?) ?(?P<unit>[a-zµ]+)")
_TEXT = re.compile(
    rf"-?{_PART.pattern}(?: ?{_PART.pattern})*".replace("?P<number>", "?:").replace(
        "?P<unit>", "?:"
    )
)
_CLOCK = re.compile(r"([0-9]{1,9}):([0-5][0-9]):([0-5][0-9](?:\.[0-9]{1,6})?)")
_WAYS = "write it with a unit, as in 90 s, 15 min, 1 h 30 min or 2 d"


def duration_of(text: str) -> dt.timedelta:
    """Read a length of time: numbers with units, or hours, minutes and seconds with colons.

    A bare number is refused, since it does not say of what.

    Raises:
        Mismatch: It is neither, or finer than a microsecond, the least that python counts.
    """
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = map(Decimal, clock.groups())
        total = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000
    elif _TEXT.fullmatch(text):
        total = Decimal(0)
        for number, unit in _PART.findall(text):
            if unit not in _MICROSECONDS:
                raise Mismatch(_WAYS)
            total += Decimal(number) * _MICROSECONDS[unit]
        if text.startswith("-"):
            total = -total
    else:
        raise Mismatch(_WAYS)
    if total != int(total):
        raise Mismatch("nothing finer than a microsecond is counted")
    try:
        return dt.timedelta(microseconds=int(total))
    except OverflowError:
        raise Mismatch("too long") from None


def duration_text(length: dt.timedelta) -> str:
    """Write a length of time as `duration_of` reads it, exactly: `1 d 2 h 30 min 1.5 s`."""
    rest = abs(length)
    hours, seconds = divmod(rest.seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    small = Decimal(seconds) + Decimal(rest.microseconds) / 1_000_000
    counted = {"d": rest.days, "h": hours, "min": minutes, "s": small}
    said = [
        f"{number:f} {unit}" if unit == "s" else f"{number} {unit}"
        for unit, number in counted.items()
        if number
    ]
    return ("-" if length < dt.timedelta() else "") + (" ".join(said) or "0 s")
