"""The best value of a metric so far, kept beside it as a metric of its own."""

from collections.abc import Mapping
from math import isnan
from typing import cast

from treadle_tracking.entries import Direction, Scalars
from treadle_tracking.errors import InvalidBest, seen
from treadle_tracking.names import checked_name

__all__ = ["Best", "directions"]

_PREFIX = "best/"


def directions(best: Mapping[str, str] | None) -> dict[str, Direction]:
    """Which value of each metric is its best, as the user has declared it: `'min'` or `'max'` by name.

    Raises:
        InvalidBest: it is something else.
        InvalidName: the name of a metric is empty or no text.
    """
    if best is None:
        return {}
    if not isinstance(best, Mapping):
        raise InvalidBest(f"is {seen(best)}")
    declared: dict[str, Direction] = {}
    for given, direction in best.items():
        name = checked_name("the name of a metric of which to keep the best", given)
        if name.startswith(_PREFIX):
            raise InvalidBest(f"has {name!r}, which is itself the best of a metric")
        if direction not in ("min", "max"):
            raise InvalidBest(f"has {seen(direction)} for {name!r}")
        declared[name] = cast("Direction", direction)
    return declared


class Best:
    """Keeps the best value of some metrics: the best of `val/loss` is the metric `best/val/loss`.

    TensorBoard's HPARAMS page and MLflow's table show the last value of a metric, so this is how they come to show its
    best one.

    Args:
        directions: Which value is the best, by the name of a metric, as `directions` gives it.
    """

    __slots__ = ("_directions", "_values")

    def __init__(self, directions: Mapping[str, Direction]) -> None:
        self._directions = dict(directions)
        self._values: dict[str, float] = {}

    def improved(self, values: Mapping[str, float]) -> dict[str, float]:
        """The entries by which a `log` call of these values grows: `best/<metric>` of each that is better than ever.

        The first value is; an equal one and NaN are not. Infinities are numbers like any other. A `best/<metric>` that
        was logged under this very name stays as it is.
        """
        better: dict[str, float] = {}
        for name, direction in self._directions.items():
            value = values.get(name)
            if value is None or isnan(value):
                continue
            best = self._values.get(name)
            if best is None or (value < best if direction == "min" else value > best):
                self._values[name] = value
                if _PREFIX + name not in values:
                    better[_PREFIX + name] = value
        return better

    def take(self, entry: Scalars) -> None:
        """Know what an earlier attempt logged, of the entries that were kept of it."""
        self.improved(entry.values)
