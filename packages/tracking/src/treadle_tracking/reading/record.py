"""One run as it was found, whichever backend it is on."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import field, frozen

from treadle_tracking.directory import artifact_path
from treadle_tracking.entries import ParamValue, RunStatus
from treadle_tracking.errors import UnknownMetric
from treadle_tracking.reading.points import Points

if TYPE_CHECKING:
    from treadle_tracking.reading.reader import Reader

__all__ = ["Contents", "ReadStatus", "RunRecord"]

ReadStatus: TypeAlias = Literal[RunStatus, "UNFINISHED"]


@frozen(kw_only=True)
class Contents:
    """What a run has besides numbers, in the order of the names, each once."""

    artifacts: tuple[str, ...] = ()  # paths with `/` between their parts
    images: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    histograms: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    functions: Mapping[str, str] = field(factory=dict)  # `module:name` by the name it was given


@frozen(kw_only=True)
class RunRecord:
    """A run as it was when it was read. Times are seconds since the epoch, in whole milliseconds."""

    target: str  # where it was read, as messages show it: `tensorboard:/data/runs`
    identity: str  # what it is called there: the path of its directory, MLflow's id of it
    uid: str
    experiment: str
    name: str
    group: str | None = None
    # RUNNING: a process writes it. UNFINISHED: none does, and no end is recorded; it was killed before it could say so,
    # or never closed. Only a run directory can tell the two apart.
    status: ReadStatus
    started: float
    ended: float | None = None
    params: Mapping[str, ParamValue] = field(factory=dict)  # exact and nested, as they were given
    tags: Mapping[str, str] = field(factory=dict)
    metrics: Mapping[str, float] = field(factory=dict)  # the last value of each
    # The least and the greatest value of each, NaN aside; None where only the histories tell.
    extremes: Mapping[str, tuple[float, float]] | None = field(default=None, repr=False)
    directory: Path | None = None  # if it is one on this machine
    url: str | None = None  # its page, if there is one
    parent: str | None = None  # the identity of the run that this one belongs to
    damage: str | None = None  # where reading had to stop, if it had to
    known_contents: Contents | None = field(
        default=None, repr=False
    )  # None if they must be asked for
    reader: "Reader" = field(repr=False, eq=False)

    def __hash__(self) -> int:
        return hash((self.target, self.identity))

    def history(self, name: str) -> tuple[tuple[int, float], ...]:
        """Every value of a metric as (step, value), exact, by step and then by time.

        Raises:
            UnknownMetric: the run has none of this name.
            TrackingError: the place cannot be reached.
        """
        return tuple((step, value) for step, _, value in self.points(name))

    def points(self, name: str) -> Points:
        """The same in columns, with the times. Raises the same."""
        for _, _, points in self.reader.histories([self], [name]):
            return points
        raise UnknownMetric(name, self.name, self.metrics)

    def download(self, path: str, to: str | Path = ".") -> Path:
        """Copy one of its artifacts: `run.download("model.pt", "weights")`.

        Args:
            path: The artifact, as `artifacts` has it.
            to: The folder to put it into; the folders of its path are made below it.

        Returns:
            The file. One that was there is replaced, as a whole.

        Raises:
            UnknownArtifact: the run has none at this path.
            TrackingError: the place cannot be reached, or no longer has it.
            OSError: the file cannot be written.
        """
        file = Path(to, artifact_path(path))
        file.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=file.parent, prefix=".download-") as folder:
            whole = Path(folder, "whole")
            self.reader.download(self, path, whole)
            whole.replace(file)
        return file

    @property
    def contents(self) -> Contents:
        """What it has besides numbers: asked for anew every time if it was not read along with the run."""
        if self.known_contents is not None:
            return self.known_contents
        return self.reader.contents(self)

    @property
    def artifacts(self) -> tuple[str, ...]:
        """The paths of its artifacts."""
        return self.contents.artifacts

    @property
    def images(self) -> tuple[str, ...]:
        """The names of its images."""
        return self.contents.images

    @property
    def texts(self) -> tuple[str, ...]:
        """The names of its texts."""
        return self.contents.texts

    @property
    def histograms(self) -> tuple[str, ...]:
        """The names of its histograms."""
        return self.contents.histograms

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of its tables."""
        return self.contents.tables

    @property
    def functions(self) -> Mapping[str, str]:
        """`module:name` of its functions, by the names that they were given."""
        return self.contents.functions
