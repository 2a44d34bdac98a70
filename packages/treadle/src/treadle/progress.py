"""What a training says of itself while it runs: a line for each result, and a bar where somebody sees it."""

import sys
from importlib.util import find_spec
from time import monotonic
from typing import TYPE_CHECKING

from treadle.errors import MissingExtra
from treadle.moments import Moment
from treadle_units import Length, Limit, Progress, Seconds

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_REFRESH_SECONDS = 0.1


class Narrator:
    """Prints lines to stdout, and draws a bar on stderr if that is a terminal, or below the cell of a notebook.

    It reads nothing from a device but the results that it prints, which are there by then.

    Args:
        batches_per_epoch: How many batches a pass has, if that is known.

    Raises:
        MissingExtra: rich is not installed.
    """

    def __init__(self, batches_per_epoch: int | None) -> None:
        self._bar = _bar()
        self._batches_per_epoch = batches_per_epoch
        self._next_refresh = 0.0
        self._is_heard = sys.stdout is not None
        if self._bar is not None:
            self._task = self._bar.add_task("", total=1.0)
            self._bar.start()

    def tell(self, moment: Moment) -> None:
        """Say what this moment brought; between results it costs a look at the clock."""
        if self._is_heard and (moment.trained is not None or moment.validated):
            self._print(moment)
        if self._bar is None or monotonic() < self._next_refresh:
            return
        self._next_refresh = monotonic() + _REFRESH_SECONDS
        progress = moment.schedule.progress
        self._bar.update(
            self._task,
            completed=fraction_done(moment.schedule.until, progress, self._batches_per_epoch),
            description=f"epoch {progress.epochs + 1}, step {progress.steps}",
            refresh=True,
        )

    def close(self) -> None:
        """Take the bar away; what was printed stays."""
        if self._bar is not None:
            self._bar.stop()

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
                self._bar.stop()  # the terminal may be the same
            for line in lines:
                sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except OSError:
            # Whoever read the lines has gone, or the disk is full. Neither is a reason to end a training.
            self._is_heard = False
        if self._bar is not None:
            self._bar.start()


def _bar() -> "Bar | None":
    """A bar that is drawn when it is told to, from no thread of its own; None where nobody would see it."""
    try:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bar
    except ImportError:
        raise MissingExtra("progress=True", "progress") from None
    if sys.stderr is None:  # as in a daemon
        return None
    console = Console(stderr=True)
    is_seen = find_spec("ipywidgets") is not None if console.is_jupyter else console.is_terminal
    if not is_seen or console.is_dumb_terminal:
        return None
    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Bar(
        TextColumn("{task.description}"),
        *columns,
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


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
