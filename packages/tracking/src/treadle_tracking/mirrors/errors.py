"""What can go wrong between a run and its mirrors, one class a condition."""

from pathlib import Path
from shlex import quote

from treadle_tracking.errors import InvalidTarget, TrackingError

__all__ = [
    "DatabaseUnusable",
    "ExperimentDeleted",
    "FileStoreRefused",
    "MirrorFailed",
    "MirrorStateDamaged",
    "MissingDriver",
    "NoMirror",
    "PasswordNeeded",
    "RunDeleted",
    "SyncIncomplete",
]


class FileStoreRefused(InvalidTarget):
    """The target is a folder of MLflow's old file store, in which a point sent twice is there twice."""

    def __init__(self, uri: str) -> None:
        folder = uri.removeprefix("file://").removeprefix("file:")
        super().__init__(
            f"target 'mlflow:{uri}' is a file store, in which points that are sent again appear twice and which MLflow "
            f"itself no longer opens. Name a database, as in 'mlflow:sqlite:///mlflow.db'; old runs are brought into "
            f"it by: mlflow migrate-filestore --source {folder or '.'} --target sqlite:///mlflow.db"
        )


class DatabaseUnusable(TrackingError):
    """An sqlite database of MLflow's cannot be opened, or made."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"the database {path} cannot be used: {reason}")
        self.path = path


class MissingDriver(TrackingError):
    """The Python driver of a database is not installed; which one a database takes is for its owner to choose."""

    def __init__(self, uri: str, driver: str) -> None:
        super().__init__(
            f"the mirror {uri} needs {driver}, the driver of this database, which cannot be imported: install it, or "
            f"name another driver after the database, as in 'mlflow:postgresql+psycopg://…'"
        )


def _commanded(uri: str) -> str:
    """A mirror's address as a shell takes it."""
    return quote(uri.removeprefix("mlflow:").replace("***", "USER:PASSWORD"))


class ExperimentDeleted(TrackingError):
    """MLflow keeps the name of a deleted experiment taken, and takes no runs under it."""

    def __init__(self, name: str, identity: str, uri: str) -> None:
        address = _commanded(uri)
        # A server removes nothing for good: that is done on its database.
        database = "DATABASE_OF_THE_SERVER" if uri.startswith("mlflow:http") else address
        super().__init__(
            f"the experiment {name!r} is deleted at {uri}, and MLflow keeps its name taken: bring it back with "
            f"`MLFLOW_TRACKING_URI={address} mlflow experiments restore -x {identity}`, or remove it with "
            f"`MLFLOW_TRACKING_URI={address} mlflow gc --backend-store-uri {database} --experiment-ids {identity}`"
        )


class RunDeleted(TrackingError):
    """The run was deleted at the mirror, so it takes nothing more."""

    def __init__(self, name: str, identity: str, uri: str) -> None:
        super().__init__(
            f"the run {name!r} is deleted at {uri}: bring it back with "
            f"`MLFLOW_TRACKING_URI={_commanded(uri)} mlflow runs restore --run-id {identity}`"
        )


class MirrorFailed(TrackingError):
    """A mirror whose address holds a password failed; the message is the cause's, without the password."""


class MirrorStateDamaged(TrackingError):
    """The note of what a mirror has been sent cannot be read."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} cannot be read, and it says where this run is mirrored to: delete that file and send the run "
            f"again with treadle_tracking.sync({str(path.parent)!r}, to='mlflow:URI'). What has arrived already "
            f"stays as it is"
        )
        self.path = path


class NoMirror(TrackingError):
    """`sync` was asked for a run that has never been mirrored, without saying where to."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"the run in {directory} has no mirror. Say where it is to be sent: "
            f"treadle_tracking.sync({str(directory)!r}, to='mlflow:sqlite:///mlflow.db')"
        )


class PasswordNeeded(TrackingError):
    """A mirror was given with a password, which is not kept in the run directory."""

    def __init__(self, uri: str, directory: Path) -> None:
        super().__init__(
            f"the run in {directory} is mirrored to {uri}, and its password is not kept. Give the whole address: "
            f"treadle_tracking.sync({str(directory)!r}, to={uri.replace('***', 'USER:PASSWORD')!r})"
        )


class SyncIncomplete(TrackingError):
    """Something of the run has not arrived; each line of the message says how much, where, and why."""
