"""How amounts are put into words: `1 record`, `0.52 s`, `19.2 records/s`."""

from __future__ import annotations

from treadle_units.vocabulary import SINGULAR, spell

# Below a nanosecond a clock has said nothing.
_LEAST = 1e-9


def counted(**counts: int) -> str:
    """Write counts one after the other: `360 records, 12 batches`."""
    return ", ".join(spell(count, unit) for unit, count in counts.items())


def duration(seconds: float) -> str:
    """Write a duration: `0.0031 s`, `0.52 s`, `6 min 12 s`, `1 h 02 min`.

    Below a minute it has two decimals, and more where two would show fewer than two digits.
    """
    if seconds < _LEAST:
        return "0 s"
    if round(seconds, 2) < 60:
        return f"{seconds:.{max(2, _decimals(seconds, digits=2))}f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def rate(count: int, unit: str, seconds: float) -> str:
    """Write a rate: three significant digits below 1000, whole from there on, no exponent."""
    per_second = count / seconds
    digits = f"{per_second:.{max(0, _decimals(per_second, digits=3))}f}"
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return f"{digits} {SINGULAR[unit] if digits == '1' else unit}/s"


def _decimals(value: float, *, digits: int) -> int:
    """How many decimals show so many digits of a value, once it is rounded to them."""
    return digits - 1 - int(f"{value:.{digits - 1}e}".partition("e")[2])


def report(
    verb: str, *, records: int, batches: int, seconds: float, ranks: int = 1, detail: str = ""
) -> str:
    """Say what was done and how fast, from what was counted.

    The digits are plain, so that `grep -E '[0-9]+ records'` finds them.
    The rates are of the unrounded time; without time or without batches there are none.

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
    if seconds < _LEAST or not batches:
        return f"{done}, {duration(seconds)}"
    rates = f"{rate(records, 'records', seconds)}, {rate(batches, 'batches', seconds)}"
    return f"{done}, {duration(seconds)} ({rates})"
