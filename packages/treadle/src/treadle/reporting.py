"""A run whose numbers somebody else is told as well, such as a search over many trainings."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from treadle_tracking import Run
from treadle_units import Progress, Schedule

__all__ = ["COUNTS", "ReportingRun", "Row", "Tell", "counts_of", "numbers"]

COUNTS = ("records", "batches", "steps", "epochs")

Row = dict[str, float]


class Tell(Protocol):
    """What is called with the metrics by name, and the counts by unit."""

    def __call__(self, row: Row, *, is_last: bool) -> None:
        """Take a row; `is_last` where the training ends with it."""


class ReportingRun(Run):
    """A run that is recorded like any other, and of which somebody is told some metrics.

    Whenever each of them has been logged anew, `tell` gets their values, and the counts of the training by then.

    Attributes:
        logged: The names of all that was logged so far.
    """

    logged: set[str]
    _names: Sequence[str]
    _tell: Tell
    _anew: dict[str, Any]
    _schedule: Schedule | None

    @classmethod
    def of(cls, run: Run, names: Sequence[str], tell: Tell) -> "ReportingRun":
        """Make a run one of these.

        Args:
            run: As `start_run` has made it.
            names: Of the metrics. A further counter of the training, such as `tokens`, need not be logged.
            tell: Is called in `log`, once that is recorded. What it raises, `log` raises.
        """
        # Not a second object: whoever holds one of two could close the run of the other.
        run.__class__ = cls
        reporting = cast("ReportingRun", run)
        reporting.report_to(tell, names)
        return reporting

    def report_to(self, tell: Tell, names: Sequence[str]) -> None:
        """Tell somebody of these metrics from now on."""
        self._tell, self._names = tell, tuple(names)
        self._anew, self._schedule, self.logged = {}, None, set()

    def follow(self, schedule: Schedule) -> None:
        """Take the counts from this training from now on; before that, there are only steps."""
        self._schedule = schedule

    def log(self, values: Mapping[str, Any], *, step: int) -> None:
        """Record metrics at a step, as `Run.log` does, and tell of them."""
        super().log(values, step=step)
        self.logged.update(values)
        schedule = self._schedule
        counts = {"steps": step} if schedule is None else counts_of(schedule.progress)
        wanted = [name for name in self._names if name not in counts]
        self._anew.update((name, values[name]) for name in wanted if name in values)
        if not wanted or len(self._anew) < len(wanted):
            return
        row = numbers(self._anew)
        self._anew = {}
        self._tell({**row, **counts}, is_last=schedule is not None and schedule.finished)


def counts_of(progress: Progress) -> dict[str, int]:
    """The counts of a training by unit, and its further counters by name."""
    return {unit: progress.total(unit) for unit in COUNTS} | progress.counters


def numbers(values: Mapping[str, Any]) -> Row:
    """Metrics as plain numbers. Of the tensors among them, those of one device come in one transfer.

    Args:
        values: Numbers, and tensors of one element on any device, by name.
    """
    row = dict(values)
    devices: dict[Any, dict[str, Any]] = {}
    torch = sys.modules.get("torch")  # whoever gives a tensor has imported it
    for name, value in values.items():
        if torch is not None and isinstance(value, torch.Tensor):
            kind = (value.device, value.dtype)
            devices.setdefault(kind, {})[name] = value.detach().reshape(())
        else:
            row[name] = value if isinstance(value, int) else float(value)
    for tensors in devices.values():
        assert torch is not None
        row.update(zip(tensors, torch.stack(list(tensors.values())).tolist(), strict=True))
    return row
