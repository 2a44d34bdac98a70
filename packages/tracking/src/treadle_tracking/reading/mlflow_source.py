"""What a reader asks of MLflow, whichever way it is reached."""

from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple, Protocol

from attrs import field, frozen

from treadle_tracking.reading.points import Points

__all__ = [
    "Experiment",
    "FilterRefused",
    "NoSuchFile",
    "Point",
    "Source",
    "StoredFile",
    "StoredRun",
]


class NoSuchFile(Exception):
    """A run has no file of this path."""


class FilterRefused(Exception):
    """What is asked for is asked in a way that this MLflow does not know."""


class Point(NamedTuple):
    """One value of a metric."""

    step: int
    time: int  # milliseconds since the epoch
    value: float


@frozen
class Experiment:
    """An experiment that is not deleted."""

    identity: str
    name: str


@frozen
class StoredRun:
    """A run as MLflow has it. Times are milliseconds since the epoch."""

    identity: str
    experiment: str  # its identity
    name: str
    status: str
    started: int
    ended: int | None
    artifact_uri: str
    params: Mapping[str, str] = field(repr=False)
    tags: Mapping[str, str] = field(repr=False)
    latest: Mapping[str, Point] = field(
        repr=False
    )  # by key: that of the greatest step, time and value


@frozen
class StoredFile:
    """A file of a run's, or a folder."""

    path: str  # from the top of the run's files
    size: int  # bytes; 0 where it is not known
    is_folder: bool


class Source(Protocol):
    """An MLflow that is read and never changed. Every method raises a `TrackingError` where it cannot be."""

    def experiments(self) -> Sequence[Experiment]:
        """All of them."""

    def runs(self, experiments: Sequence[str], condition: str) -> Iterator[StoredRun]:
        """The runs of these experiments that meet a filter of MLflow's, all of them where it is empty.

        Raises:
            FilterRefused: this MLflow does not know such a filter.
        """

    def histories(self, runs: Sequence[str], key: str) -> Iterator[tuple[str, Points]]:
        """All points of one metric of these runs: each run that has some once, in any order."""

    def files(self, run: StoredRun, folder: str) -> Sequence[StoredFile]:
        """What is in one folder of the run's files, and in none of its own folders; `""` is the topmost."""

    def download(self, run: StoredRun, path: str, file: BinaryIO) -> None:
        """Write a file of the run's to `file`, which is empty.

        Raises:
            NoSuchFile: the run has none of this path.
        """

    def page(self, run: StoredRun) -> str | None:
        """The address of the run's page; None where there is none."""

    def close(self) -> None:
        """Let go of connections; the next question makes them again."""
