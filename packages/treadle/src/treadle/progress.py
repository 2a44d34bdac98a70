"""What a training says of itself while it runs: a line for each result, and a bar on a terminal."""

import sys
from time import monotonic

from treadle.errors import MissingExtra
from treadle.moments import Moment
from treadle_units import Length, Limit, Progress, Seconds

_REFRESH_SECONDS = 0.1


class Narrator:
    """Prints lines to stdout and draws a bar on stderr, if that is a terminal.

    Args:
        batches_per_epoch: How many batches a pass has, if that is known.

    Raises:
        MissingExtra: tqdm is not installed.
    """

    def __init__(self, batches_per_epoch: int | None) -> None:
        try:
            from tqdm import tqdm
        except ImportError:
            raise MissingExtra("progress=True", "progress") from None
        self._batches_per_epoch = batches_per_epoch
        self._bar = tqdm(
            total=1.0,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}",
            leave=False,
            # tqdm looks at stderr, which a daemon may not have.
            disable=True if sys.stderr is None else None,
            miniters=0,
        )
        self._next_refresh = 0.0
        self._is_heard = sys.stdout is not None

    def tell(self, moment: Moment) -> None:
        """Say what this moment brought; between results it costs a look at the clock."""
        if self._is_heard and (moment.trained is not None or moment.validated):
            self._print(moment)
        if self._bar.disable or monotonic() < self._next_refresh:
            return
        self._next_refresh = monotonic() + _REFRESH_SECONDS
        progress = moment.schedule.progress
        done = fraction_done(moment.schedule.until, progress, self._batches_per_epoch)
        where = f"epoch {progress.epochs + 1}, step {progress.steps}"
        self._bar.set_description_str(where, refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Take the bar away; what was printed stays."""
        self._bar.close()

    def _print(self, moment: Moment) -> None:
        progress = moment.schedule.progress
        # A result belongs to the pass that ends here, or to the step in the middle of one.
        where = f"epoch {progress.epochs}" if moment.update.last else f"step {progress.steps}"
        lines = [f"{where}: {moment.trained}"] if moment.trained is not None else []
        for name, result in moment.validated.items():
            which = f" ({name})" if len(moment.validated) > 1 else ""
            lines.append(f"{where}: {result}{which}")
        try:
            for line in lines:
                self._bar.write(line, file=sys.stdout)
            sys.stdout.flush()
        except OSError:
            # Whoever read the lines has gone, or the disk is full. Neither is a reason to end a training.
            self._is_heard = False


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
