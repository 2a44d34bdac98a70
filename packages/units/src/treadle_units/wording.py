"""How amounts are put into words: `1 record`, `0.52 s`, `19.2 records/s`."""

from __future__ import annotations

from treadle_units.vocabulary import spell

_MINUTE = 60
_HOUR = 3600
# Below a nanosecond a clock has said nothing.
_LEAST = 1e-9


def counted(**counts: int) -> str:
    """Write counts one after the other: `360 records, 12 batches`."""
    return ", ".join(spell(count, unit) for unit, count in counts.items())


def duration(seconds: float) -> str:
    """Write a duration: `0.0031 s`, `0.52 s`, `6 min 12 s`, `1 h 02 min`.

    Below a minute it has two decimals, and more where two would leave fewer than two digits.
    """
    if seconds < _LEAST:
        return "0 s"
    if round(seconds, 2) < _MINUTE:
        return f"{_decimal(seconds, digits=2, decimals=2)} s"
    if round(seconds) < _HOUR:
        minutes, rest = divmod(round(seconds), _MINUTE)
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / _MINUTE), _MINUTE)
    return f"{hours} h {minutes:02d} min"


def rate(count: int, seconds: float) -> str:
    """Write a rate: three significant digits below 1000, whole numbers from there on."""
    return _decimal(count / seconds, digits=3, decimals=0)


def _decimal(value: float, *, digits: int, decimals: int) -> str:
    """Write significant digits, without an exponent and with at least so many decimals."""
    if value >= 1 and decimals:
        return f"{value:.{decimals}f}"
    _, exponent = f"{value:.{digits - 1}e}".split("e")
    places = max(decimals, digits - 1 - int(exponent), 0)
    text = f"{value:.{places}f}"
    if "." not in text:
        return text
    whole, fraction = text.split(".")
    fraction = fraction[:decimals] + fraction[decimals:].rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def report(
    verb: str, *, records: int, batches: int, seconds: float, ranks: int = 1, detail: str = ""
) -> str:
    """Say what was done and how fast, from what was counted.

    The digits are plain, so that `grep -E '[0-9]+ records'` finds them.
    The rates are of the unrounded time; without time there are none.

    Args:
        verb: What was done, in the past tense: `validated`.
        records: Examples, over all ranks.
        batches: Batches, over all ranks.
        seconds: Wall-clock time; of several ranks, the longest.
        ranks: How many ranks were counted together.
        detail: What to say of the batches in parentheses, such as `12 steps`.

    Returns:
        Such as `validated 360 records in 12 batches, 0.52 s (692 records/s, 23.1 batches/s)`.
    """
    where = f" on {ranks} ranks" if ranks > 1 else ""
    aside = f" ({detail})" if detail else ""
    done = f"{verb} {spell(records, 'records')} in {spell(batches, 'batches')}{aside}{where}"
    if seconds < _LEAST:
        return f"{done}, 0 s"
    rates = f"{rate(records, seconds)} records/s, {rate(batches, seconds)} batches/s"
    return f"{done}, {duration(seconds)} ({rates})"
