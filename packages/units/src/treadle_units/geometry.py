"""What the sizes of a loader say beforehand: which batch reaches which length."""

from __future__ import annotations

from math import ceil

from treadle_units.checks import positive, truth
from treadle_units.counts import Counts
from treadle_units.errors import (
    EmptyEpoch,
    Inexact,
    InvalidArgument,
    Unconvertible,
    UnknownEpochLength,
)
from treadle_units.limits import Length, Limit
from treadle_units.ratio import ratio
from treadle_units.value import Value, final
from treadle_units.vocabulary import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fractions import Fraction
    from typing import Final, Literal

    from treadle_units.limits import Seconds

    Unit = Literal["records", "batches", "steps", "epochs"]

UNITS = ("records", "batches", "steps", "epochs")
"""What the sizes of a loader say something about."""


@final
class Geometry(Value):
    """Plans a run from the sizes of its loader, in whole numbers and closed forms.

    ```python
    geometry = Geometry(32, dataset_size=1437, accumulate=4)
    geometry.batches_to_reach("500 records")         # 16
    geometry.at_end("10 epochs").steps               # 120
    geometry.convert("1 epoch", to="batches")        # 45 batches
    ```

    It is for planning alone: a `Schedule` counts what happens, and never computes it.

    A batch is one draw of every rank, `batch_size * world_size` records, and a pass over the data
    has `dataset_size / (batch_size * world_size)` of them, rounded up, or down with `drop_last`.
    The last batch of a pass has what is left.

    Args:
        batch_size: The records of one rank's batch.
        dataset_size: The records of a pass, over all ranks; where a sampler pads the data so that
            every rank has as many, what it pads them to.
            Without it the data are one pass without an end.
        accumulate: The batches of an accumulation window, for one optimizer step.
        world_size: The ranks.
        drop_last: Whether a last batch that is not full is left out.
        remainder: What becomes of a window that the end of a pass cuts short. `"flush"`: a step is
            made from what is there, as `Schedule.batches` has it. `"carry"`: the window runs on
            into the next pass. `"drop"`: its batches never make a step.
            The last two are for planning other loops.

    Raises:
        InvalidArgument: An argument is none that can be.
        EmptyEpoch: A pass would have no batch (`drop_last`), or no step (`remainder="drop"`).
    """

    __slots__ = __match_args__ = (
        "batch_size",
        "dataset_size",
        "accumulate",
        "world_size",
        "drop_last",
        "remainder",
    )

    batch_size: Final[int]
    dataset_size: Final[int | None]
    accumulate: Final[int]
    world_size: Final[int]
    drop_last: Final[bool]
    remainder: Final[Literal["flush", "carry", "drop"]]

    def __init__(
        self,
        batch_size: int,
        *,
        dataset_size: int | None = None,
        accumulate: int = 1,
        world_size: int = 1,
        drop_last: bool = False,
        remainder: Literal["flush", "carry", "drop"] = "flush",
    ) -> None:
        if remainder not in ("flush", "carry", "drop"):
            raise InvalidArgument(f"remainder is {remainder!r}; give 'flush', 'carry' or 'drop'")
        self.batch_size = positive("batch_size", batch_size)
        self.dataset_size = None if dataset_size is None else positive("dataset_size", dataset_size)
        self.accumulate = positive("accumulate", accumulate)
        self.world_size = positive("world_size", world_size)
        self.drop_last = truth("drop_last", drop_last)
        self.remainder = remainder
        if dataset_size is not None:
            self._check_pass()

    @property
    def records_per_batch(self) -> int:
        """The records of a full batch, over all ranks."""
        return self.batch_size * self.world_size

    @property
    def records_per_epoch(self) -> int:
        """The records of a pass, over all ranks; without those that `drop_last` leaves out.

        Raises:
            UnknownEpochLength: There is no `dataset_size`.
        """
        size = self._size_of_pass("records_per_epoch")
        return size - size % self.records_per_batch if self.drop_last else size

    @property
    def batches_per_epoch(self) -> int:
        """The batches of a pass.

        Raises:
            UnknownEpochLength: There is no `dataset_size`.
        """
        size = self._size_of_pass("batches_per_epoch")
        return (
            size // self.records_per_batch if self.drop_last else -(-size // self.records_per_batch)
        )

    def at_batch(self, batches: int) -> Counts:
        """What a run has counted after so many batches, and goes on.

        Args:
            batches: 0 or more.

        Returns:
            Records, batches, steps, and the epochs that have ended: none without `dataset_size`.
            A window that is open counts for nothing yet; see `at_end`.

        Raises:
            InvalidArgument: It is no `int`, or negative.
        """
        if type(batches) is not int or batches < 0:
            raise InvalidArgument(f"batches is {batches!r}; give an int, 0 or more")
        records, steps, passes, rest = 0, 0, 0, batches
        if self.dataset_size is not None:
            passes, rest = divmod(batches, self.batches_per_epoch)
            records = passes * self.records_per_epoch
        records += rest * self.records_per_batch
        if self.dataset_size is None or self.remainder == "carry":
            steps = batches // self.accumulate
        else:
            steps = passes * self._steps_of_pass + rest // self.accumulate
        return Counts(records=records, batches=batches, steps=steps, epochs=passes)

    def at_end(self, until: Limit | str) -> Counts:
        """What a run with this limit has counted when it ends.

        That is `at_batch` of the batch that reaches the limit, and with `remainder="flush"` one
        step more where that batch leaves a window open: the batch that ends a run closes it.

        Raises:
            UnknownEpochLength: The limit is in epochs, and there is no `dataset_size`.
            Unconvertible: An alternative of the limit is a time or another counter.
        """
        counts = self.at_batch(self.batches_to_reach(until))
        in_pass = counts.batches
        if self.dataset_size is not None:
            in_pass %= self.batches_per_epoch
        flushed = 1 if self.remainder == "flush" and in_pass % self.accumulate else 0
        return Counts(counts.records, counts.batches, counts.steps + flushed, counts.epochs)

    def batches_to_reach(self, limit: Limit | str) -> int:
        """The least number of batches after which a count is as large as the limit, or larger.

        A fraction of an epoch is reached after `ceil(fraction * batches_per_epoch)` batches of its
        pass; of alternatives, the first one reached counts.

        Raises:
            UnknownEpochLength: The limit is in epochs, and there is no `dataset_size`.
            Unconvertible: An alternative of the limit is a time or another counter.
        """
        return min(self._batches_to(goal) for goal in _limit(limit).alternatives)

    def convert(self, length: Length | str, to: Unit) -> Length:
        """Find the length of another unit that a run is ended by at the same batch.

        It is exact where the batch that first reaches `length` has counted just that and no more,
        and is also the first to reach what is returned.
        So 5 batches in passes of 3 are 5/3 epochs, and 10 records are no number of batches of 4.

        Args:
            length: In records, batches, steps or epochs; no alternatives.
            to: One of these four.

        Raises:
            Inexact: There is no such length. `floor` is what is counted at the batch before, `None`
                where that is nothing yet, and `ceil` what is counted at the batch that reaches
                `length`; for steps, at the first from there on that makes one.
            UnknownEpochLength: One of the units is epochs, and there is no `dataset_size`.
            Unconvertible: One of the units is none of the four.
        """
        given = _limit(length)
        if not isinstance(given, Length):
            raise Unconvertible(f"{given} is not one length; convert a length such as '10 epochs'")
        if to not in UNITS:
            raise Unconvertible(
                f"to is {to!r}; a geometry converts to 'records', 'batches', 'steps' or 'epochs'"
            )
        reached_at = self._batches_to(given)
        if to == given.unit:
            return given
        met = self._count(given.unit, reached_at)
        before, at = self._count(to, reached_at - 1), self._count(to, reached_at)
        if met == given.value and before < at:
            return Length(at, to)
        below = Length(before, to) if before else None
        # Only steps stay as they are from one batch to the next, and they are whole.
        above = Length(at if before < at else at + 1, to)
        seen = f", at {spell(met, given.unit)}" if met != given.value else " and makes no step"
        ways = f".floor ({below}) or .ceil ({above})" if below else f".ceil ({above})"
        raise Inexact(
            f"{given} is no exact number of {to}: batch {reached_at} reaches it{seen}; "
            f"take {ways} of this error",
            below,
            above,
        )

    def _check_pass(self) -> None:
        if not self.batches_per_epoch:
            raise EmptyEpoch(
                f"a pass has 0 batches: dataset_size={self.dataset_size} is less than one batch, with "
                f"batch_size={self.batch_size}, world_size={self.world_size} and drop_last=True; "
                "give it more data, a smaller batch_size, or drop_last=False"
            )
        if self.remainder == "drop" and self.batches_per_epoch < self.accumulate:
            raise EmptyEpoch(
                f"a pass has 0 steps: its {spell(self.batches_per_epoch, 'batches')} are less than "
                f"a window, with accumulate={self.accumulate} and remainder='drop'; "
                "give a smaller accumulate, or remainder='flush' or 'carry'"
            )

    @property
    def _steps_of_pass(self) -> int:
        """The steps of each pass, where windows are not carried from one into the next."""
        if self.remainder == "drop":
            return self.batches_per_epoch // self.accumulate
        return -(-self.batches_per_epoch // self.accumulate)

    def _size_of_pass(self, wanted: object) -> int:
        if self.dataset_size is None:
            raise UnknownEpochLength(
                f"{wanted} needs the length of an epoch, which this geometry does not have; "
                "give it dataset_size="
            )
        return self.dataset_size

    def _batches_to(self, goal: Length | Seconds) -> int:
        if goal.unit not in UNITS:
            raise Unconvertible(
                f"{goal} cannot be computed from the sizes of a loader, as records, batches, steps and "
                "epochs can; leave it to the Schedule, which counts it"
            )
        if goal.unit == "epochs":
            self._size_of_pass(goal)
            return ceil(goal.value * self.batches_per_epoch)
        value = int(goal.value)
        if goal.unit == "batches":
            return value
        if goal.unit == "steps" and (self.dataset_size is None or self.remainder == "carry"):
            return value * self.accumulate
        # How many passes lie wholly before it, and what is still missing after them, less one.
        passes, missing = 0, value - 1
        if goal.unit == "steps":
            passes, missing = divmod(missing, self._steps_of_pass)
            in_pass = min((missing + 1) * self.accumulate, self.batches_per_epoch)
            return passes * self.batches_per_epoch + in_pass
        if self.dataset_size is not None:
            passes, missing = divmod(missing, self.records_per_epoch)
            passes *= self.batches_per_epoch
        return passes + missing // self.records_per_batch + 1

    def _count(self, unit: str, batches: int) -> int | Fraction:
        """What is counted after so many batches in a unit, with the part of an open epoch."""
        if unit == "epochs":
            self._size_of_pass("a number of epochs")
            return ratio(batches, self.batches_per_epoch)
        counts = self.at_batch(batches)
        return {"records": counts.records, "batches": batches, "steps": counts.steps}[unit]


def _limit(limit: Limit | str) -> Limit:
    return limit if isinstance(limit, Limit) else Limit.parse(limit)
