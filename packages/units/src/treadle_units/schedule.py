"""A schedule: a run counted against its limit, resumed and explained."""

from __future__ import annotations

from treadle_units.checks import check_totals
from treadle_units.errors import InvalidArgument, InvalidState
from treadle_units.outcome import LIMIT
from treadle_units.progress import Progress, whole_entry
from treadle_units.walking import Walking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from treadle_units.geometry import Geometry
    from treadle_units.outcome import Outcome

_VERSION = 1


class Schedule(Walking):
    """Counts a run, says what is due, and ends it.

    In your own loop:

    ```python
    schedule = Schedule(until="10 epochs", validate=Every("1 epoch", at_end=True), save="500 steps")
    for batch in schedule.batches(loader, accumulate=4):
        loss(batch).backward()
        if schedule.step_now:
            optimizer.step(); optimizer.zero_grad()
        for name in schedule.due(): ...
    ```

    Inside someone else's loop, `advance` takes what was used since the last call, `end_epoch`
    follows each pass, and the loop ends once `finished` is true.

    If an epoch is a pass over the loader, whole epochs need no length.
    Seconds run from construction, or from `load_state_dict`, and are read at each `advance`.
    Records are those of all ranks, and a batch is one draw of every rank.

    Args:
        until: The limit, a `Limit` or text; reached means counted that far or beyond.
        epoch_length: What one epoch is, if a pass over the data has no end or no meaning:
            a `Length` in a unit other than epochs, or text.
        batches_per_epoch: How many batches a pass has, for fractions of epochs.
            `batches` takes it from the loader's `len` if it is not given.
        resolve: `"first_epoch"` lets fractions of epochs wait until the first pass has shown how
            many batches an epoch has.
        allow_short: Whether the data may end before the limit.
        clock: Returns seconds, monotonic.
        **triggers: When each name is due: `Every`, `At`, a length or text (as `Every` of it), or
            `None` for never.

    Raises:
        InvalidArgument: An argument is not valid.
        InvalidTrigger: A trigger is not a single length.
        UnitsError: A text cannot be read; see `Limit.parse`.

    Attributes:
        progress: What was counted.
        until: The limit.
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickles and copies count on their own, from here on as after `load_state_dict`.

        The clock of another process has another origin, and the current loop has the original.
        """
        settings = {
            "until": self.until,
            "epoch_length": self._epochs.length,
            "batches_per_epoch": (
                self._epochs.batches_per_epoch if self._epoch_length_given else None
            ),
            "resolve": self._resolve,
            "allow_short": self._allow_short,
            "clock": self._clock,
            **self._agenda.triggers,
        }
        return _continued, (type(self), settings, self.state_dict(), self._outcome)

    def explain(self, geometry: Geometry | None = None) -> str:
        """Write when each trigger will be due: first, next, last, and how many times.

        ```text
        until 10 epochs | 2 h, at most 14_370 records, 450 batches, 120 steps, 10 epochs
                    every              first      then       last       times
          validate  1 epoch, at end    batch 45   batch 90   batch 450  10
          save      500 steps, at end  batch 450  -          batch 450  1
          log       50 steps           batch 188  batch 376  batch 376  2
          hist      100k records       never reached (14_370)
        ```

        The columns are in batches, whatever the triggers count, and the table covers the whole run,
        even if a part of it is over.
        The first line counts as `outcome` does, so its epochs are those that have ended.
        It is exact for data of these sizes; what they do not tell is `?`.

        Args:
            geometry: The sizes of the data; without them, it writes what is known anyway.

        Returns:
            Lines without a line break at the end.

        Raises:
            InvalidArgument: The schedule was given `batches_per_epoch`, and the geometry has
                another; or it is not a `Geometry`.
            EmptyEpoch: Passes are too short for the windows of the geometry, which drops those
                that are cut short.
        """
        # Most runs never ask.
        from treadle_units.explanation import explain
        from treadle_units.geometry import Geometry

        if not isinstance(geometry, Geometry | None):
            raise InvalidArgument(
                f"geometry is {geometry!r}; give the sizes of the data, such as "
                "Geometry(32, dataset_size=1437)"
            )
        told = geometry is not None and geometry.dataset_size is not None
        known = self._epoch_length_given or not told
        return explain(
            self.until,
            self._agenda.triggers,
            geometry,
            epoch_length=self._epochs.length,
            batches_per_epoch=self._epochs.batches_per_epoch if known else None,
        )

    def state_dict(self) -> dict[str, Any]:
        """What is needed to resume, as plain integers that fit in JSON.

        In a resumed run, names are due at the same batches, and it ends at the same one.
        Limit and triggers are not part of it, so they may change, and so may the batch size.
        Names that are due are not part of it either: act on them before saving.
        The gradients of an open accumulation window are not in it: save where `step_now` is true.
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
        """Resume from what `state_dict` returned.

        If the limit has already been passed, the run is finished at once, and nothing is due.

        Raises:
            InvalidState: The state is not one of this class.
        """
        from collections.abc import Mapping

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
        position = self._position()
        self._agenda.place(position)
        self._nearness.mark(window, continued=self._epochs.pass_batches > 0 or end_counted > 0)
        reached = self._agenda.reached(position)
        self._outcome = None if reached is None else self._ended(LIMIT, reached, position)
        self._walker = self._walker if reached is None else None


def _continued(
    kind: type[Schedule],
    settings: dict[str, Any],
    state: Mapping[str, Any],
    outcome: Outcome | None,
) -> Schedule:
    schedule = kind(**settings)
    schedule.load_state_dict(state)
    # A run that was stopped is over, although its limit was not reached.
    schedule._outcome = outcome  # noqa: SLF001  # of this class
    return schedule
