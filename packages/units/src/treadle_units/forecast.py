"""When a trigger is going to be due in a planned run: first, next, last, and how many times."""

from __future__ import annotations

from math import ceil, lcm

from treadle_units.errors import InvalidArgument
from treadle_units.geometry import Geometry
from treadle_units.limits import Batches, Length
from treadle_units.ratio import ratio
from treadle_units.triggers import At
from treadle_units.value import Value, final
from treadle_units.vocabulary import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fractions import Fraction
    from typing import Final

    from treadle_units.limits import Limit
    from treadle_units.triggers import Every


@final
class Forecast(Value):
    """The batches at which a trigger is due.

    Attributes:
        first: The first one, `None` where the run ends before.
        then: The one after it, `None` where there is no other.
        last: The last one, `None` where there is none, or where the end of the run is not known.
        times: How many there are, `None` where the end of the run is not known.
    """

    __slots__ = __match_args__ = ("first", "then", "last", "times")

    first: Final[int | None]
    then: Final[int | None]
    last: Final[int | None]
    times: Final[int | None]

    def __init__(
        self, first: int | None, then: int | None, last: int | None, times: int | None
    ) -> None:
        self.first = first
        self.then = then
        self.last = last
        self.times = times


class Course:
    """A planned run, as far as the sizes of its data tell: where it is after which batch.

    Args:
        until: Its limit; alternatives of which nothing is known are left out.
        geometry: The sizes of the data, if known.
        epoch_length: What an epoch is, `None` where it is a pass.
        batches_per_epoch: The batches of a pass, where the geometry does not tell.
        passes: Whether the passes matter: where the limit or a trigger counts them, data of
            unknown size are not one pass without an end.

    Raises:
        InvalidArgument: `batches_per_epoch` is not what the geometry tells.
        EmptyEpoch: Passes of `batches_per_epoch` are too short for the geometry's windows.

    Attributes:
        end: The batch that ends the run, `None` where that is not known.
        certain: Whether no alternative of the limit was left out.
    """

    __slots__ = ("_epoch_length", "_known", "_sizes", "certain", "end")

    def __init__(
        self,
        until: Limit,
        geometry: Geometry | None,
        epoch_length: Length | None,
        batches_per_epoch: int | None,
        *,
        passes: bool,
    ) -> None:
        self._epoch_length = epoch_length
        self._sizes, self._known = _sizes(geometry, batches_per_epoch, passes=passes)
        goals = [goal for goal in until.alternatives if self.knows(goal.unit)]
        self.certain = len(goals) == len(until.alternatives)
        ends = [self._reaching(goal.unit, goal.value) for goal in goals]
        self.end: int | None = min(ends, default=None)

    def knows(self, unit: str) -> bool:
        """Whether it can be told how far the run is in a unit."""
        return self._in_sizes(unit, 1)[0] in self._known

    def count(self, unit: str, batches: int) -> int | Fraction:
        """Where the run is in a known unit after so many batches; the last one closes its window."""
        counted_in, length = self._in_sizes(unit, 1)
        if counted_in == "epochs":
            return ratio(batches, self._sizes.batches_per_epoch)
        sizes = self._sizes
        ends = batches == self.end
        counts = sizes.at_end(Batches(batches)) if ends else sizes.at_batch(batches)
        count = {"records": counts.records, "batches": batches, "steps": counts.steps}[counted_in]
        return ratio(count, int(length))

    def batch_at(self, unit: str, point: int | Fraction | None) -> int | None:
        """The batch that reaches a point in a known unit, `None` where the run ends before."""
        if point is None:
            return None
        reached_at = self._reaching(unit, point)
        if self.end is None or reached_at <= self.end:
            return reached_at
        # The step that the end of the run adds may still reach it.
        return self.end if self.count(unit, self.end) >= point else None

    def due(self, trigger: Every | At) -> Forecast:
        """Tell when a trigger in a known unit is due."""
        unit, start = trigger.unit, trigger.next_after(0)
        first = self.batch_at(unit, start)
        if first is None:
            found = Forecast(None, None, None, 0)
        else:
            then = self.batch_at(unit, trigger.next_after(self.count(unit, first)))
            if self.end is None:
                return Forecast(first, then, None, None)
            if isinstance(trigger, At):
                points = [self.batch_at(unit, length.value) for length in trigger.lengths]
                batches = {batch for batch in points if batch is not None}
                found = Forecast(first, then, max(batches), len(batches))
            else:
                found = self._repeated(trigger, first, then, self.end)
        if not trigger.at_end or found.last == self.end:
            return found
        times = (found.times or 0) + 1
        if first is None:
            return Forecast(self.end, None, self.end, times)
        return Forecast(first, self.end if found.then is None else found.then, self.end, times)

    def _repeated(self, every: Every, first: int, then: int | None, end: int) -> Forecast:
        """Tell when a grid is due, without going through its points.

        Where no batch is longer than what lies between two points, each point has a batch of its
        own; otherwise each batch that long is due, and shorter ones at the end of passes may not be.
        """
        start, length = every.next_after(0), every.length.value
        further = int((self.count(every.unit, end) - start) // length)
        last = self.batch_at(every.unit, start + further * length)
        unit, spacing = self._in_sizes(every.unit, length)
        start = self._in_sizes(every.unit, start)[1]
        if spacing >= self._longest(unit):
            times = further + 1
        elif unit == "steps":
            # Of an epoch in steps, parts of a step: each batch that makes one is due.
            times = int(self.count("steps", end)) - ceil(start) + 1
        else:
            quiet = self._quiet(spacing, start, first, end) if unit == "records" else 0
            times = end - first + 1 - quiet
        return Forecast(first, then, last, times)

    def _longest(self, unit: str) -> int | Fraction:
        """What a full batch adds in a unit of the sizes."""
        if unit == "records":
            return self._sizes.records_per_batch
        return ratio(1, self._sizes.batches_per_epoch) if unit == "epochs" else 1

    def _quiet(self, spacing: int | Fraction, start: int | Fraction, first: int, end: int) -> int:
        """The last batches of passes, after the first due, within which no point lies."""
        sizes = self._sizes
        if sizes.dataset_size is None:
            return 0
        of_pass, records = sizes.batches_per_epoch, sizes.records_per_epoch
        shortest = records - (of_pass - 1) * sizes.records_per_batch
        passed = first // of_pass
        ends = end // of_pass - passed
        if shortest >= spacing or not ends:
            return 0
        # Each is shorter than the spacing, so it has one point or none: the floors before and
        # after it differ by that. The fractions are expanded to whole numbers.
        parts = lcm(spacing.denominator, start.denominator)
        after = int(((passed + 1) * records - start) * parts)
        slope, modulus = records * parts, int(spacing * parts)
        before = after - shortest * parts
        return (
            ends
            - _sum_of_floors(ends, slope, after, modulus)
            + _sum_of_floors(ends, slope, before, modulus)
        )

    def _reaching(self, unit: str, point: int | Fraction) -> int:
        counted_in, value = self._in_sizes(unit, point)
        whole = value if counted_in == "epochs" else ceil(value)
        return self._sizes.batches_to_reach(Length(whole, counted_in))

    def _in_sizes(self, unit: str, value: int | Fraction) -> tuple[str, int | Fraction]:
        """An amount in the unit that the sizes count: of an epoch that is a length, that one."""
        if unit == "epochs" and self._epoch_length is not None:
            return self._epoch_length.unit, value * self._epoch_length.value
        return unit, value


def _sizes(
    geometry: Geometry | None, batches_per_epoch: int | None, *, passes: bool
) -> tuple[Geometry, set[str]]:
    """Make a geometry of what is known, and name the units that it tells the truth about."""
    if geometry is None:
        if batches_per_epoch is None:
            return Geometry(1), {"batches"}
        return Geometry(1, dataset_size=batches_per_epoch), {"batches", "epochs"}
    if geometry.dataset_size is not None:
        if batches_per_epoch not in (None, geometry.batches_per_epoch):
            raise InvalidArgument(
                f"batches_per_epoch is {batches_per_epoch}, but a pass of the geometry has "
                f"{spell(geometry.batches_per_epoch, 'batches')}; make them equal, or give only one"
            )
        return geometry, {"records", "batches", "steps", "epochs"}
    if batches_per_epoch is not None:
        # How full the last batch of a pass is remains unknown, and so do the records.
        full = Geometry(
            geometry.batch_size,
            dataset_size=batches_per_epoch * geometry.records_per_batch,
            accumulate=geometry.accumulate,
            world_size=geometry.world_size,
            remainder=geometry.remainder,
        )
        return full, {"batches", "steps", "epochs"}
    if not passes:
        return geometry, {"records", "batches", "steps"}
    # Where passes end is not known, nor then which batches are short, and which windows.
    uncut = geometry.accumulate == 1 or geometry.remainder == "carry"
    return geometry, {"batches", "steps"} if uncut else {"batches"}


def _sum_of_floors(terms: int, slope: int, start: int, modulus: int) -> int:
    """Sum `(slope * i + start) // modulus` over `i` from 0 to `terms - 1`; none is negative.

    Whole multiples of the modulus are summed directly. What is left counts the lattice points
    below a line, and the same points counted along the other axis are a smaller sum of this kind,
    as in Euclid's algorithm: Graham, Knuth and Patashnik, Concrete Mathematics, section 3.5.
    """
    whole = slope // modulus * (terms * (terms - 1) // 2) + start // modulus * terms
    height, rest = divmod(slope % modulus * terms + start % modulus, modulus)
    if not height:
        return whole
    return whole + _sum_of_floors(height, modulus, rest, slope % modulus)
