"""A schedule: a run counted against its limit, and the passes over its loader."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import TypeVar

from treadle_units.checks import positive
from treadle_units.counting import Counting
from treadle_units.errors import DataExhausted, InvalidArgument, TakenOver, UnprovenEnd
from treadle_units.outcome import EXHAUSTED
from treadle_units.passes import Pass, empty_loader, length_of
from treadle_units.records import count_records, counted_by

Batch = TypeVar("Batch")


class Schedule(Counting):
    """Counts a run, says what is due, and ends it.

    In a loop of one's own:

    ```python
    schedule = Schedule(until="10 epochs", validate=Every("1 epoch", at_end=True), save="500 steps")
    for batch in schedule.batches(loader, accumulate=4):
        loss(batch).backward()
        if schedule.step_now:
            optimizer.step(); optimizer.zero_grad()
        for name in schedule.due(): ...
    ```

    Inside of someone else's loop `advance` takes what was used since the last call, `end_epoch`
    follows each pass, and the loop ends where `finished` is true.

    Where an epoch is a pass over the loader, whole epochs need no length.
    Seconds run from construction, or from `load_state_dict`, and are read at each `advance`.
    The bounds of counting across ranks: records are those of all ranks, and a batch is one draw of
    every rank.

    Args:
        until: The limit, a `Limit` or text; reached means counted that far or beyond.
        epoch_length: What one epoch is, where a pass over the data has no end or no meaning:
            a `Length` in another unit than epochs, or text.
        batches_per_epoch: How many batches a pass has, for fractions of epochs.
            `batches` takes it from the loader's `len` where it is not given.
        resolve: `"first_epoch"` lets fractions of epochs wait until the first pass has shown how
            many batches an epoch has.
        allow_short: Whether data that ends before the limit is a good end.
        clock: Returns seconds, monotonic.
        **triggers: What is to be due, by name: `Every`, `At`, a length or text (as `Every` of it),
            or `None` for never.

    Raises:
        InvalidArgument: `epoch_length`, `batches_per_epoch` or `resolve` is none that can be.
        InvalidTrigger: A trigger is not one length.
        UnitsError: A text cannot be read; see `Limit.parse`.

    Attributes:
        progress: What was counted.
        until: The limit.
    """

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

        After a `break`, or after `load_state_dict`, it continues the pass, and the loader is
        expected to continue it too; the loader's `len` is not used for the rest of that pass.
        Nothing is drawn past the limit from a one-shot iterator, and a batch drawn ahead of a
        `break` comes first when `batches` is next given the same iterator.

        Args:
            loader: Anything that can be iterated; a one-shot iterator is one epoch.
            accumulate: Batches for one optimizer step; see `step_now`.
            records: How many records a batch has; see `count_records` for what is done without.
            lookahead: How the last batch of a pass is known: by `len`, else by drawing one batch
                ahead (`None`), always by drawing ahead (`True`), or not at all (`False`, for
                queues).
            **counters: What else to count of each batch, such as
                `tokens=lambda batch: batch["mask"].sum()`.

        Raises:
            EmptyEpoch: The loader has no batches, or a pass adds nothing in the limit's unit.
            DataExhausted: The data ended before the limit, and `allow_short` is false.
            WrongLength: The loader's `len` is not what it yields.
            TakenOver: It is resumed after a newer `batches` of this schedule has begun.
            UncountableBatch: A batch does not say how many records it has.
            EmptyBatch: A batch has no records.
            UnknownEpochLength: Fractions of epochs cannot be placed.

        Warns:
            UnprovenEnd: The limit is whole epochs alone, and the loader has no length.
        """
        for name, function in {"records": records, **counters}.items():
            if function is not None and not callable(function):
                raise InvalidArgument(f"{name} is {function!r}; give a function of the batch")
        count: Callable[[Batch], int] = count_records
        if records is not None:
            count = partial(counted_by, records, "records")
        return self._walk(loader, positive("accumulate", accumulate), count, lookahead, counters)

    def _walk(
        self,
        loader: Iterable[Batch],
        accumulate: int,
        records: Callable[[Batch], int],
        lookahead: bool | None,  # noqa: FBT001  # passed on
        counters: dict[str, Callable[[Batch], int]],
    ) -> Generator[Batch, None, None]:
        me = self._walker = object()
        seen = False
        try:
            while not self.finished:
                current = self._open_pass(loader, lookahead, seen=seen)
                empty = True
                try:
                    while current.draw():
                        seen, empty = True, False
                        batch = current.batch
                        extra = {
                            name: counted_by(count, name, batch) for name, count in counters.items()
                        }
                        self._count_batch(current, records(batch), accumulate, extra)
                        yield batch
                        if self._walker is not me:
                            raise TakenOver(
                                "a newer batches() of this schedule has begun; "
                                "use one loop at a time, or a schedule for each"
                            )
                        self._due, self._step_now = (), False
                        if self._outcome is not None:
                            return
                finally:
                    self._waiting = current.close()
                self._end_of_pass(seen=seen, empty=empty, one_shot=current.one_shot)
        finally:
            if self._walker is me:
                self._walker = None
                if self._stop_reason is not None:
                    # Left by a break before the window closed, at which it would have stopped.
                    self.stop(self._stop_reason)

    def _open_pass(
        self,
        loader: Iterable[Batch],
        lookahead: bool | None,  # noqa: FBT001  # passed on
        *,
        seen: bool,
    ) -> Pass[Batch]:
        length = length_of(loader)
        if length == 0 and not seen:
            raise empty_loader(loader)
        epochs = self._epochs
        continued = epochs.pass_batches > 0
        if length and not self._epoch_length_given:
            if not continued or epochs.batches_per_epoch is None:
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
            warnings.warn(
                f"the run is limited to {self.until} on a loader without a length, and nothing "
                "proves that its epochs end; add '| <limit>' or give batches_per_epoch=",
                UnprovenEnd,
                stacklevel=3,
            )
        return current

    def _count_batch(
        self, current: Pass[Batch], records: int, accumulate: int, counters: dict[str, int]
    ) -> None:
        """Count a batch before it is handed out, its step and the end of its pass included."""
        full = self._window + 1 >= accumulate
        if current.one_shot:
            self._count_of_one_shot(current, records, counters, full=full)
        else:
            last = current.is_last()
            closes = full or last
            self._window, self._step_now = 0 if closes else self._window + 1, closes
            self.advance(records, 1, 1 if closes else 0, 1 if last else 0, **counters)
        if self._stop_reason is not None and self._step_now:
            self.stop(self._stop_reason)

    def _count_of_one_shot(
        self, current: Pass[Batch], records: int, counters: dict[str, int], *, full: bool
    ) -> None:
        """Count a batch, and draw ahead only if it does not end the run: that one would be lost."""
        self._count(records, 1, counters)
        self.progress.steps += 1 if full else 0
        ends = self._agenda.reached(self._position) is not None
        last = not ends and current.is_last()
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
            if not self._allow_short:
                raise DataExhausted(self.progress.counts(), self.until)
