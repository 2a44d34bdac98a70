"""The words of the package: which spellings name which unit."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fractions import Fraction

SINGULAR = {
    "records": "record",
    "batches": "batch",
    "steps": "step",
    "epochs": "epoch",
    "tokens": "token",
}
"""The units with a name of their own, and the singular of each."""

SPELLINGS = {
    "record": "records",
    "records": "records",
    "rec": "records",
    "batch": "batches",
    "batches": "batches",
    "ba": "batches",
    "step": "steps",
    "steps": "steps",
    "st": "steps",
    "epoch": "epochs",
    "epochs": "epochs",
    "ep": "epochs",
    "token": "tokens",
    "tokens": "tokens",
    "tok": "tokens",
}
"""What may be written for each unit."""

SECONDS_IN = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86400),
}
"""What may be written for times, in seconds."""

COUNTER_PREFIX = "count:"
"""Marks a counter without a name of its own, so that a typo stays an error."""

LEGAL = "records, batches, steps, epochs, tokens, s, min, h, d, or count:<name>"
"""The units as an error message lists them."""


def spell(value: int | Fraction, unit: str) -> str:
    """Write an amount of a counter as `parse` reads it: `1 epoch`, `1/3 epochs`."""
    if unit not in SINGULAR:
        return f"{value} {COUNTER_PREFIX}{unit}"
    return f"{value} {SINGULAR[unit] if value == 1 else unit}"


def nearest(word: str) -> str | None:
    """The spelling most like a word, if any is much like it."""
    from difflib import get_close_matches

    spellings = [*SPELLINGS, *SECONDS_IN]
    plain = word.lower().removeprefix(COUNTER_PREFIX)
    found = get_close_matches(plain, spellings, n=1, cutoff=0.7)
    return found[0] if found else None
