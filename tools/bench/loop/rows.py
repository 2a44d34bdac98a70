"""Rows of passes over data, and what has to hold before they are timed."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from by_hand import Train, by_hand
from harness import Row, Timed
from tasks import Loader, Task

Make = Callable[[Task, Loader], Train]


class Later:
    """Seconds a batch of the later passes of a call: what a call costs by itself is left out.

    By the CPU, and afterwards by the wall.
    """

    def __init__(self, train: Train, batches: int, later: int) -> None:
        self._first = Timed(lambda: partial(train, 1))
        self._all = Timed(lambda: partial(train, 1 + later))
        self._count = batches * later

    def __call__(self) -> float:
        """Run them; the seconds of CPU."""
        first = self._first()
        return (self._all() - first) / self._count

    def wall(self) -> float:
        """The seconds by the wall."""
        return (self._all.wall() - self._first.wall()) / self._count


def row(name: str, train: Train, task: Task, **gates: Any) -> Row:
    """Seconds a batch of a pass."""
    timed = Timed(lambda: partial(train, 1), count=len(task.batches))
    return Row(name, timed, wall=timed.wall, **gates)


def later_row(name: str, train: Train, task: Task, later: int, **gates: Any) -> Row:
    """Seconds a batch of passes after the first."""
    timed = Later(train, len(task.batches), later)
    return Row(name, timed, wall=timed.wall, **gates)


def same_work(name: str, make: Make, task: Task, loader: Loader) -> None:
    """See that a pass in order ends with the mean loss of the loop by hand.

    Raises:
        AssertionError: It did something else.
    """
    expected, mean = by_hand(task, task.batches)(1), make(task, loader)(1)
    assert math.isclose(mean, expected, rel_tol=1e-4), (
        f"{name} came to a loss of {mean} on the {task.name}, and the loop by hand to {expected}"
    )
