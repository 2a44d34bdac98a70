"""Quantities, durations and rates in words."""

import math


def quantity(count: int, noun: str, plural: str) -> str:
    """`1 batch`, `45 batches`."""
    return f"{count} {noun if count == 1 else plural}"


def duration(seconds: float) -> str:
    """`0.31 s`, `6 min 12 s`, `1 h 02 min`.

    Below a minute there are two decimals, more where they would show fewer than two digits.
    """
    if seconds <= 0:
        return "0 s"
    if round(seconds, 2) < 60:
        decimals = max(2, 1 - math.floor(math.log10(seconds)))
        return f"{seconds:.{decimals}f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def rate(count: int, seconds: float, noun: str, plural: str) -> str:
    """`19.2 records/s`: three significant digits below 1000, whole above."""
    per_second = count / seconds
    figure = f"{per_second:.0f}" if per_second >= 999.5 else f"{per_second:.3g}"
    return f"{figure} {noun if figure == '1' else plural}/s"


def figure(value: float) -> str:
    """A mean to three significant digits, without an exponent from a thousand to a million."""
    return f"{value:.0f}" if 999.5 <= abs(value) < 1e6 else f"{value:.3g}"
