"""How far: counters of what happened, and nothing that follows from them."""

from __future__ import annotations

import time

from treadle_units.counts import Counts
from treadle_units.errors import InvalidState
from treadle_units.stopwatch import NANOSECONDS, Stopwatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_COUNTS = ("records", "batches", "steps", "epochs")
_OF_THE_EPOCH = ("epoch_records", "epoch_batches", "epoch_steps", "epoch_ns")


class Progress:
    """What a run has counted, as plain integers.

    A `Schedule` holds one and counts in it; read it there as `schedule.progress`.

    Args:
        clock: Returns seconds, monotonic.

    Attributes:
        records: Examples, over all ranks.
        batches: Batches of the loader.
        steps: Optimizer updates.
        epochs: Epochs that have ended.
        counters: The totals of further counters, such as tokens, by name.
    """

    __slots__ = (
        "_epoch_ns",
        "_epoch_start",
        "batches",
        "counters",
        "epochs",
        "records",
        "steps",
        "stopwatch",
    )

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.records = 0
        self.batches = 0
        self.steps = 0
        self.epochs = 0
        self.counters: dict[str, int] = {}
        self.stopwatch = Stopwatch(clock)
        self._epoch_start = (0, 0, 0)
        self._epoch_ns = 0

    @property
    def seconds(self) -> float:
        """Wall-clock time of the run, earlier processes included."""
        return self.stopwatch.elapsed_ns() / NANOSECONDS

    @property
    def epoch(self) -> Counts:
        """What was counted within the epoch that has not ended yet; its `epochs` is 0."""
        records, batches, steps = self._epoch_start
        elapsed_ns = self.stopwatch.elapsed_ns() - self._epoch_ns
        return Counts(
            records=self.records - records,
            batches=self.batches - batches,
            steps=self.steps - steps,
            seconds=elapsed_ns / NANOSECONDS,
        )

    def __str__(self) -> str:
        return str(self.counts())

    def total(self, unit: str) -> int:
        """The count of a unit over the whole run: one of the four, or a further counter."""
        return getattr(self, unit) if unit in _COUNTS else self.counters.get(unit, 0)

    def counts(self) -> Counts:
        """What was counted so far, as a frozen value."""
        return Counts(self.records, self.batches, self.steps, self.epochs, self.seconds)

    def end_epochs(self, epochs: int) -> None:
        """Count ended epochs, and begin the next one here."""
        self.epochs += epochs
        self._epoch_start = (self.records, self.batches, self.steps)
        self._epoch_ns = self.stopwatch.elapsed_ns()

    def state_dict(self) -> dict[str, Any]:
        """The counters as plain integers that fit in JSON; times are nanoseconds."""
        epoch_records, epoch_batches, epoch_steps = self._epoch_start
        elapsed_ns = self.stopwatch.elapsed_ns()
        return {
            "records": self.records,
            "batches": self.batches,
            "steps": self.steps,
            "epochs": self.epochs,
            "counters": dict(self.counters),
            "elapsed_ns": elapsed_ns,
            "epoch_records": self.records - epoch_records,
            "epoch_batches": self.batches - epoch_batches,
            "epoch_steps": self.steps - epoch_steps,
            "epoch_ns": elapsed_ns - self._epoch_ns,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from what `state_dict` returned; time runs on from now.

        Raises:
            InvalidState: An entry is missing or is not a count; nothing is changed then.
        """
        from collections.abc import Mapping

        names = (*_COUNTS, "elapsed_ns", *_OF_THE_EPOCH)
        counts = {name: whole_entry(state, name) for name in names}
        counters = state.get("counters")
        if not isinstance(counters, Mapping):
            raise InvalidState(f"the state has {counters!r} as counters; expected a dict of ints")
        counters = {name: whole_entry(counters, name) for name in counters}
        for name in _COUNTS:
            setattr(self, name, counts[name])
        self.counters = counters
        self._epoch_start = (
            counts["records"] - counts["epoch_records"],
            counts["batches"] - counts["epoch_batches"],
            counts["steps"] - counts["epoch_steps"],
        )
        self._epoch_ns = counts["elapsed_ns"] - counts["epoch_ns"]
        self.stopwatch = Stopwatch(self.stopwatch.clock, counts["elapsed_ns"])


def whole_entry(state: Mapping[str, Any], name: str) -> int:
    """Take a count out of a state.

    Raises:
        InvalidState: It is missing, or not a plain `int` of 0 or more.
    """
    if name not in state:
        raise InvalidState(
            f"the state has no {name!r}; load what state_dict of this package returned"
        )
    count = state[name]
    if type(count) is not int or count < 0:
        raise InvalidState(f"the state has {count!r} as {name!r}; expected an int, 0 or more")
    return count
