"""One window on several ranks: what must be the same everywhere before anything is computed."""

from collections.abc import Callable, Iterator, Sequence
from math import nan
from typing import Any

from torch import nn

from treadle_loop.errors import RecordsDisagree, RecordsUnknown, UnequalRanks
from treadle_loop.meeting import agree, raise_if_failed
from treadle_loop.passes import GivenWindow, Pass
from treadle_loop.runtime import Runtime


class AgreedPass:
    """A pass whose windows are drawn whole and agreed on before the first forward of each.

    Not later: the forward of a replicated model has collectives of its own, and a rank that has
    run out of batches would leave the others waiting in them for ever.

    Args:
        open_pass: begins this rank's pass. It is called when the others can be told that it failed.
        runtime: how the ranks talk.
        model: whose gradients are not exchanged before a window's last batch.
        place: moves a batch to the device.
        stop: asked once a window whether this rank wants the pass to end. All ranks then end it
            after that window.

    Attributes:
        planned: how many batches the window has, on each rank.
        last: whether it ends the pass.
        records: how many records it has, over all ranks; nan where a batch does not say.
    """

    def __init__(
        self,
        open_pass: Callable[[], Pass],
        runtime: Runtime,
        model: nn.Module,
        place: Callable[[Any], Any],
        stop: Callable[[], bool] | None,
    ) -> None:
        self._open_pass = open_pass
        self._windows: Pass | None = None
        self._runtime = runtime
        self._model = model
        self._place = place
        self._stop = stop
        self._stopping = False
        self._drawn = 0
        # Each with its records, which are None where the step has to say them.
        self._batches: list[tuple[Any, int | None]] = []
        self._counted: int | None = None
        self.planned = 0
        self.last = False
        self.records = 0.0

    def begin(self) -> bool:
        """Draw the next window and agree on it; False where the pass is over.

        Raises:
            RankFailed: another rank could not begin its pass, draw its batches, or say whether to
                stop.
            RanksOutOfStep: another rank is doing something else.
            UnequalRanks: another rank has more batches, or fewer, in the window or in the pass.
        """
        if self._stopping:
            return False
        failure = None
        own_last = stop = False
        try:
            own_last = self._draw()
            stop = self._stop is not None and self._stop()
        except Exception as error:  # noqa: BLE001 (the others are waiting, and are told first)
            failure = error
        self._drawn += len(self._batches)
        given = isinstance(self._windows, GivenWindow)
        everyone = agree(
            self._runtime,
            "an update",
            [
                failure is not None,
                len(self._batches),
                own_last or not self._batches,
                self._drawn,
                sum(nan if count is None else count for _, count in self._batches),
                stop,
            ],
            failure,
        )
        failed, batches, ended, drawn, records, stops = zip(*everyone, strict=True)
        raise_if_failed(
            failed, "could not begin its next update, so no rank can go on; its own error says why"
        )
        _check_equal(batches, ended, drawn, given=given)
        self.planned, self.last = len(self._batches), own_last
        self.records = sum(records)
        self._stopping = any(stops)
        return self.planned > 0

    def draw(self) -> Iterator[Any]:
        """The batches, on their device; gradients are exchanged in the backward of the last one."""
        *inner, (final, records_of_final) = self._batches
        self._batches = []
        for batch, self._counted in inner:
            with self._runtime.no_sync(self._model):
                yield batch
        self._counted = records_of_final
        yield final

    def count(self, batch: Any) -> int:
        """How many records the batch has that was drawn last."""
        assert self._windows is not None
        return self._windows.count(batch) if self._counted is None else self._counted

    def drawn(self, batches: int) -> None:
        """There is nothing to learn: they were drawn before."""

    def _draw(self) -> bool:
        """Draw the window; whether it ends the pass of this rank."""
        self._batches = []
        if self._windows is None:
            self._windows = self._open_pass()
        windows = self._windows
        if windows.begin():
            placed = map(self._place, windows.draw())
            self._batches = [(batch, _counted(windows.count, batch)) for batch in placed]
            windows.drawn(len(self._batches))
        return windows.last


def _counted(count: Callable[[Any], int], batch: Any) -> int | None:
    try:
        return count(batch)
    except (RecordsDisagree, RecordsUnknown):
        return None


def _check_equal(
    batches: Sequence[float], ended: Sequence[float], drawn: Sequence[float], *, given: bool
) -> None:
    """See that an update is of equally many batches on each rank, and ends the pass on all or none.

    Args:
        batches: how many each rank has for it.
        ended: whether each rank has no more.
        drawn: how many each has drawn, those included.
        given: whether they were given to `Engine.update`, and belong to no pass.

    Raises:
        UnequalRanks: it is not.
    """
    if len(set(batches)) == 1 and len(set(ended)) == 1:
        return
    here = ", ".join(f"rank {rank}: {count:.0f}" for rank, count in enumerate(batches))
    if given:
        raise UnequalRanks(
            f"Engine.update was given unequal numbers of batches: {here}; an update needs all "
            "ranks for each batch, so give it equally many on every rank",
        )
    # A window that does not end its pass is full: it has as many batches as are accumulated.
    full = [count for count, one in zip(batches, ended, strict=True) if not one]
    if full and max(batches) > min(full):
        raise UnequalRanks(
            f"the ranks accumulate unequal numbers of batches: in this update {here}; make the "
            "engine with the same accumulate on every rank",
        )
    numbers = ", ".join(
        f"rank {rank}: {count:.0f}" if one else f"rank {rank}: more than {count:.0f}"
        for rank, (count, one) in enumerate(zip(drawn, ended, strict=True))
    )
    raise UnequalRanks(
        f"the ranks have unequal numbers of batches: {numbers} (from where this pass was begun, or "
        "resumed); an update needs all of them, so give each rank equally many: "
        "EpochSampler(dataset, drop_last=True) does, and so does the loader's own drop_last",
    )
