"""A run counted against its limit, and what is due on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Literal

from treadle_units.agenda import Agenda
from treadle_units.checks import (
    check_counter,
    check_counts,
    check_fractions,
    check_totals,
    length_of_epoch,
    positive,
)
from treadle_units.epochs import EpochPosition
from treadle_units.errors import InvalidArgument, InvalidState
from treadle_units.limits import Length, Limit, Seconds
from treadle_units.nearness import Nearness
from treadle_units.outcome import LIMIT, Outcome
from treadle_units.passes import Waiting
from treadle_units.progress import Progress, whole_entry
from treadle_units.stopwatch import NANOSECONDS
from treadle_units.triggers import At, Every, as_trigger

_VERSION = 1


class Counting:
    """What a `Schedule` is without a loader: it is told what was used, and says what is due.

    `Schedule` documents the arguments.
    """

    __slots__ = (
        "_agenda",
        "_allow_short",
        "_carried",
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
        self._allow_short = allow_short
        self._timed = "seconds" in self._agenda.units
        self._seen_ns = 0
        self._outcome: Outcome | None = None
        self._stop_reason: str | None = None
        self._due: tuple[str, ...] = ()
        self._carried: tuple[str, ...] = ()
        self._fired: set[str] = set()
        self._fired_at = -1
        self._end_counted_at = -1
        self._started = False
        self._step_now = False
        self._window = 0
        self._walker: object = None
        self._waiting: Waiting | None = None
        self._agenda.place(self._position)
        # Thresholds of 0 send the first `advance` through all checks.
        self._next_records: float = 0
        self._next_batches: float = 0
        self._next_steps: float = 0
        self._next_clock = math.inf
        self._next_counters: dict[str, float] = {}

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
        """Why the run ended and how far it came; `None` while it goes on."""
        return self._outcome

    @property
    def step_now(self) -> bool:
        """Whether the batch at hand closes an accumulation window: time for an optimizer step.

        The last batch of a pass closes its window, and the batch that ends the run does.
        With `lookahead=False` a pass's last batch is not known, so its window runs on into the
        next pass; after the loop this is true if gradients still wait, and that step is counted.
        """
        return self._step_now

    def due(self) -> tuple[str, ...]:
        """The names that the last `advance`, `stop` or end has made due, in declaration order.

        `batches` clears them when the loop's body is over.
        After the loop they are what an end found later has made due, never a name that was due at
        that batch already.
        """
        return self._due

    def advance(
        self, records: int, batches: int = 1, steps: int = 0, epochs: int = 0, **counters: int
    ) -> tuple[str, ...]:
        """Count what was used since the last call, and return the names that it makes due.

        One call is one moment: points that it jumps over together are due once, and the limit is
        looked at after it.
        After the end it goes on counting; `Every` goes on being due, and nothing ends again.

        Args:
            records: Examples, over all ranks; at least one a batch.
            batches: Batches.
            steps: Optimizer updates.
            epochs: Passes over the data that these batches have ended; 1 with the last of a pass.
            **counters: What else was counted, such as `tokens=`.

        Returns:
            The names due, in declaration order; `due()` returns the same.

        Raises:
            EmptyBatch: There are batches without a record each; nothing is counted then.
            InvalidCount: A count is negative or no plain `int`, or a counter is called what no
                limit can name; nothing is counted then. Where nothing is to happen at a call, all
                is not looked at: a float is found at the next call at which something is.
            UnknownEpochLength: At the first call, fractions of epochs cannot be placed.
        """
        # The common case, kept to a few comparisons: nothing is to happen at these counts.
        progress = self.progress
        total_records = progress.records + records
        total_batches = progress.batches + batches
        total_steps = progress.steps + steps
        if (
            total_records < self._next_records
            and total_batches < self._next_batches
            and total_steps < self._next_steps
            and 0 < batches <= records
            and not epochs
            and (not (counters or self._timed) or self._still_quiet(counters))
        ):
            progress.records, progress.batches = total_records, total_batches
            progress.steps = total_steps
            self._due = ()
            return ()
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

        Where the last `advance` has said so by `epochs=1`, it only looks whether the pass has
        brought the run nearer to its limit.

        Returns:
            The names that this end makes due, without those due at the last batch already.

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
        that no gradient is lost.
        A run that has ended stays ended as it did.

        Args:
            reason: A word or two for `outcome`, such as `patience`.
        """
        if self._outcome is not None:
            return
        if self._walker is not None and self._window:
            self._stop_reason = reason
            return
        due = set(self._due)
        self._due = self._agenda.in_order(due | set(self._settle(ending=reason)))

    def state_dict(self) -> dict[str, Any]:
        """What is needed to continue, as JSON-able plain integers.

        A continued run is due at the same batches and ends at the same one.
        Limit and triggers are not part of it, so they may change, and so may the batch size.
        Names that are due are not part of it either: act on them before saving.
        The gradients of an open accumulation window are not here: save where `step_now` is true.
        """
        check_totals(self.progress)
        progress = self.progress.state_dict()
        return {
            "version": _VERSION,
            "progress": progress,
            "epochs": self._epochs.state_dict(),
            "window": self._window,
            # The `end_epoch` that follows belongs to an end that is counted already.
            "end_counted": int(self._end_counted_at == self.progress.batches),
            # A time crossed since the last `advance` has not been due yet.
            "seen_ns": self._seen_ns if self._timed else progress["elapsed_ns"],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned.

        Where the limit lies behind, the run is finished at once, and nothing is due.

        Raises:
            InvalidState: The state is not one of this class.
        """
        if not isinstance(state, Mapping):
            raise InvalidState(
                f"the state is {state!r}; load what state_dict of this package returned"
            )
        if state.get("version") != _VERSION:
            raise InvalidState(
                f"the state has version {state.get('version')!r}; "
                f"this release of treadle-units reads version {_VERSION}"
            )
        window, seen_ns = whole_entry(state, "window"), whole_entry(state, "seen_ns")
        end_counted = whole_entry(state, "end_counted")
        for part in ("progress", "epochs"):
            if not isinstance(state.get(part), Mapping):
                raise InvalidState(
                    f"the state has {state.get(part)!r} as {part!r}; expected a dict"
                )
        loaded = Progress(clock=self.progress.stopwatch.clock)
        loaded.load_state_dict(state["progress"])
        self._epochs.load_state_dict(state["epochs"], loaded.batches)
        # Last, since each of the two above may still refuse the state.
        self.progress.load_state_dict(state["progress"])
        self._window, self._seen_ns = window, seen_ns
        self._due = self._carried = ()
        self._fired_at = -1
        self._end_counted_at = loaded.batches if end_counted else -1
        self._step_now = False
        self._stop_reason = None
        self._started = False
        self._next_records = self._next_batches = self._next_steps = 0
        self._agenda.place(self._position)
        self._nearness.mark(window, continued=self._epochs.pass_batches > 0 or end_counted > 0)
        reached = self._agenda.reached(self._position)
        self._outcome = None if reached is None else self._ended(LIMIT, reached)

    def _still_quiet(self, counters: dict[str, int]) -> bool:
        """Whether nothing is to happen by the clock or by further counters, which are counted then."""
        if self._timed and self.progress.stopwatch.clock() >= self._next_clock:
            return False
        totals = self.progress.counters
        sums = {}
        for name, count in counters.items():
            if type(count) is not int or count < 0:
                return False
            sums[name] = totals.get(name, 0) + count
            if sums[name] >= self._next_counters.get(name, 0):
                return False
        totals.update(sums)
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
        for name in counters.keys() - progress.counters.keys():
            check_counter(name)
        if self._timed:
            self._seen_ns = progress.stopwatch.elapsed_ns()
        progress.records, progress.batches = progress.records + records, progress.batches + batches
        for name, count in counters.items():
            progress.counters[name] = progress.counters.get(name, 0) + count

    def _end_passes(self, passes: int) -> None:
        if self._resolve is not None and self._epochs.batches_per_epoch is None:
            self._epochs.batches_per_epoch = self._epochs.pass_batches or None
        self._epochs.end_passes(passes)
        self._end_counted_at = self.progress.batches

    def _position(self, unit: str) -> int | Fraction:
        if unit == "epochs":
            return self._epochs.position()
        if unit == "seconds":
            return Fraction(self._seen_ns, NANOSECONDS)
        return self.progress.total(unit)

    def _settle(self, ending: str | None = None) -> tuple[str, ...]:
        """Find what the counts have made due, and whether they end the run."""
        reached = self._agenda.reached(self._position)
        ends = self._outcome is None and (reached is not None or ending is not None)
        if ends and self._window and self._walker is not None:
            self._close_window()
        self._epochs.count_by_length()
        names = self._agenda.cross(self._position) | set(self._carried)
        if ends:
            names |= self._agenda.at_end
            self._outcome = self._ended(ending if reached is None and ending else LIMIT, reached)
        if self._fired_at != self.progress.batches:
            self._fired_at, self._fired = self.progress.batches, set()
        self._due = self._agenda.in_order(names - self._fired)
        self._fired |= names
        self._carried = ()
        self._plan()
        return self._due

    def _ended(self, reason: str, limit: Length | Seconds | None) -> Outcome:
        unreached = self._agenda.unreached(self._position)
        return Outcome(reason, limit, self.progress.counts(), unreached)

    def _plan(self) -> None:
        """Find the totals below which nothing is to happen."""
        agenda, position = self._agenda, self._position
        nearest: dict[str, float] = dict.fromkeys(self.progress.counters, math.inf)
        for unit in agenda.units - {"epochs", "seconds"}:
            point = agenda.coming(unit, position)
            nearest[unit] = math.inf if point is None else int(point)
        in_epochs = self._epochs.threshold(agenda.coming("epochs", position))
        if in_epochs is not None:
            unit, total = in_epochs
            nearest[unit] = min(nearest.get(unit, math.inf), total)
        self._next_records = nearest.pop("records", math.inf)
        self._next_batches = nearest.pop("batches", math.inf)
        self._next_steps = nearest.pop("steps", math.inf)
        self._next_counters = nearest
        seconds = agenda.coming("seconds", position) if self._timed else None
        self._next_clock = (
            math.inf
            if seconds is None
            else self.progress.stopwatch.clock_at(math.ceil(seconds * NANOSECONDS))
        )

    def _close_window(self) -> None:
        self.progress.steps += 1
        self._window, self._step_now = 0, True
