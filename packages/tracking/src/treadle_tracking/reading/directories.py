"""The runs below a directory: ours, and those that others have written for TensorBoard."""

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from heapq import merge
from pathlib import Path

from treadle_tracking.clock import milliseconds
from treadle_tracking.entries import Ended, Entry, Params, Rewound, Scalars, Started
from treadle_tracking.errors import RunDirectoryError, TrackingError
from treadle_tracking.ownership import is_alive
from treadle_tracking.places import LogDirectory, log_in
from treadle_tracking.reading.artifact_files import copy_artifact
from treadle_tracking.reading.condition import Condition
from treadle_tracking.reading.errors import UnknownArtifact
from treadle_tracking.reading.foreign_log import (
    SomethingSuperseded,
    cutoffs_in,
    foreign_events,
    foreign_scalars,
)
from treadle_tracking.reading.foreign_runs import ForeignPart, ForeignRun, foreign_runs
from treadle_tracking.reading.listing import Listed, Listing, read_log
from treadle_tracking.reading.own_log import OwnAccount, own_entries, own_scalars
from treadle_tracking.reading.points import Points
from treadle_tracking.reading.record import Contents, ReadStatus, RunRecord
from treadle_tracking.reading.scanning import ParsedScalars

__all__ = ["DirectoryReader"]


