"""The values that a filter is written with, and what they come to beside a field."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Context, InvalidOperation
from math import inf, isinf
from typing import TypeAlias, get_args

from attrs import frozen

from treadle_tracking.entries import RunStatus
from treadle_tracking.errors import _cut, suggestion
from treadle_tracking.searching.errors import UnfitValue
from treadle_tracking.searching.fields import Field, sort_of
from treadle_tracking.searching.misread import Misread

__all__ = ["Literal", "Value", "fitted", "number", "unquoted"]

Value: TypeAlias = str | int | float | bool

# MLflow's times are milliseconds: this many are in March 1973, and so many seconds in the year 5138.
_FROM_HERE_MILLISECONDS = 1e11
_DIGITS = Context(prec=40, traps=[InvalidOperation])
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATUSES = (*get_args(RunStatus), "UNFINISHED")


@frozen
class Literal:
    """A value as it was written, where it was written."""

    value: Value
    source: str
    offset: int


def unquoted(source: str) -> str:
    """The text in quotes or backticks; a doubled one is one of it."""
    quote = source[0]
    return source[1:-1].replace(quote * 2, quote)


def number(source: str, offset: int) -> int | float:
    """An integer exactly, anything else as a double.

    Raises:
        Misread: it is more than Python reads, or than a double holds.
    """
    if source.lstrip("+-").replace("_", "").isdecimal():
        try:
            return int(source)
        except ValueError:
            most = sys.get_int_max_str_digits()
            raise Misread(
                offset, f"the integer has more digits than Python reads; expected {most:,} at most"
            ) from None
    value = float(source)
    if isinf(value) and "inf" not in source.lower():
        raise Misread(
            offset, "the number is beyond every double; expected one up to 1.79e308, or inf"
        )
    return value


def fitted(field: Field, literal: Literal) -> Value:
    """The value that `field` is to be compared with: of a time, milliseconds since the epoch.

    Raises:
        Misread: `field` never has such a value.
    """
    value, source = literal.value, _cut(literal.source)
    match sort_of(field), value:
        case "any", _:
            return value
        case "text", str():
            return value
        case "text", _:
            problem = f"{_called(field)} is a text: write '{source}'"
        case "number", bool() | str():
            problem = f"{_called(field)} is a number, and {source} is not" + _numeric(value)
        case "number", _:
            return value
        case "time", bool():
            problem = f"{_called(field)} is a time, and {source} is not{_TIMES}"
        case "time", str(text):
            instant = _instant(text)
            if instant is not None:
                return instant
            problem = f"{_called(field)} is a time, and {source} is not{_TIMES}"
        case _:
            return _since_epoch(value, literal.source)
    raise Misread(literal.offset, problem, UnfitValue)


_TIMES = (
    ". Write one as in ISO 8601, such as '2026-11-22' or '2026-11-22T10:30+01:00', or as seconds or "
    "milliseconds since the epoch"
)
_CALLED: Mapping[str, str] = {"tag": "a tag", "metric": "a metric"}


def checked_status(literal: Literal) -> None:
    """That the text is a status.

    Raises:
        Misread: it is none, so that the comparison would say nothing.
    """
    given = str(literal.value)
    if given not in _STATUSES:
        near = given.upper() if given.upper() in _STATUSES else given
        raise Misread(
            literal.offset,
            f"no run has the status {_cut(given)!r}. {suggestion(near, _STATUSES)}",
            UnfitValue,
        )


def _called(field: Field) -> str:
    return _CALLED.get(field.kind, field.name)


def _numeric(value: Value) -> str:
    try:
        float(value)
    except ValueError:
        return ""
    return "" if isinstance(value, bool) else f": write {_cut(str(value))}"


def _instant(text: str) -> int | float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
    whole, rest = divmod(microseconds, 1000)
    return microseconds / 1000 if rest else whole


def _since_epoch(value: Value, source: str) -> int | float:
    assert not isinstance(value, str)
    if value > _FROM_HERE_MILLISECONDS or value == -inf:
        return value
    # Of the digits, as their double may lie beside the whole millisecond.
    exact = _DIGITS.multiply(_DIGITS.create_decimal(source.replace("_", "")), 1000)
    return int(exact) if exact == exact.to_integral_value() else float(exact)
