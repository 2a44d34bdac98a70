"""How fast: records and batches counted together, over the time they took."""

from __future__ import annotations

import time

from treadle_units.errors import InvalidCount
from treadle_units.stopwatch import NANOSECONDS, Stopwatch
from treadle_units.value import Value
from treadle_units.wording import report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final


class Throughput(Value):
    """What a meter has read; a plain value to send to another rank.

    Attributes:
        records: Examples.
        batches: Batches.
        seconds: Wall-clock time.
        ranks: How many readings were merged into it.
    """

    __slots__ = __match_args__ = ("records", "batches", "seconds", "ranks")

    records: Final[int]
    batches: Final[int]
    seconds: Final[float]
    ranks: Final[int]

    def __init__(self, records: int, batches: int, seconds: float, ranks: int = 1) -> None:
        self.records = records
        self.batches = batches
        self.seconds = seconds
        self.ranks = ranks

    def merge(self, other: Throughput) -> Throughput:
        """Count two ranks together: records and batches add up, the longer time holds."""
        return Throughput(
            records=self.records + other.records,
            batches=self.batches + other.batches,
            seconds=max(self.seconds, other.seconds),
            ranks=self.ranks + other.ranks,
        )

    def report(self, verb: str) -> str:
        """Say it: `validated 360 records in 12 batches, 0.52 s (692 records/s, 23.1 batches/s)`."""
        return report(
            verb,
            records=self.records,
            batches=self.batches,
            seconds=self.seconds,
            ranks=self.ranks,
        )


class Meter:
    """Counts records and batches from its construction on.

    ```python
    meter = Meter()
    for batch in loader:
        meter.add(len(batch))
    print(meter.report("validated"))
    ```

    Args:
        clock: Returns seconds, monotonic.

    Attributes:
        records: Examples added.
        batches: Batches added.
    """

    __slots__ = ("_stopwatch", "batches", "records")

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.records = 0
        self.batches = 0
        self._stopwatch = Stopwatch(clock)

    def add(self, records: int, batches: int = 1) -> None:
        """Count what was just used.

        Raises:
            InvalidCount: A count is negative, or is no plain `int`.
        """
        if type(records) is not int or type(batches) is not int or records < 0 or batches < 0:
            raise InvalidCount(
                f"add was given {records!r} records and {batches!r} batches; give ints, 0 or more"
            )
        self.records, self.batches = self.records + records, self.batches + batches

    @property
    def seconds(self) -> float:
        """Wall-clock time since construction."""
        return self._stopwatch.elapsed_ns() / NANOSECONDS

    def read(self) -> Throughput:
        """Take a reading, to report or to merge."""
        return Throughput(self.records, self.batches, self.seconds)

    def report(self, verb: str) -> str:
        """Say what was counted until now.

        Args:
            verb: What was done, in the past tense.

        Returns:
            Such as `validated 360 records in 12 batches, 0.52 s (692 records/s, 23.1 batches/s)`.
        """
        return self.read().report(verb)
