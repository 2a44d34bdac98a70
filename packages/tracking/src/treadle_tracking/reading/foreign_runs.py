"""Runs that others have written: which directories are one, and what it is called.

A directory with event files is a run, and so is one below it: `add_scalars` of torch's makes one for each line. But
what `add_hparams` makes, a directory named by the time with a session and the final values, belongs to the run that it
is in, if it is the only one there.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import frozen

from treadle_tracking.entries import ParamValue
from treadle_tracking.errors import TrackingError
from treadle_tracking.places import LogDirectory
from treadle_tracking.reading.foreign_log import ForeignAccount
from treadle_tracking.reading.foreign_params import joined_params
from treadle_tracking.reading.record import Contents, ReadStatus

__all__ = ["ForeignPart", "ForeignRun", "foreign_runs"]

_DEFAULT_EXPERIMENT = "default"


@frozen
class ForeignPart:
    """A directory, and what its event files come to."""

    log: LogDirectory
    account: ForeignAccount
    damage: TrackingError | OSError | None
    file_params: Mapping[str, ParamValue]  # of Lightning's file


@frozen
class ForeignRun:
    """A run of one directory, or of one and what `add_hparams` has made in it."""

    main: ForeignPart
    parent: Path | None
    final: ForeignPart | None = None

    @property
    def parts(self) -> Iterator[ForeignPart]:
        """Its directories. A metric that two of them have is the first one's."""
        yield self.main
        if self.final is not None:
            yield self.final

    def name_below(self, root: Path) -> tuple[str, str]:
        """Its experiment and its name: where it is below the directory that was asked for."""
        path = self.main.log.path
        if path == root:
            return _DEFAULT_EXPERIMENT, path.absolute().name or _DEFAULT_EXPERIMENT
        *parents, name = path.relative_to(root).parts
        return _text("/".join(parents)) or _DEFAULT_EXPERIMENT, _text(name)

    @property
    def status(self) -> ReadStatus:
        """As a session's end says; no other word is in such a file."""
        for part in self.parts:
            if part.account.session.status is not None:
                return part.account.session.status
        return "UNFINISHED"

    @property
    def first(self) -> float:
        """When its first event was, in seconds since the epoch."""
        return min(part.account.first for part in self.parts)

    @property
    def last(self) -> float:
        """When its last event was."""
        return max(part.account.last for part in self.parts)

    @property
    def group(self) -> str | None:
        """The group of its session."""
        groups = (part.account.session.group for part in self.parts)
        return next((group for group in groups if group is not None), None)

    @property
    def params(self) -> dict[str, ParamValue]:
        """Its parameters, of a session and of a file beside."""
        params: dict[str, ParamValue] = {}
        for part in self.parts:
            its = joined_params(part.account.session.params or {}, part.file_params)
            params = {**its, **params}
        return params

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of each metric."""
        return {
            name: latest.value
            for part in reversed([*self.parts])
            for name, latest in part.account.summary.metrics.items()
        }

    @property
    def extremes(self) -> dict[str, tuple[float, float]]:
        """The least and the greatest value of each metric."""
        return {
            name: (latest.least, latest.greatest)
            for part in reversed([*self.parts])
            for name, latest in part.account.summary.metrics.items()
        }

    @property
    def contents(self) -> Contents:
        """What it has beside numbers."""
        summaries = [part.account.summary for part in self.parts]

        def names(kind: str) -> tuple[str, ...]:
            return tuple(dict.fromkeys(name for one in summaries for name in getattr(one, kind)))

        return Contents(
            images=names("images"), texts=names("texts"), histograms=names("histograms")
        )


def foreign_runs(parts: Mapping[Path, ForeignPart]) -> list[ForeignRun]:
    """The runs in these directories. One in which nothing was recorded is none."""
    found = {path: part for path, part in parts.items() if not part.account.is_empty}
    finals: dict[Path, list[ForeignPart]] = {}
    for path, part in found.items():
        if path.parent in found and _is_of_add_hparams(path, part):
            finals.setdefault(path.parent, []).append(part)
    final_of = {path: those[0] for path, those in finals.items() if len(those) == 1}
    folded = {part.log.path for part in final_of.values()}
    return [
        ForeignRun(main=part, parent=_nearest(path, found), final=final_of.get(path))
        for path, part in found.items()
        if path not in folded
    ]


def _is_of_add_hparams(path: Path, part: ForeignPart) -> bool:
    try:
        float(path.name)
    except ValueError:
        return False
    return part.account.session.params is not None


def _nearest(path: Path, found: Mapping[Path, object]) -> Path | None:
    return next((parent for parent in path.parents if parent in found), None)


def _text(name: str) -> str:
    """A part of a path as UTF-8 can have it."""
    return name.encode("utf-8", "backslashreplace").decode()