class DirectoryReader:
    """Run directories, as `start_run` writes them, and directories with other programs' event files.

    Args:
        root: One, or a directory that they are below. Where there is much to read, an index is kept in it.

    Attributes:
        unreadable: What could not be read at all when runs were last listed: directories, files, and logs without a
            readable beginning.

    Raises:
        RunDirectoryError: there is no such directory.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise RunDirectoryError(
                root, "there is no such directory", "Name the one that the runs were started with"
            )
        self.target = f"tensorboard:{root}"
        self.unreadable: list[OSError | TrackingError] = []
        self._root = root
        self._foreign: dict[str, ForeignRun] = {}  # by identity

    narrows = False  # all that can be left out was read by then

    def runs(self, conditions: Sequence[Condition] = ()) -> Iterator[RunRecord]:  # noqa: ARG002
        """As `Reader` says."""
        listing = Listing(self._root)
        self.unreadable = listing.unreadable
        foreign: dict[Path, ForeignPart] = {}
        for listed in listing:
            account = listed.account
            if isinstance(account, OwnAccount):
                if account.summary.started is not None:
                    yield self._own_record(listed, account, account.summary.started)
                elif listed.damage is not None and listed.damage not in self.unreadable:
                    self.unreadable.append(listed.damage)
                continue
            if account.is_empty and listed.damage is not None:
                if listed.damage not in self.unreadable:
                    self.unreadable.append(listed.damage)
                continue
            foreign[listed.log.path] = ForeignPart(
                listed.log, account, listed.damage, listed.file_params
            )
        self._foreign = {str(run.main.log.path): run for run in foreign_runs(foreign)}
        for run in self._foreign.values():
            yield self._foreign_record(run)

    def _own_record(self, listed: Listed, account: OwnAccount, started: Started) -> RunRecord:
        summary, directory = account.summary, listed.log.path
        ended = summary.ended
        status: ReadStatus = "UNFINISHED"
        if ended is not None:
            status = ended.status
        elif is_alive(directory):
            status = "RUNNING"
        return RunRecord(
            target=self.target,
            identity=str(directory),
            uid=started.uid,
            experiment=started.experiment,
            name=started.name,
            group=started.group,
            status=status,
            started=milliseconds(started.wall_time) / 1000,
            ended=None if ended is None else milliseconds(ended.wall_time) / 1000,
            params=summary.params,
            tags=summary.tags,
            metrics={name: latest.value for name, latest in summary.metrics.items()},
            extremes={
                name: (latest.least, latest.greatest) for name, latest in summary.metrics.items()
            },
            directory=directory,
            damage=_said(listed.damage),
            known_contents=summary.contents,
            reader=self,
        )

    def _foreign_record(self, run: ForeignRun) -> RunRecord:
        directory = run.main.log.path
        experiment, name = run.name_below(self._root)
        return RunRecord(
            target=self.target,
            identity=str(directory),
            uid=run.main.account.uid,
            experiment=experiment,
            name=name,
            group=run.group,
            status=run.status,
            started=milliseconds(run.first) / 1000,
            ended=None if run.status == "UNFINISHED" else milliseconds(run.last) / 1000,
            params=run.params,
            metrics=run.metrics,
            extremes=run.extremes,
            directory=directory,
            parent=None if run.parent is None else str(run.parent),
            damage=next((_said(part.damage) for part in run.parts if part.damage), None),
            known_contents=run.contents,
            reader=self,
        )

    def histories(
        self, runs: Sequence[RunRecord], names: Collection[str] | None = None
    ) -> Iterator[tuple[RunRecord, str, Points]]:
        """As `Reader` says."""
        for run in runs:
            wanted = None if names is None else frozenset(names)
            for name, points in self._columns(run, wanted).items():
                yield run, name, Points.ordered(*points)

    def _columns(self, run: RunRecord, names: frozenset[str] | None) -> "dict[str, _Columns]":
        foreign = self._foreign.get(run.identity)
        if foreign is not None:
            found: dict[str, _Columns] = {}
            for part in foreign.parts:
                found = {**_foreign_columns(part.log.path, names), **found}
            return found
        log = _log_in(Path(run.identity))
        if log is None:
            return {}
        return _collected(own_scalars(log), names)

    def contents(self, run: RunRecord) -> Contents:
        """As `Reader` says."""
        if run.identity in self._foreign:
            return self._foreign[run.identity].contents
        log = _log_in(Path(run.identity))
        return Contents() if log is None else read_log(log).account.summary.contents

    def entries(self, run: RunRecord) -> Iterator[Entry]:
        """As `Reader` says."""
        foreign = self._foreign.get(run.identity)
        if foreign is not None:
            yield from _foreign_entries(run, foreign)
        elif (log := _log_in(Path(run.identity))) is not None:
            for entry in own_entries(log):
                if not isinstance(entry, Rewound):
                    yield entry

    def download(self, run: RunRecord, path: str, file: Path) -> None:
        """As `Reader` says."""
        if path not in run.artifacts:
            raise UnknownArtifact(path, run.name, run.artifacts)
        copy_artifact(Path(run.identity), path, run.name, file)

    def close(self) -> None:
        """As `Reader` says."""


_Appends = tuple[Callable[[int], None], Callable[[int], None], Callable[[float], None]]
_Columns = tuple["array[int]", "array[int]", "array[float]"]
"""Steps, times in milliseconds since the epoch, and values."""


def _said(error: Exception | None) -> str | None:
    return None if error is None else str(error)


def _collected(
    scalars: Iterable[ParsedScalars], names: frozenset[str] | None
) -> dict[str, _Columns]:
    columns: dict[str, _Columns] = {}
    appends: dict[str, _Appends] = {}
    for wall_time, step, values in scalars:
        time = milliseconds(wall_time)
        for name, value in values:
            if name not in appends:
                if names is not None and name not in names:
                    continue
                mine: _Columns = (array("q"), array("q"), array("d"))
                columns[name] = mine
                appends[name] = (mine[0].append, mine[1].append, mine[2].append)
            add_step, add_time, add_value = appends[name]
            add_step(step)
            add_time(time)
            add_value(value)
    return columns


def _foreign_columns(directory: Path, names: frozenset[str] | None) -> dict[str, _Columns]:
    log = _log_in(directory)
    if log is None:
        return {}
    try:
        return _collected(foreign_scalars(log, None), names)
    except SomethingSuperseded:
        return _collected(foreign_scalars(log, cutoffs_in(log)), names)


def _foreign_entries(run: RunRecord, foreign: ForeignRun) -> Iterator[Entry]:
    """What somebody else's run has recorded, as far as an entry can hold it."""
    yield Started(
        wall_time=foreign.first,
        uid=run.uid,
        experiment=run.experiment,
        name=run.name,
        group=run.group,
    )
    if run.params:
        yield Params(wall_time=foreign.first, values=run.params)
    main = set(foreign.main.account.summary.metrics)
    parts = [
        _part_entries(part, frozenset() if part is foreign.main else frozenset(main))
        for part in foreign.parts
    ]
    yield from merge(*parts, key=lambda entry: entry.wall_time)
    if run.status in {"FINISHED", "FAILED"}:
        yield Ended(wall_time=foreign.last, status=run.status)


def _part_entries(part: ForeignPart, left_out: frozenset[str]) -> Iterator[Entry]:
    log = _log_in(part.log.path)
    if log is None:
        return
    for event in foreign_events(log):
        values = [one for one in event.scalars if one[0] not in left_out]
        while values:
            these: dict[str, float] = {}
            again = []  # the same name twice in one event is two entries
            for name, value in values:
                if name in these:
                    again.append((name, value))
                else:
                    these[name] = value
            yield Scalars(wall_time=event.wall_time, step=event.step, values=these)
            values = again
        yield from event.others


def _log_in(directory: Path) -> LogDirectory | None:
    try:
        return log_in(directory)
    except OSError as error:
        raise RunDirectoryError(
            directory,
            f"the run cannot be read any more: {error.strerror}",
            "List the runs again",
        ) from error
