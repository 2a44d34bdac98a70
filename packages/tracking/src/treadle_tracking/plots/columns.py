"""What the runs have of one parameter or metric: numbers along an axis, or categories, and a place for everything else."""

import json
import re
from collections.abc import Sequence
from math import isfinite, isnan
from typing import Any, Literal, TypeAlias

from attrs import frozen

from treadle_tracking.declared import reads_as_number
from treadle_tracking.entries import ParamValue
from treadle_tracking.missing import MISSING, NotThere

__all__ = [
    "Categories",
    "Cell",
    "Column",
    "Numbers",
    "Scale",
    "column",
    "natural",
]

Scale: TypeAlias = Literal["linear", "log", "quantile"]

_LONGEST = 500  # characters of a text that a page holds
_EXACT = 2**53  # up to here a page has every integer as it is
_WIDE = 100  # times its smallest number: how long an axis is before it may be logarithmic unasked

Cell: TypeAlias = "ParamValue | NotThere"


@frozen(kw_only=True)
class Numbers:
    """Numbers, one a run.

    What is no finite number is the name of the place that it has beside the axis: `inf`, `-inf`, `nan`, `none`, `missing`,
    or `other` for a text, boolean or list among numbers. `shown` has the text of those values, by the number of the run,
    that the number or the place does not say exactly.
    """

    values: tuple[float | str, ...]
    shown: dict[int, str]

    @property
    def finite(self) -> list[float]:
        """Those that lie on the axis."""
        return [value for value in self.values if not isinstance(value, str)]

    @property
    def without_log(self) -> str | None:
        """Why there is no logarithmic scale, if there is none."""
        too_low = [value for value in self.finite if value <= 0]
        if not too_low:
            return None
        if len(too_low) == 1:
            return f"a run has {min(too_low)!r}, and a logarithm needs more than 0"
        return f"{len(too_low)} runs have 0 or less, down to {min(too_low)!r}, and a logarithm needs more than 0"

    @property
    def best_scale(self) -> Scale:
        """Logarithmic where a linear scale would have half of the numbers in its lowest tenth."""
        finite = sorted(self.finite)
        if not finite or self.without_log is not None or finite[-1] / _WIDE < finite[0]:
            return "linear"
        tenth = finite[0] * 0.9 + finite[-1] * 0.1
        return "log" if finite[len(finite) // 2] < tenth else "linear"


@frozen(kw_only=True)
class Categories:
    """Texts in their order, and which of them each run has; -1 where it has none."""

    texts: tuple[str, ...]
    values: tuple[int, ...]


Column: TypeAlias = Numbers | Categories


def column(values: Sequence[Cell]) -> Column:
    """Numbers, where most values that are there are numbers; else categories."""
    there = [value for value in values if value is not MISSING and value is not None]
    numbers = sum(_is_number(value) for value in there)
    return _numbers(values) if 2 * numbers > len(there) else _categories(values)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _numbers(values: Sequence[Cell]) -> Numbers:
    placed: list[float | str] = []
    shown: dict[int, str] = {}
    for run, value in enumerate(values):
        if value is MISSING:
            placed.append("missing")
        elif value is None:
            placed.append("none")
        elif not _is_number(value):
            placed.append("other")
            shown[run] = _text(value)
        else:
            assert isinstance(value, int | float)
            placed.append(_place(value))
            if isinstance(value, int) and abs(value) > _EXACT:
                shown[run] = str(value)
    return Numbers(values=tuple(placed), shown=shown)


def _place(value: float) -> float | str:
    if isnan(value):
        return "nan"
    # Not repr of an integer: its digits beyond a double's are in `shown`.
    return value if isfinite(value) else repr(float(value))


def _categories(values: Sequence[Cell]) -> Categories:
    kinds: dict[str, set[str]] = {}
    for value in values:
        if value is not MISSING:
            kinds.setdefault(_text(value), set()).add(type(value).__name__)
    texts = [None if value is MISSING else _told_apart(value, kinds) for value in values]
    order = sorted({text for text in texts if text is not None}, key=natural)
    places = {text: place for place, text in enumerate(order)}
    return Categories(
        texts=tuple(order),
        values=tuple(-1 if text is None else places[text] for text in texts),
    )


def _told_apart(value: Cell, kinds: dict[str, set[str]]) -> str:
    """The text of a value; in quotes where another value of another type has the same, or where nothing would be seen."""
    text = _text(value)
    if isinstance(value, str) and (len(kinds[text]) > 1 or not text.strip()):
        return _cut(repr(value))
    return text


def _text(value: Cell) -> str:
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, list | dict):
        return _cut(json.dumps(value, ensure_ascii=False))
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def natural(text: str) -> tuple[int, float, list[tuple[int, int, str]], str]:
    """Numbers first, as numbers; then texts, with the numbers in them as numbers: `layer2` before `layer10`."""
    if reads_as_number(text):
        return 0, float(text), [], text
    parts = re.split(r"([0-9]+)", text.casefold())
    # By length and then as text, since int() refuses thousands of digits.
    key = [
        (len(part.lstrip("0")), 0, part.lstrip("0")) if index % 2 else (0, 0, part)
        for index, part in enumerate(parts)
    ]
    return 1, 0.0, key, text
