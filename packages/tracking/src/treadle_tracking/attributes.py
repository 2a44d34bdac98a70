"""What every run has beside what was recorded in it, in plain values."""

from treadle_tracking.clock import milliseconds
from treadle_tracking.reading.record import RunRecord

__all__ = ["ATTRIBUTES", "attributes"]

# In the order of a table.
ATTRIBUTES = "uid", "name", "experiment", "group", "status", "started", "ended", "duration"


def attributes(run: RunRecord) -> dict[str, str | float | None]:
    """The `ATTRIBUTES` of one run by name: times in seconds since the epoch and the duration in seconds, each in whole
    milliseconds; None for what it has not.
    """
    started = milliseconds(run.started)
    ended = None if run.ended is None else milliseconds(run.ended)
    return {
        "uid": run.uid,
        "name": run.name,
        "experiment": run.experiment,
        "group": run.group,
        "status": run.status,
        "started": started / 1000,
        "ended": None if ended is None else ended / 1000,
        "duration": None if ended is None else (ended - started) / 1000,
    }
