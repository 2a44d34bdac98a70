"""What one pass over a loader came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from treadle_loop.loss import Outcome
from treadle_loop.means import BLOCK, Means, RunningMean
from treadle_loop.meeting import gather
from treadle_loop.runtime import Runtime
from treadle_loop.update import Update

# Below a nanosecond a clock has said nothing.
LEAST = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class EpochResult:
    """One pass over a loader. Its `str` is the line to print, and waits for the device.

    Attributes:
        verb: what was done with the records: `trained`, `tested`.
        records: how many records were seen.
        batches: how many batches were seen.
        steps: how many optimizer steps were made.
        seconds: wall-clock seconds from before the first batch was drawn until the device had
            done its work.
        loss: the mean of the loss over all that it is a mean over (records, unless you said
            otherwise), as a 0-dim tensor on its device; nan where there was nothing.
        metrics: the mean of each metric, as 0-dim tensors.
        further_counts: the sums of `Loss.counts`.
        complete: whether the pass came to its end, and was not left before.
    """

    verb: str
    records: int
    batches: int
    steps: int
    seconds: float
    loss: Tensor
    metrics: Mapping[str, Tensor]
    further_counts: Mapping[str, int]
    complete: bool = True

    @property
    def counts(self) -> dict[str, int]:
        """All counts by name: records, batches, steps, epochs, and those of `Loss.counts`.

        `epochs` is 1, and 0 where the pass was left before its end or had no batch.
        """
        return {
            "records": self.records,
            "batches": self.batches,
            "steps": self.steps,
            "epochs": int(self.complete and self.batches > 0),
            **self.further_counts,
        }

    def __str__(self) -> str:
        records = quantity(self.records, "record", "records")
        batches = quantity(self.batches, "batch", "batches")
        line = f"{self.verb} {records} in {batches}"
        # With one step a batch, which is what most loops do, it would only repeat the number.
        if self.steps and self.steps != self.batches:
            line += f" ({quantity(self.steps, 'step', 'steps')})"
        line += f", {duration(self.seconds)}"
        if self.seconds >= LEAST and self.batches:
            line += f" ({rate(self.records, self.seconds, 'record', 'records')}"
            line += f", {rate(self.batches, self.seconds, 'batch', 'batches')})"
        if self.batches:
            line += f", loss {figure(float(self.loss))}"
        for name, value in self.metrics.items():
            line += f", {name} {figure(float(value))}"
        return line

    def _repr_pretty_(self, printer: Any, _cycle: object) -> None:
        """The same line, where this is the last value of a notebook's cell."""
        printer.text(str(self))


class Totals:
    """The sums of a pass under way: what `train_epoch` keeps, for who runs `updates` by hand.

        totals = Totals()
        for update in engine.updates(loader):
            totals.take(update)
        print(totals.result("trained", seconds))

    Nothing is read from the device.

    Attributes:
        records: how many records were taken in.
        batches: how many batches.
        steps: how many optimizer steps.
        complete: whether the last update ended its pass.
    """

    def __init__(self) -> None:
        self.records = self.batches = self.steps = 0
        self.complete = False
        self._loss = RunningMean()
        self._metrics = Means()
        self._counts: dict[str, int] = {}
        # Summed up many at a time: between two updates of a tiny network, each call is a cold one.
        self._pending: list[Outcome] = []

    def take(self, update: Update) -> None:
        """Take in an optimizer step."""
        outcomes, _, records, batches, _, self.complete, skipped = update
        self.add(outcomes, records, batches, int(not skipped))

    def add(self, outcomes: Sequence[Outcome], records: int, batches: int, steps: int = 0) -> None:
        """Take in what some batches came to."""
        # In one statement, so that no number lags behind another.
        self.records, self.batches, self.steps = (
            self.records + records,
            self.batches + batches,
            self.steps + steps,
        )
        self._pending += outcomes
        if len(self._pending) >= BLOCK:
            self._sum_up()

    def _sum_up(self) -> None:
        pending, self._pending = self._pending, []
        for outcome in pending:
            self._loss.add(outcome.value, outcome.weight)
            if outcome.metrics:
                self._metrics.add(outcome.metrics)
            if outcome.counts:
                for name, count in outcome.counts.items():
                    self._counts[name] = self._counts.get(name, 0) + count

    def over_ranks(self, runtime: Runtime, device: torch.device | None) -> "Totals":
        """The same for all ranks together; it waits for the device, and for the others.

        `batches` is what the rank with the most had.

        Raises:
            RanksOutOfStep: another rank is doing something else.
        """
        self._sum_up()
        own = (self.records, self.batches, self._counts, self._loss.read(), self._metrics.read())
        everyone = gather(runtime, "over_ranks", own)
        shared = Totals()
        shared.complete = self.complete
        for records, batches, counts, loss, metrics in everyone:
            shared.records += records
            shared.batches = max(shared.batches, batches)
            shared._loss.add_sums(loss, device)
            for name, sums in metrics.items():
                shared._metrics.running(name).add_sums(sums, device)
            for name, count in counts.items():
                shared._counts[name] = shared._counts.get(name, 0) + count
        return shared

    def result(self, verb: str, seconds: float) -> EpochResult:
        """The pass until now, as a value.

        Args:
            verb: the first word of its line.
            seconds: how long it took.
        """
        self._sum_up()
        return EpochResult(
            verb=verb,
            records=self.records,
            batches=self.batches,
            steps=self.steps,
            seconds=seconds,
            loss=self._loss.mean(),
            metrics=self._metrics.values(),
            further_counts=dict(self._counts),
            complete=self.complete,
        )


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
