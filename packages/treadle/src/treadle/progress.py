"""What a training says of itself while it runs: a line for each result, and a bar where somebody sees it."""

import sys
from time import monotonic

from treadle.bars import bar_here
from treadle.moments import Moment
from treadle_units import Length, Limit, Progress, Schedule, Seconds

_REFRESH_SECONDS = 0.2


class Narrator:
    """Prints lines to stdout, and draws a bar on stderr if that is a terminal, or below the cell of a notebook.

    It reads nothing from a device but the results that it prints, which are there by then.

    Args:
        batches_per_epoch: How many batches a pass has, if that is known.

    Raises:
        MissingExtra: rich is not installed.
    """

    def __init__(self, batches_per_epoch: int | None) -> None:
        self._bar = bar_here()
        self._batches_per_epoch = batches_per_epoch
        self._schedule: Schedule | None = None
        self._next_refresh = 0.0
        self._is_heard = sys.stdout is not None

    def tell(self, moment: Moment) -> None:
        """Say what this moment brought; between results it costs a look at the clock."""
        self._schedule = moment.schedule
        if self._bar is not None and monotonic() >= self._next_refresh:
            self._next_refresh = monotonic() + _REFRESH_SECONDS
            self._draw()
        if self._is_heard and (moment.trained is not None or moment.validated):
            self._print(moment)

    def close(self) -> None:
        """Take the bar away, or leave it in a notebook as the training has ended; what was printed stays."""
        if self._bar is not None:
            self._draw()
            self._bar.close()

    def _draw(self) -> None:
        if self._bar is None or self._schedule is None:
            return
        progress = self._schedule.progress
        self._bar.draw(
            f"epoch {progress.epochs + (progress.epoch.batches > 0)}, step {progress.steps}",
            fraction_done(self._schedule.until, progress, self._batches_per_epoch),
        )

    def _print(self, moment: Moment) -> None:
        progress = moment.schedule.progress
        # A result belongs to the pass that ends here, or to the step in the middle of one.
        where = f"epoch {progress.epochs}" if moment.update.last else f"step {progress.steps}"
        lines = [f"{where}: {moment.trained}"] if moment.trained is not None else []
        for name, result in moment.validated.items():
            which = f" ({name})" if len(moment.validated) > 1 else ""
            lines.append(f"{where}: {result}{which}")
        try:
            if self._bar is not None:
                self._bar.hide()  # the terminal may be the same
            for line in lines:
                sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except OSError:
            # Whoever read the lines has gone, or the disk is full. Neither is a reason to end a training.
            self._is_heard = False
        if self._bar is not None:
            self._bar.show()


def fraction_done(until: Limit, progress: Progress, batches_per_epoch: int | None) -> float:
    """How near a limit is, from 0 to 1; of alternatives, the nearest. For showing only: a float."""

    def fraction(goal: Length | Seconds) -> float:
        if goal.unit == "seconds":
            return progress.seconds / float(goal.value)
        count: float = progress.total(goal.unit)
        if goal.unit == "epochs" and batches_per_epoch is not None:
            count += progress.epoch.batches / batches_per_epoch
        return count / float(goal.value)

    return min(1.0, max(fraction(goal) for goal in until.alternatives))
