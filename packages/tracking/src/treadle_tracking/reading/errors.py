"""What can go wrong when runs are read, one class a condition."""

from collections.abc import Iterable
from pathlib import Path
from shlex import quote

from treadle_tracking.errors import TrackingError, shortened, suggestion
from treadle_tracking.masking import to_be_filled_in
from treadle_tracking.mirrors.errors import Purpose

__all__ = [
    "ArtifactUnreadable",
    "DatabaseUnreadable",
    "MLflowFailed",
    "NoSuchNumber",
    "SchemaDiffers",
    "UnknownArtifact",
    "UnreadableRecord",
]


class UnknownArtifact(TrackingError):
    """An artifact that a run does not have was asked for."""

    def __init__(self, path: str, run: str, known: Iterable[str]) -> None:
        super().__init__(f"the run {run!r} has no artifact {path!r}. {suggestion(path, known)}")


class NoSuchNumber(TrackingError, IndexError):
    """A run was asked for by a number, and there are fewer runs."""

    def __init__(self, number: int, place: str, runs: int) -> None:
        if runs == 0:
            how_many = "there is none"
        elif runs == 1:
            how_many = "there is one, with the number 0"
        else:
            how_many = f"there are {runs:,}, from 0 to {runs - 1}"
        super().__init__(f"no run has the number {number} in {place}: {how_many}")


class DatabaseUnreadable(TrackingError):
    """A database of MLflow's is not there, is none, or cannot be read just now."""

    def __init__(self, target: str, reason: str, advice: str | None = None) -> None:
        if advice is None:
            advice = "Name the database that they were sent to, as in 'mlflow:sqlite:///mlflow.db'"
        super().__init__(f"no runs can be read from {target}: {reason}. {advice}")


class SchemaDiffers(TrackingError):
    """A database of MLflow's is of another version than the MLflow that is installed. None is upgraded unasked."""

    def __init__(
        self, target: str, version: str, *, is_older: bool, purpose: Purpose = "read"
    ) -> None:
        address = to_be_filled_in(target.removeprefix("mlflow:"))
        if is_older:
            age = "an older"
            advice = (
                f"{'Reading does not change it' if purpose == 'read' else 'Nothing is sent to it until it is upgraded'}: make a copy of the database, and upgrade it with "
                f"`mlflow db upgrade {quote(address)}`, or install the version that wrote it"
            )
        else:
            age = "a newer"
            advice = "Install that one: pip install --upgrade mlflow-skinny"
        super().__init__(
            f"the database {target} is of {age} version of MLflow than {version}, which is installed. {advice}"
        )


class MLflowFailed(TrackingError):
    """MLflow's client cannot read; the message is its own, without a password."""

    def __init__(self, target: str, error: Exception) -> None:
        # SQLAlchemy goes on with the statement, and MLflow with its cause.
        text = shortened(" ".join(str(error).partition("[SQL:")[0].split()))
        super().__init__(f"{target} cannot be read: {type(error).__name__}: {text}")


class UnreadableRecord(TrackingError):
    """A record is whole, and not what a program that records runs writes."""

    def __init__(self, path: Path, offset: int) -> None:
        super().__init__(
            f"the record at byte {offset} of {path} is whole, but holds no event that can be read: another program, or "
            f"a later version of this one, wrote it. Everything else in the file can be read"
        )


class ArtifactUnreadable(TrackingError):
    """The file of an artifact is not where it was, or not in the run's directory."""

    def __init__(self, path: str, run: str, reason: str) -> None:
        super().__init__(f"the artifact {path!r} of the run {run!r} cannot be read: {reason}")
