"""Where runs are read: the same targets that they are sent to."""

from treadle_tracking import backends
from treadle_tracking.errors import InvalidTarget, seen
from treadle_tracking.reading.directories import DirectoryReader
from treadle_tracking.reading.runs import Runs
from treadle_tracking.target import parse_targets

__all__ = ["open_runs"]


def open_runs(target: str, *, infer_types: bool = False) -> Runs:
    """The runs of one place: `open_runs("tensorboard:runs")`, `open_runs("mlflow:http://HOST:5000")`.

    Nothing is changed there, except that a directory with several megabytes of logs gets an index, which is only a
    cache. A directory or a database that does not exist is not created.

    Args:
        target: `tensorboard:DIR` is a run directory or one with runs below it; `mlflow:URI` an MLflow server or
            database, and `mlflow:` the one that `start_run("mlflow:")` sends to. Other packages may add further ones.
        infer_types: Whether a parameter that is stored only as text, as in MLflow for runs that other programs wrote,
            is read as the int, float, True, False or None of which it is exactly the text. Runs of this package keep
            their types wherever they are.

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
