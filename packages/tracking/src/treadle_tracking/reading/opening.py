"""Where runs are read: the same targets that they are sent to."""

from treadle_tracking import backends
from treadle_tracking.errors import InvalidTarget, seen
from treadle_tracking.reading.directories import DirectoryReader
from treadle_tracking.reading.runs import Runs
from treadle_tracking.target import parse_targets

__all__ = ["open_runs"]


def open_runs(target: str, *, infer_types: bool = False) -> Runs:
    """The runs of one place: `open_runs("tensorboard:runs")`, `open_runs("mlflow:http://HOST:5000")`.

    Nothing is changed there, but that a directory with several megabytes of logs is given an index, which is only a cache.
    A directory or a database that does not exist is not made.

    Args:
        target: `tensorboard:DIR` is a run directory or one that runs are below; `mlflow:URI` an MLflow server or
            database, and `mlflow:` the one that `start_run("mlflow:")` sends to. What else there is, other packages bring.
        infer_types: Whether a parameter that its place has as text alone, as MLflow has those of runs that others have
            written, is read as the int, float, True, False or None that it is exactly the text of. Runs of this package
            have their types wherever they are.

    Raises:
        InvalidTarget: the target is none of these.
        RunDirectoryError: there is no such directory.
        TrackingError: the place cannot be reached, or what reads it is not installed.
    """
    if not isinstance(target, str):
        raise InvalidTarget(
            f"target is {seen(target)}; runs are read from one place: 'tensorboard:DIR' or 'mlflow:URI'"
        )
    where = parse_targets(target)
    if where.mirrors:
        return Runs(backends.reader(where.mirrors[0], infer_types=infer_types))
    return Runs(DirectoryReader(where.root))
