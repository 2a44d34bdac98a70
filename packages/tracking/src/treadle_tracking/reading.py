"""Runs read back from their directories."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from attrs import define, field, frozen

from treadle_tracking.entries import (
    Artifact,
    Ended,
    Entry,
    Function,
    Histogram,
    Image,
    Params,
    ParamValue,
    RunStatus,
    Scalars,
    Started,
    Table,
    Tags,
    Text,
)
from treadle_tracking.errors import (
    AmbiguousRun,
    CorruptRecord,
    InvalidTarget,
    RunDirectoryError,
    UnknownMetric,
    UnknownRun,
)
from treadle_tracking.log import read_entries
from treadle_tracking.ownership import is_alive
from treadle_tracking.params import joined
from treadle_tracking.places import found_below
from treadle_tracking.target import masked, parse_targets

__all__ = ["ReadStatus", "RunRecord", "Runs", "open_runs", "read_run"]

ReadStatus: TypeAlias = Literal[RunStatus, "UNFINISHED"]
Points: TypeAlias = tuple[tuple[int, float], ...]


@frozen(kw_only=True)
class RunRecord:
    """A run as its directory had it when it was read. Times are seconds since the epoch."""

    directory: Path
    uid: str
    experiment: str
    name: str
    group: str | None
    # RUNNING: a process writes it. UNFINISHED: none does, and no end is recorded; it was killed without the time to
    # say so, or never closed.
    status: ReadStatus
    started: float
    ended: float | None
    params: Mapping[str, ParamValue]  # exact and nested, as they were given
    tags: Mapping[str, str]
    # (step, value) by name, in the order of logging
    metrics: Mapping[str, Points] = field(repr=False)
    artifacts: tuple[str, ...]  # below `directory / "artifacts"`, each once
    images: tuple[str, ...]  # names, each once
    texts: tuple[str, ...]
    histograms: tuple[str, ...]
    tables: tuple[str, ...]
    functions: Mapping[str, str]  # `module:name` by the name it was given
    damage: str | None = None  # where the log could be read no further, if it could not

    def history(self, name: str) -> Points:
        """Every value of a metric as (step, value), exact, in the order of logging.

        Raises:
            UnknownMetric: the run has none of this name.
        """
        try:
            return self.metrics[name]
        except KeyError:
            raise UnknownMetric(name, self.name, self.metrics) from None


@define
class _Gathered:
    """What a run's entries have come to so far."""

    started: Started | None = None
    ended: Ended | None = None
    params: dict[str, ParamValue] = field(factory=dict)
    tags: dict[str, str] = field(factory=dict)
    metrics: dict[str, list[tuple[int, float]]] = field(factory=dict)
    artifacts: dict[str, None] = field(factory=dict)
    images: dict[str, None] = field(factory=dict)
    texts: dict[str, None] = field(factory=dict)
    histograms: dict[str, None] = field(factory=dict)
    tables: dict[str, None] = field(factory=dict)
    functions: dict[str, str] = field(factory=dict)

    def add(self, entry: Entry) -> None:
        match entry:
            case Scalars():
                for name, value in entry.values.items():
                    self.metrics.setdefault(name, []).append((entry.step, value))
            case Image():
                self.images[entry.name] = None
            case Text():
                self.texts[entry.name] = None
            case Histogram():
                self.histograms[entry.name] = None
            case Table():
                self.tables[entry.name] = None
            case Function():
                self.functions[entry.name] = entry.qualified_name
            case Artifact():
                self.artifacts[entry.path] = None
            case Params():
                self.params = joined(self.params, entry.values)
            case Tags():
                self.tags.update(entry.values)
            case Started():
                self.started = self.started or entry
                self.ended = None
            case Ended():
                self.ended = entry
            case _:
                pass  # where an attempt goes on, and what is final: the log is as that left it


def read_run(directory: Path) -> RunRecord | None:
    """The run that this directory holds; None where no run has begun."""
    gathered, damage = _Gathered(), None
    try:
        for entry, _ in read_entries(directory):
            gathered.add(entry)
    except CorruptRecord as error:
        damage = str(error)
    started = gathered.started
    if started is None:
        return None
    status: ReadStatus = "RUNNING" if is_alive(directory) else "UNFINISHED"
    return RunRecord(
        directory=directory,
        uid=started.uid,
        experiment=started.experiment,
        name=started.name,
        group=started.group,
        status=status if gathered.ended is None else gathered.ended.status,
        started=started.wall_time,
        ended=None if gathered.ended is None else gathered.ended.wall_time,
        params=gathered.params,
        tags=gathered.tags,
        metrics={name: tuple(points) for name, points in gathered.metrics.items()},
        artifacts=tuple(gathered.artifacts),
        images=tuple(gathered.images),
        texts=tuple(gathered.texts),
        histograms=tuple(gathered.histograms),
        tables=tuple(gathered.tables),
        functions=gathered.functions,
        damage=damage,
    )


@frozen
class Runs:
    """The runs below a directory, the first started first."""

    root: Path
    records: tuple[RunRecord, ...]

    def __iter__(self) -> Iterator[RunRecord]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __contains__(self, run: object) -> bool:
        """Whether there is a run of this uid or name, or this very record."""
        if isinstance(run, str):
            return any(run in (record.uid, record.name) for record in self.records)
        return run in self.records

    def __getitem__(self, name: str) -> RunRecord:
        """The run of this uid or, if there is none, of this name.

        Raises:
            UnknownRun: there is none of either.
            AmbiguousRun: there are several.
        """
        found = [run for run in self.records if run.uid == name]
        found = found or [run for run in self.records if run.name == name]
        if not found:
            raise UnknownRun(name, self.root, dict.fromkeys(run.name for run in self.records))
        if len(found) > 1:
            raise AmbiguousRun(name, [run.directory for run in found])
        return found[0]


def open_runs(target: str) -> Runs:
    """Read every run below a directory, as it is now: `open_runs("tensorboard:runs")`.

    Raises:
        InvalidTarget: the target is no `tensorboard:DIR`.
        RunDirectoryError: there is no such directory.
    """
    if not isinstance(target, str):
        raise InvalidTarget(
            f"target is {target!r} ({type(target).__name__}); runs are read from one place: 'tensorboard:DIR'"
        )
    if target.partition(":")[0] == "mlflow":
        raise InvalidTarget(
            f"target {masked(target)!r} is a mirror; runs are read from their directories: "
            f"'tensorboard:DIR', the one that the runs were started with, or 'tensorboard:.treadle/runs'"
        )
    root = parse_targets(target).root
    if not root.is_dir():
        raise RunDirectoryError(
            root, "there is no such directory", "Name the one that the runs were started with"
        )
    found = [run for directory in found_below(root).runs if (run := read_run(directory))]
    found.sort(key=lambda run: (run.started, str(run.directory)))
    return Runs(root=root, records=tuple(found))
