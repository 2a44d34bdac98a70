"""What the mirror asks of MLflow, whichever way it is reached."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from attrs import field, frozen

from treadle_tracking.entries import RunStatus
from treadle_tracking.mirrors.batching import Request

__all__ = ["AlreadyThere", "Experiment", "FileRefused", "Found", "Store"]


class AlreadyThere(Exception):
    """An experiment of this name has been made meanwhile."""


class FileRefused(Exception):
    """A file is not taken, and will not be if it is sent again; `args[0]` says why."""


@frozen
class Experiment:
    """An experiment as MLflow knows it."""

    identity: str
    is_deleted: bool


@frozen
class Found:
    """A run as MLflow knows it."""

    identity: str
    is_deleted: bool
    params: Mapping[str, str] = field(factory=dict)
    tags: Mapping[str, str] = field(factory=dict)
    artifact_uri: str = ""


class Store(Protocol):
    """An MLflow. Nothing before `connect` asks anything of it, and every method after may raise."""

    def connect(self) -> None:
        """Make ready, after `close` too."""

    def experiment(self, name: str) -> Experiment | None:
        """The experiment of this name, deleted or not."""

    def create_experiment(self, name: str, directory: Path) -> Experiment:
        """Make one; `directory` is that of the run which it is made for. Raises `AlreadyThere`."""

    def runs(self, experiment: str, uid: str) -> list[Found]:
        """Runs of the experiment by the tag `treadle.uid`, deleted ones too, and perhaps some of another uid."""

    def create_run(
        self, experiment: str, name: str, start_time: int, tags: Mapping[str, str]
    ) -> Found:
        """Make one; `start_time` is in milliseconds since the epoch."""

    def delete_run(self, run: str) -> None:
        """Mark a run as deleted."""

    def log(self, run: str, request: Request) -> None:
        """Send numbers, parameters and tags. Raises `RequestTooLarge`."""

    def delete_tag(self, run: str, key: str) -> None:
        """Remove a tag; one that is not there is none to remove."""

    def set_status(self, run: str, status: RunStatus, end_time: int | None) -> None:
        """Say that a run goes on or has ended, and when, in milliseconds since the epoch."""

    def files_of(self, run: Found) -> str | None:
        """Where the files of a run are kept, if they cannot be sent there from here; None if they can."""

    def send_file(self, run: Found, path: str, content: Path | bytes) -> None:
        """Send one file, replacing what was there. Raises `FileRefused` or `RequestTooLarge`."""

    def close(self) -> None:
        """Let go of connections."""
