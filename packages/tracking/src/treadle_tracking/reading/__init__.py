"""Runs read back, wherever they are."""

from treadle_tracking.reading.condition import Condition
from treadle_tracking.reading.errors import UnknownArtifact
from treadle_tracking.reading.opening import open_runs
from treadle_tracking.reading.points import Points
from treadle_tracking.reading.reader import Reader
from treadle_tracking.reading.record import Contents, ReadStatus, RunRecord
from treadle_tracking.reading.runs import Runs

__all__ = [
    "Condition",
    "Contents",
    "Points",
    "ReadStatus",
    "Reader",
    "RunRecord",
    "Runs",
    "UnknownArtifact",
    "open_runs",
]
