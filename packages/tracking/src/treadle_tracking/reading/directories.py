"""The runs below a directory."""

import shutil
from array import array
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from treadle_tracking.clock import milliseconds
from treadle_tracking.directory import ARTIFACTS
from treadle_tracking.entries import Entry, Rewound, Scalars
from treadle_tracking.errors import CorruptRecord, RunDirectoryError
from treadle_tracking.log import read_entries
from treadle_tracking.ownership import is_alive
from treadle_tracking.places import found_below
from treadle_tracking.reading.condition import Condition
from treadle_tracking.reading.errors import UnknownArtifact
from treadle_tracking.reading.points import Points
from treadle_tracking.reading.record import Contents, ReadStatus, RunRecord
from treadle_tracking.reading.summary import Summary

__all__ = ["DirectoryReader"]


class DirectoryReader:
    """Run directories, as `start_run` writes them.

    Args:
        root: One, or a directory that they are below.

    Raises:
        RunDirectoryError: there is no such directory.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise RunDirectoryError(
                root, "there is no such directory", "Name the one that the runs were started with"
            )
        self.target = f"tensorboard:{root}"
        self._root = root

    def runs(self, conditions: Sequence[Condition] = ()) -> Iterator[RunRecord]:  # noqa: ARG002
        """As `Reader` says."""
        for directory in found_below(self._root).runs:
            record = self._record(directory)
            if record is not None:
                yield record

    def _record(self, directory: Path) -> RunRecord | None:
        summary, damage = _summary(directory)
        started, ended = summary.started, summary.ended
        if started is None:
            return None
        status: ReadStatus = "RUNNING" if is_alive(directory) else "UNFINISHED"
        return RunRecord(
            target=self.target,
            identity=str(directory),
            uid=started.uid,
            experiment=started.experiment,
            name=started.name,
            group=started.group,
            status=status if ended is None else ended.status,
            started=milliseconds(started.wall_time) / 1000,
            ended=None if ended is None else milliseconds(ended.wall_time) / 1000,
            params=summary.params,
            tags=summary.tags,
            metrics={name: latest.value for name, latest in summary.metrics.items()},
            extremes={
                name: (latest.least, latest.greatest) for name, latest in summary.metrics.items()
            },
            directory=directory,
            damage=damage,
            known_contents=summary.contents,
            reader=self,
        )

    def histories(
        self, runs: Sequence[RunRecord], names: Collection[str] | None = None
    ) -> Iterator[tuple[RunRecord, str, Points]]:
        """As `Reader` says."""
        for run in runs:
            columns: dict[str, tuple[array[int], array[int], array[float]]] = {}
            for entry in _readable(Path(run.identity)):
                if not isinstance(entry, Scalars):
                    continue
                time = milliseconds(entry.wall_time)
                for name, value in entry.values.items():
                    if names is None or name in names:
                        if name not in columns:
                            columns[name] = array("q"), array("q"), array("d")
                        steps, times, values = columns[name]
                        steps.append(entry.step)
                        times.append(time)
                        values.append(value)
            for name, (steps, times, values) in columns.items():
                yield run, name, Points.ordered(steps, times, values)

    def contents(self, run: RunRecord) -> Contents:
        """As `Reader` says."""
        return _summary(Path(run.identity))[0].contents

    def entries(self, run: RunRecord) -> Iterator[Entry]:
        """As `Reader` says."""
        return (entry for entry in _readable(Path(run.identity)) if not isinstance(entry, Rewound))

    def download(self, run: RunRecord, path: str, file: Path) -> None:
        """As `Reader` says."""
        if path not in run.artifacts:
            raise UnknownArtifact(path, run.name, run.artifacts)
        shutil.copyfile(Path(run.identity) / ARTIFACTS / path, file)

    def close(self) -> None:
        """As `Reader` says."""


def _summary(directory: Path) -> tuple[Summary, str | None]:
    """What the log comes to, and where it is damaged."""
    summary = Summary()
    try:
        for entry, _ in read_entries(directory):
            summary.add(entry)
    except CorruptRecord as error:
        return summary, str(error)
    return summary, None


def _readable(directory: Path) -> Iterator[Entry]:
    """The entries of a log up to where it is damaged."""
    try:
        for entry, _ in read_entries(directory):
            yield entry
    except CorruptRecord:
        return
