"""What one pass over a loader came to."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from treadle_loop.loss import Outcome
from treadle_loop.means import Means, RunningMean
from treadle_loop.update import Update
from treadle_loop.wording import LEAST, duration, figure, quantity, rate


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
    """

    verb: str
    records: int
    batches: int
    steps: int
    seconds: float
    loss: Tensor
    metrics: Mapping[str, Tensor]
    further_counts: Mapping[str, int]

    @property
    def counts(self) -> dict[str, int]:
        """All counts by name: records, batches, steps, epochs (1, or 0 where there was no batch)."""
        return {
            "records": self.records,
            "batches": self.batches,
            "steps": self.steps,
            "epochs": int(self.batches > 0),
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
    """

    __slots__ = ("_counts", "_loss", "_metrics", "batches", "records", "steps")

    def __init__(self) -> None:
        self.records = self.batches = self.steps = 0
        self._loss = RunningMean()
        self._metrics = Means()
        self._counts: dict[str, int] = {}

    def take(self, update: Update) -> None:
        """Take in an optimizer step."""
        self.steps += 1
        for outcome in update.outcomes:
            self.add(outcome)

    def add(self, outcome: Outcome) -> None:
        """Take in a batch."""
        # In one statement, so that no number lags behind another.
        self.records, self.batches = self.records + outcome.records, self.batches + 1
        self._loss.add(outcome.value, outcome.weight)
        if outcome.metrics:
            self._metrics.add(outcome.metrics)
        if outcome.counts:
            for name, count in outcome.counts.items():
                self._counts[name] = self._counts.get(name, 0) + count

    def result(self, verb: str, seconds: float) -> EpochResult:
        """The pass until now, as a value.

        Args:
            verb: the first word of its line.
            seconds: how long it took.
        """
        return EpochResult(
            verb=verb,
            records=self.records,
            batches=self.batches,
            steps=self.steps,
            seconds=seconds,
            loss=self._loss.mean(),
            metrics=self._metrics.values(),
            further_counts=dict(self._counts),
        )
