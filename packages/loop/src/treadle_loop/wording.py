"""Quantities, durations and rates in words."""

# Below a nanosecond a clock has said nothing.
LEAST = 1e-9


def quantity(count: int, noun: str, plural: str) -> str:
    """`1 batch`, `45 batches`."""
    return f"{count} {noun if count == 1 else plural}"


def duration(seconds: float) -> str:
    """`0.0031 s`, `0.52 s`, `6 min 12 s`, `1 h 02 min`.

    Below a minute it has two decimals, and more where two would show fewer than two digits.
    """
    if seconds < LEAST:
        return "0 s"
    if round(seconds, 2) < 60:
        return f"{seconds:.{max(2, _decimals(seconds, digits=2))}f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def rate(count: int, seconds: float, noun: str, plural: str) -> str:
    """`19.2 records/s`: three significant digits below 1000, whole above, no exponent."""
    per_second = count / seconds
    digits = f"{per_second:.{max(0, _decimals(per_second, digits=3))}f}"
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return f"{digits} {noun if digits == '1' else plural}/s"


def _decimals(value: float, *, digits: int) -> int:
    """How many decimals show so many digits of a value, once it is rounded to them."""
    return digits - 1 - int(f"{value:.{digits - 1}e}".partition("e")[2])


def figure(value: float) -> str:
    """A mean to three significant digits, without an exponent from a thousand to a million."""
    return f"{value:.0f}" if 999.5 <= abs(value) < 1e6 else f"{value:.3g}"
