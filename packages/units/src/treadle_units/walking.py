"""Passes over a loader, each batch counted before it is handed out."""

from __future__ import annotations

from treadle_units.checks import check_counter, positive, truth
from treadle_units.counting import Counting
from treadle_units.errors import DataExhausted, InvalidArgument, TakenOver, UnprovenEnd
from treadle_units.outcome import EXHAUSTED
from treadle_units.passes import Pass, empty_loader, length_of
from treadle_units.records import record_counter, whole_count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from typing import Any, TypeVar

    Batch = TypeVar("Batch")


class Walking(Counting):
    """Counting that draws the batches, too; `Schedule` documents the arguments."""

    __slots__ = ()

    def batches(
        self,
        loader: Iterable[Batch],
        *,
        accumulate: int = 1,
        records: Callable[[Batch], int] | None = None,
        lookahead: bool | None = None,
        **counters: Callable[[Batch], int],
    ) -> Generator[Batch, None, None]:
        """Pass over a loader until the limit; each batch is counted before it is yielded.

        After a `break`, or after `load_state_dict`, it resumes the pass, and the loader is
        expected to resume it, too; the loader's `len` is not used for the rest of that pass.
        Nothing is drawn past the limit from a one-shot iterator, and a batch drawn ahead of a
        `break` comes first when `batches` is next given the same iterator.

        Args:
            loader: Anything that can be iterated; a one-shot iterator is one epoch.
            accumulate: Batches for one optimizer step; see `step_now`.
            records: How many records a batch has, over all ranks; by default `count_records` tells,
                which sees only the batch of this rank.
            lookahead: How the last batch of a pass is known: by `len`, else by drawing one batch
                ahead (`None`), always by drawing ahead (`True`), or not at all (`False`, for
                queues).
            **counters: What else to count in each batch, such as
                `tokens=lambda batch: batch["mask"].sum()`.

        Raises:
            EmptyEpoch: The loader has no batches, or a pass adds nothing in the limit's unit.
            DataExhausted: The data ended before the limit, and `allow_short` is false.
            WrongLength: The loader's `len` is not what it yields.
            TakenOver: It is resumed after a newer `batches` of this schedule has begun.
            UncountableBatch: A batch does not say how many records it has.
            EmptyBatch: A batch has no records.
            UnknownEpochLength: Fractions of epochs cannot be placed.
            InvalidArgument: `accumulate`, `lookahead` or a function is not valid.
            InvalidCount: A function does not return a whole number, or a counter has a name that no
                limit can have.

        Warns:
            UnprovenEnd: The limit is in whole epochs only, and the loader has no length.
        """
        for name in counters:
            check_counter(name)
        for name, function in {"records": records, **counters}.items():
            if not callable(function) and (function is not None or name in counters):
                raise InvalidArgument(f"{name} is {function!r}; give a function of the batch")
        if lookahead is not None:
            truth("lookahead", lookahead)
        count = records or record_counter(loader, continued=self._epochs.pass_batches)
        return self._walk(loader, positive("accumulate", accumulate), count, lookahead, counters)

    def _walk(
        self,
        loader: Iterable[Batch],
        accumulate: int,
        count: Callable[[Batch], int],
        lookahead: bool | None,  # noqa: FBT001  # passed on
        counters: dict[str, Callable[[Batch], int]],
    ) -> Generator[Batch, None, None]:
        me = self._walker = object()
        progress = self.progress
        seen = False
        # Of the body that an earlier loop was left from: nothing of it is to be done again.
        self._due, self._step_now = (), False
        try:
            while self._outcome is None:
                current = self._open_pass(loader, lookahead, seen=seen)
                # Before that batch of the pass there is nothing but its counts to look at.
                look_at = 0 if counters or self._timed else current.length or 0
                drawn = 0
                try:
                    for batch in current.source:
                        drawn += 1
                        number = count(batch)
                        if type(number) is not int:
                            number = whole_count(number, "records")
                        # The common case, kept to a few comparisons like that of `advance`.
                        records, batches = progress.records + number, progress.batches + 1
                        steps, window = progress.steps, self._window + 1
                        if window >= accumulate:
                            steps, window = steps + 1, 0
                        if (
                            drawn < look_at
                            and records < self._next_records
                            and batches < self._next_batches
                            and steps < self._next_steps
                            and number > 0
                        ):
                            progress.records, progress.batches = records, batches
                            progress.steps = steps
                            self._window, self._step_now = window, not window
                        else:
                            extra = {
                                name: whole_count(counter(batch), name)
                                for name, counter in counters.items()
                            }
                            number = whole_count(number, "records")
                            self._count_batch(current, drawn, number, accumulate, extra)
                        yield batch
                        self._due = ()
                        if self._walker is not me:
                            self._leave()
                            return
                        self._step_now = False
                    current.check_end(drawn)
                finally:
                    self._waiting = current.close()
                seen = seen or drawn > 0
                self._end_of_pass(seen=seen, empty=not drawn, one_shot=current.one_shot)
        finally:
            if self._walker is me:
                self._walker = None
                if self._stop_reason is not None:
                    # Left by a break before the window closed, at which it would have stopped.
                    self.stop(self._stop_reason)

    def _leave(self) -> None:
        """End a loop that may not go on: its run has ended, or a newer loop has begun."""
        if self._outcome is None:
            raise TakenOver(
                "a newer batches() of this schedule has begun; "
                "use one loop at a time, or a schedule for each"
            )
        self._step_now = False

    def _open_pass(
        self,
        loader: Iterable[Any],
        lookahead: bool | None,  # noqa: FBT001  # passed on
        *,
        seen: bool,
    ) -> Pass:
        length = length_of(loader)
        if length == 0 and not seen:
            raise empty_loader(loader)
        epochs = self._epochs
        continued = epochs.pass_batches > 0
        if length and not self._epoch_length_given:
            known = epochs.batches_per_epoch
            if known is None or (known != length and not continued):
                epochs.batches_per_epoch = length
                # The points of fractions have to be found anew.
                self._next_batches = 0
        self._start()
        current = Pass(
            loader,
            # What the length of a continued pass counts is not known: all of it, or what is left.
            length=None if continued or lookahead is not None else length,
            ahead=lookahead is not False,
            waiting=self._waiting,
        )
        proven = length is not None or current.one_shot or self._epoch_length_given
        if not (seen or proven) and self._nearness.only_passes:
            import warnings

            warnings.warn(
                f"the run is limited to {self.until} on a loader without a length, and nothing "
                "proves that its epochs end; add '| <limit>' or give batches_per_epoch=",
                UnprovenEnd,
                stacklevel=3,
            )
        return current

    def _count_batch(
        self, current: Pass, drawn: int, records: int, accumulate: int, counters: dict[str, int]
    ) -> None:
        """Count a batch before it is handed out, its step and the end of its pass included."""
        current.check_drawn(drawn)
        full = self._window + 1 >= accumulate
        if current.one_shot:
            self._count_of_one_shot(current, drawn, records, counters, full=full)
        else:
            last = current.is_last(drawn)
            closes = full or last
            self._window, self._step_now = 0 if closes else self._window + 1, closes
            self.advance(records, 1, 1 if closes else 0, 1 if last else 0, **counters)
        if self._stop_reason is not None and self._step_now:
            self.stop(self._stop_reason)

    def _count_of_one_shot(
        self, current: Pass, drawn: int, records: int, counters: dict[str, int], *, full: bool
    ) -> None:
        """Count a batch, and draw ahead only if it does not end the run: that one would be lost."""
        self._count(records, 1, counters)
        self.progress.steps += 1 if full else 0
        ends = self._agenda.reached(self._position()) is not None
        try:
            last = not ends and current.is_last(drawn)
        except BaseException:
            # Interrupted as it waited for the batch ahead: the one at hand is never handed out.
            self._count(-records, -1, {name: -count for name, count in counters.items()})
            self.progress.steps -= 1 if full else 0
            raise
        closes = full or last
        self.progress.steps += 1 if last and not full else 0
        self._window, self._step_now = 0 if closes else self._window + 1, closes
        if last:
            self._end_passes(1)
        self._settle(ending=EXHAUSTED if last and self._allow_short else None)

    def _end_of_pass(self, *, seen: bool, empty: bool, one_shot: bool) -> None:
        if not seen:
            raise self._nearness.no_batches()
        if not empty:
            names = self.end_epoch()
            if self._outcome is None:
                # Found between two batches: the next one is where they can be acted on.
                self._carried, self._due = names, ()
                self._next_batches = 0 if names else self._next_batches
        if self._outcome is None and (one_shot or empty):
            self._settle(ending=EXHAUSTED)
            # The step of a window that was still open may have reached it.
            if not self._allow_short and self._agenda.reached(self._position()) is None:
                raise DataExhausted(self.progress.counts(), self.until)
