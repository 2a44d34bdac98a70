"""What was counted, as a frozen value."""

from __future__ import annotations

from treadle_units.value import Value
from treadle_units.wording import counted, duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class Counts(Value):
    """Records, batches, steps and epochs that were counted, and the time they took.

    Attributes:
        records: Examples, over all ranks.
        batches: Batches of the loader.
        steps: Optimizer updates.
        epochs: Epochs that were ended.
        seconds: Wall-clock time on a monotonic clock; 0 where no time was measured.
    """

    __slots__ = __match_args__ = ("records", "batches", "steps", "epochs", "seconds")

    records: Final[int]
    batches: Final[int]
    steps: Final[int]
    epochs: Final[int]
    seconds: Final[float]

    def __init__(
        self,
        records: int = 0,
        batches: int = 0,
        steps: int = 0,
        epochs: int = 0,
        seconds: float = 0.0,
    ) -> None:
        self.records = records
        self.batches = batches
        self.steps = steps
        self.epochs = epochs
        self.seconds = seconds

    def __str__(self) -> str:
        counts = counted(
            records=self.records, batches=self.batches, steps=self.steps, epochs=self.epochs
        )
        return f"{counts} and {duration(self.seconds)}" if self.seconds else counts
