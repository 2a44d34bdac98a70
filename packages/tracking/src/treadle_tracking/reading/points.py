"""A metric's whole history, in columns."""

from array import array
from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import isnan, nan
from typing import Self, TypeAlias

from attrs import frozen

__all__ = ["Points"]

_Point: TypeAlias = tuple[int, int, float]


@frozen(eq=False)
class Points:
    """Every point of one metric of one run, by step, then by time, then by value; the same point twice is there once.

    That is what a point is in MLflow's stores, so that a run reads the same from wherever it is read.
    """

    steps: "array[int]"  # int64
    times: "array[int]"  # int64, milliseconds since the epoch
    values: "array[float]"  # double

    @classmethod
    def of(cls, points: Iterable[_Point]) -> Self:
        """Points of (step, time in milliseconds since the epoch, value), in any order."""
        columns = list(zip(*points, strict=True)) or [(), (), ()]
        return cls.ordered(array("q", columns[0]), array("q", columns[1]), array("d", columns[2]))

    @classmethod
    def ordered(cls, steps: "array[int]", times: "array[int]", values: "array[float]") -> Self:
        """The same, of columns of one length."""
        if all(before < after for before, after in pairwise(steps)):
            return cls(steps, times, values)
        unique: dict[tuple[object, ...], _Point] = {}
        for point in zip(steps, times, values, strict=True):
            unique.setdefault(_place(point), point)
        points = sorted(unique.items())
        made = list(zip(*(point for _, point in points), strict=True))
        return cls(array("q", made[0]), array("q", made[1]), array("d", made[2]))

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[_Point]:
        """Each as (step, time in milliseconds since the epoch, value)."""
        return zip(self.steps, self.times, self.values, strict=True)

    @property
    def last(self) -> float:
        """The value of the last point; NaN where there is none."""
        return self.values[-1] if self.values else nan

    @property
    def extremes(self) -> tuple[float, float]:
        """The least and the greatest value, NaN aside; NaN and NaN where there is no other."""
        values = [value for value in self.values if not isnan(value)]
        return (min(values), max(values)) if values else (nan, nan)


def _place(point: _Point) -> tuple[object, ...]:
    """By which points are ordered and told apart: MLflow's stores keep NaN as 0 with a mark, and know no -0.0."""
    step, time, value = point
    return (step, time, 0.0, True) if isnan(value) else (step, time, value, False)
