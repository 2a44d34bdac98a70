"""A run counted against its limit, and what is due on the way."""

from __future__ import annotations

import math
import time

from treadle_units.agenda import Agenda
from treadle_units.checks import (
    check_counter,
    check_counts,
    check_fractions,
    check_totals,
    length_of_epoch,
    positive,
    truth,
)
from treadle_units.epochs import EpochPosition
from treadle_units.errors import InvalidArgument
from treadle_units.limits import Limit
from treadle_units.nearness import Nearness
from treadle_units.outcome import LIMIT, Outcome
from treadle_units.progress import Progress
from treadle_units.ratio import ratio
from treadle_units.stopwatch import NANOSECONDS
from treadle_units.triggers import as_trigger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from fractions import Fraction
    from typing import Literal

    from treadle_units.limits import Length, Seconds
    from treadle_units.passes import Waiting
    from treadle_units.triggers import At, Every


class Counting:
    """What a `Schedule` is without a loader: it is told what was used, and says what is due.

    `Schedule` documents the arguments.
    """

    __slots__ = (
        "_agenda",
        "_allow_short",
        "_carried",
        "_clock",
        "_due",
        "_end_counted_at",
        "_epoch_length_given",
        "_epochs",
        "_fired",
        "_fired_at",
        "_nearness",
        "_next_batches",
        "_next_clock",
        "_next_counters",
        "_next_records",
        "_next_steps",
        "_outcome",
        "_resolve",
        "_seen_ns",
        "_started",
        "_step_now",
        "_stop_reason",
        "_timed",
        "_waiting",
        "_walker",
        "_window",
        "progress",
    )

    def __init__(
        self,
        until: Limit | str,
        *,
        epoch_length: Length | str | None = None,
        batches_per_epoch: int | None = None,
        resolve: Literal["first_epoch"] | None = None,
        allow_short: bool = False,
        clock: Callable[[], float] = time.monotonic,
        **triggers: Every | At | Length | Seconds | str | None,
    ) -> None:
        limit = Limit.parse(until) if not isinstance(until, Limit) else until
        wanted = {
            name: as_trigger(name, value) for name, value in triggers.items() if value is not None
        }
        self.progress = Progress(clock=clock)
        self._agenda = Agenda(limit, wanted)
        self._epochs = EpochPosition(
            self.progress,
            self._agenda.epoch_denominator,
            length_of_epoch(epoch_length),
            None if batches_per_epoch is None else positive("batches_per_epoch", batches_per_epoch),
        )
        self._epoch_length_given = batches_per_epoch is not None
        self._nearness = Nearness(self.progress, limit, self._epochs.length)
        if resolve not in (None, "first_epoch"):
            raise InvalidArgument(f"resolve is {resolve!r}; give 'first_epoch' or nothing")
        self._resolve = resolve
        self._allow_short = truth("allow_short", allow_short)
        self._timed = "seconds" in self._agenda.units
        self._clock = clock
        self._seen_ns = 0
        self._outcome: Outcome | None = None
        self._stop_reason: str | None = None
        self._due: tuple[str, ...] = ()
        self._carried: tuple[str, ...] = ()
        self._fired: tuple[str, ...] = ()
        self._fired_at = -1
        self._end_counted_at = -1
        self._started = False
        self._step_now = False
        self._window = 0
        # The loop that may go on; none once the run has ended.
        self._walker: object = None
        self._waiting: Waiting | None = None
        self._agenda.place(self._position())
        # Thresholds of 0 send the first `advance` through all checks.
        self._next_records: int | Fraction = 0
        self._next_batches: int | Fraction = 0
        self._next_steps: int | Fraction = 0
        self._next_clock = math.inf
        self._next_counters: dict[str, int | Fraction] = {}

    @property
    def until(self) -> Limit:
        """The limit."""
        return self._agenda.until

    @property
    def finished(self) -> bool:
        """Whether the run has ended: by its limit, by `stop`, or because the data did."""
        return self._outcome is not None

    @property
    def outcome(self) -> Outcome | None:
        """Why the run ended and how far it got; `None` while it goes on."""
        return self._outcome

    @property
    def step_now(self) -> bool:
        """Whether this batch closes an accumulation window: time for an optimizer step.

        The last batch of a pass closes its window, and so does the batch that ends the run.
        With `lookahead=False` a pass's last batch is not known, so its window runs on into the
        next pass; after the loop this is true if gradients still wait, and that step is counted.
        """
        return self._step_now

    def due(self) -> tuple[str, ...]:
        """The names that the last `advance`, `stop` or end made due, in declaration order.

        `batches` clears them after the loop's body.
        After the loop they are those that an end found later made due, never a name that was
        already due at that batch.
        """
        # Of an earlier batch where an `advance` since then has been quiet, and cleared nothing.
        return self._due if self._fired_at == self.progress.batches else ()

    def advance(
        self, records: int, batches: int = 1, steps: int = 0, epochs: int = 0, **counters: int
    ) -> tuple[str, ...]:
        """Count what was used since the last call, and return the names that it makes due.

        One call is one moment: points that it jumps over together are due once, and the limit is
        checked after it.
        After the end it keeps counting; `Every` keeps being due, and nothing ends again.

        Args:
            records: Examples, over all ranks; at least one per batch.
            batches: Batches.
            steps: Optimizer updates.
            epochs: Passes over the data that these batches have ended; 1 with the last of a pass.
            **counters: What else was counted, such as `tokens=`.

        Returns:
            The names due, in declaration order; `due()` returns the same.

        Raises:
            EmptyBatch: There are fewer records than batches; nothing is counted then.
            InvalidCount: A count is negative or not a plain `int`, or a counter has a name that no
                limit can have; nothing is counted then. If nothing is to happen at a call, not
                everything is checked: a float is found at the next call at which something is.
            UnknownEpochLength: At the first call, fractions of epochs cannot be placed.
        """
        # The common case, kept to a few comparisons: nothing is to happen at these counts.
        progress = self.progress
        try:
            total_records = progress.records + records
            total_batches = progress.batches + batches
            total_steps = progress.steps + steps
            if (
                total_records < self._next_records
                and total_batches < self._next_batches
                and total_steps < self._next_steps
                and batches > 0
                and records >= batches
                and not epochs
                and (not self._timed or self._clock() < self._next_clock)
                and (not counters or self._quietly_counted(counters))
            ):
                progress.records = total_records
                progress.batches = total_batches
                progress.steps = total_steps
                return ()
        except TypeError:
            # What cannot be added is no number: None, a text.
            check_counts(records, batches, steps, epochs, counters)
            raise
        check_counts(records, batches, steps, epochs, counters)
        check_totals(progress)
        self._start()
        self._count(records, batches, counters)
        progress.steps += steps
        if epochs:
            self._end_passes(epochs)
        return self._settle()

    def end_epoch(self) -> tuple[str, ...]:
        """Say that a pass over the data has ended; call it after each pass run to its end.

        If the last `advance` said so with `epochs=1`, it only checks whether the pass has brought
        the run nearer to its limit.

        Returns:
            The names that this end makes due, without those already due at the last batch.

        Raises:
            EmptyEpoch: The pass has added nothing in the limit's unit; no epoch is counted for it
                here, and another pass would not end the run either.
        """
        counted = self._end_counted_at == self.progress.batches
        self._end_counted_at = -1
        if self._outcome is None:
            self._nearness.check(self._window)
        self._nearness.mark(self._window)
        if counted:
            return ()
        self._start()
        self._end_passes(1)
        self._end_counted_at = -1
        return self._settle()

    def stop(self, reason: str) -> None:
        """End the run here, and make due what is due at the end.

        Within `batches` with accumulation it takes effect at the batch that closes the window, so
        that no gradient is lost; if the loop is left before that, or has been, `step_now` is then
        true, and that step is counted.
        A run that has ended keeps its outcome.

        Args:
            reason: A word or two for `outcome`, such as `patience`.

        Raises:
            InvalidArgument: The reason is not a text, or is empty.
        """
        if not isinstance(reason, str) or not reason:
            raise InvalidArgument(f"reason is {reason!r}; give a word or two, such as 'patience'")
        if self._outcome is not None:
            return
        if self._walker is not None and self._window:
            self._stop_reason = reason
            self._next_batches = 0
            return
        due = self.due()
        self._due = self._agenda.in_order({*due, *self._settle(ending=reason)})

    def _quietly_counted(self, counters: dict[str, int]) -> bool:
        """Count further counters, unless one brings something to happen or is no count."""
        totals, nearest = self.progress.counters, self._next_counters
        for name, count in counters.items():
            if (
                name in nearest
                and type(count) is int
                and count >= 0
                and (total := totals[name] + count) < nearest[name]
            ):
                totals[name] = total
                continue
            for counted, again in counters.items():
                if counted == name:
                    return False
                totals[counted] -= again
        return True

    def _start(self) -> None:
        """Check, before the first count, that every point can be found."""
        if self._started:
            return
        epochs = self._epochs
        if epochs.length is None and epochs.batches_per_epoch is None:
            check_fractions(
                self._agenda.fractions_of_epochs(),
                resolve=self._resolve is not None,
                epochs=self.progress.epochs,
            )
        self._started = True

    def _count(self, records: int, batches: int, counters: Mapping[str, int]) -> None:
        progress = self.progress
        if counters:
            for name in counters.keys() - progress.counters.keys():
                check_counter(name)
            for name, count in counters.items():
                progress.counters[name] = progress.counters.get(name, 0) + count
        if self._timed:
            self._seen_ns = progress.stopwatch.elapsed_ns()
        progress.records, progress.batches = progress.records + records, progress.batches + batches

    def _end_passes(self, passes: int) -> None:
        if self._resolve is not None and self._epochs.batches_per_epoch is None:
            self._epochs.batches_per_epoch = self._epochs.pass_batches or None
        self._epochs.end_passes(passes)
        self._end_counted_at = self.progress.batches

    def _position(self) -> dict[str, int | Fraction]:
        position: dict[str, int | Fraction] = {}
        for unit in self._agenda.units:
            if unit == "epochs":
                position[unit] = self._epochs.position()
            elif unit == "seconds":
                position[unit] = ratio(self._seen_ns, NANOSECONDS)
            else:
                position[unit] = self.progress.total(unit)
        return position

    def _settle(self, ending: str | None = None) -> tuple[str, ...]:
        """Find what the counts have made due, and whether they end the run."""
        agenda = self._agenda
        position = self._position()
        reached = agenda.reached(position)
        ends = self._outcome is None and (reached is not None or ending is not None)
        # A stop may come when the loop has been left, in the middle of a window.
        if ends and self._window and (self._walker is not None or ending is not None):
            self._close_window()
            position = self._position()
            reached = agenda.reached(position)
        self._epochs.count_by_length()
        names = agenda.cross(position)
        if ends or self._carried:
            at_end = agenda.at_end if ends else ()
            names = agenda.in_order({*names, *self._carried, *at_end})
            self._carried = ()
        if ends:
            reason = LIMIT if reached is not None or ending is None else ending
            self._outcome = self._ended(reason, reached, position)
            self._walker = None
        if self._fired_at != self.progress.batches:
            self._fired_at, self._fired = self.progress.batches, ()
        self._due = tuple([name for name in names if name not in self._fired])
        self._fired += self._due
        self._plan(agenda.nearest(position))
        return self._due

    def _ended(
        self, reason: str, limit: Length | Seconds | None, position: Mapping[str, int | Fraction]
    ) -> Outcome:
        return Outcome(reason, limit, self.progress.counts(), self._agenda.unreached(position))

    def _plan(self, nearest: dict[str, int | Fraction]) -> None:
        """Find the totals below which nothing is to happen.

        Args:
            nearest: The next point in each unit in which there is one.
        """
        progress = self.progress
        in_epochs = self._epochs.threshold(nearest.pop("epochs", None))
        if in_epochs is not None:
            unit, total = in_epochs
            nearest[unit] = min(nearest.get(unit, total), total)
        self._next_records = nearest.get("records") or _far(progress.records)
        self._next_batches = nearest.get("batches") or _far(progress.batches)
        self._next_steps = nearest.get("steps") or _far(progress.steps)
        if self._stop_reason is not None:
            # A stop that waits for its window has to be looked at with each batch.
            self._next_batches = 0
        if progress.counters:
            self._next_counters = {
                name: nearest.get(name) or _far(total) for name, total in progress.counters.items()
            }
        if self._timed:
            seconds = nearest.get("seconds")
            self._next_clock = (
                math.inf
                if seconds is None
                else progress.stopwatch.clock_at(math.ceil(seconds * NANOSECONDS))
            )

    def _close_window(self) -> None:
        self.progress.steps += 1
        self._window, self._step_now = 0, True


def _far(total: int) -> int:
    """Where to look at a total again in whose unit nothing is to happen.

    Infinity is a float, and comparing an `int` with it takes twice as long; so does a comparison
    with more than 30 bits.
    """
    return max(2**30 - 1, 2 * total)
