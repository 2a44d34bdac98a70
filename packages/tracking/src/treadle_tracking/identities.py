"""What a mirror calls a run."""

from pathlib import Path
from time import monotonic, sleep

from treadle_tracking.errors import InvalidTarget, seen
from treadle_tracking.mirrors.state import load_every
from treadle_tracking.syncing import check_timeout, checked_directory
from treadle_tracking.target import names_of_mirror

__all__ = ["identity_at"]

_PAUSE = 0.02  # seconds; a mirror's note may be written by another process


def identity_at(directory: str | Path, mirror: str, *, timeout: float | None = 0.0) -> str | None:
    """What a mirror calls a run, such as MLflow's id of it, which is known once the mirror is first reached.

    It is the same as `RunRecord.identity`, without asking the mirror. MLflow shows a run below the one whose id is its
    tag `mlflow.parentRunId`.

    Args:
        directory: The run's own, whichever process writes it.
        mirror: One of `Run.mirrors`, or the target as it was given.
        timeout: Seconds to wait until the mirror is reached; None for as long as it takes. A new database takes MLflow
            ten seconds, and more on a busy machine.

    Returns:
        None if the mirror has not been reached so far, or is not one of this run's.

    Raises:
        InvalidTarget: `mirror` is not a text, or `directory` not a path.
        InvalidTimeout: `timeout` is not a time.
        MirrorStateDamaged: the note of a mirror cannot be read.
    """
    check_timeout(timeout)
    directory = checked_directory(directory)
    if not isinstance(mirror, str):
        raise InvalidTarget(
            f"mirror is {seen(mirror)}; expected one of the run's, as run.mirrors[0] is"
        )
    names = names_of_mirror(mirror)
    deadline = None if timeout is None else monotonic() + timeout
    while True:
        for sent in load_every(directory):
            if sent.uri in names and sent.identity is not None:
                return sent.identity
        if deadline is not None and monotonic() >= deadline:
            return None
        sleep(_PAUSE)
