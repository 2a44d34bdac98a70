"""The run of a sweep, which those of its trials are below: found again, and by MLflow's name for it."""

from treadle.integrations.ray.notices import say
from treadle_tracking import Run, RunDirectoryError, identity_at, open_runs

__all__ = ["MARK", "found_again", "identity_in_mlflow"]

MARK = "is_sweep"  # the tag by which the run of a sweep is known

# A new database takes MLflow ten seconds; and a machine that begins a sweep is busy.
_MLFLOW_SECONDS = 60.0


def found_again(target: str, experiment: str, name: str) -> str | None:
    """The uid of the sweep of this name that was begun last, however it has ended.

    Args:
        target: Where runs are kept, `tensorboard:DIR`.
        experiment: The sweep's.
        name: Likewise.
    """
    try:
        runs = open_runs(target)
    except RunDirectoryError:  # nothing was recorded there yet
        return None
    found = [
        run for run in runs if (run.experiment, run.name) == (experiment, name) and MARK in run.tags
    ]
    return max(found, key=lambda run: run.started).uid if found else None


def identity_in_mlflow(run: Run) -> str | None:
    """What MLflow calls a run, as soon as it knows it: there, runs are put below each other by that."""
    uris = [uri for uri in run.mirrors if uri.startswith("mlflow:")]
    if not uris:
        return None
    if len(uris) == 1:
        identity = identity_at(run.directory, uris[0], timeout=_MLFLOW_SECONDS)
        if identity is not None:
            return identity
    why = "has not answered" if len(uris) == 1 else "is not the only one, and calls it otherwise"
    say(f"{uris[0]} {why}: its pages will show the trials beside the sweep, and not below it")
    return None
