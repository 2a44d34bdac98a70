"""What was counted, as a frozen value."""

from __future__ import annotations

from dataclasses import dataclass

from treadle_units.wording import counted, duration


@dataclass(frozen=True, slots=True)
class Counts:
    """Records, batches, steps and epochs that were counted, and the time they took.

    Attributes:
        records: Examples, over all ranks.
        batches: Batches of the loader.
        steps: Optimizer updates.
        epochs: Epochs that were ended.
        seconds: Wall-clock time on a monotonic clock; 0 where no time was measured.
    """

    records: int = 0
    batches: int = 0
    steps: int = 0
    epochs: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        counts = counted(
            records=self.records, batches=self.batches, steps=self.steps, epochs=self.epochs
        )
        return f"{counts} and {duration(self.seconds)}" if self.seconds else counts
