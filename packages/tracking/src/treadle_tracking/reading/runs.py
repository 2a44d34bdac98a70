"""Runs of one place or of several, to be searched, compared and looked at."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Self, overload

from treadle_tracking.errors import AmbiguousRun, InvalidName, UnknownRun
from treadle_tracking.reading.reader import Reader
from treadle_tracking.reading.record import RunRecord

__all__ = ["Runs"]


class Runs:
    """Runs, the first started first, or in the order of a search. They are read when the first is asked for, and kept.

    Attributes:
        target: The place that they are read from, as messages show it.
    """

    def __init__(self, reader: Reader, records: Sequence[RunRecord] | None = None) -> None:
        self.target = reader.target
        self._reader = reader
        self._records = None if records is None else tuple(records)

    @property
    def records(self) -> tuple[RunRecord, ...]:
        """All of them, read by now.

        Raises:
            TrackingError: the place cannot be reached.
        """
        if self._records is None:
            self._records = tuple(_by_start(self._reader.runs()))
        return self._records

    def __iter__(self) -> Iterator[RunRecord]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __repr__(self) -> str:
        how_many = "not read yet" if self._records is None else f"{len(self._records)} runs"
        return f"<Runs of {self.target}: {how_many}>"

    def __contains__(self, run: object) -> bool:
        """Whether there is a run of this uid or name, or this very record."""
        if isinstance(run, str):
            return any(run in (record.uid, record.name) for record in self.records)
        return run in self.records

    @overload
    def __getitem__(self, key: str | int) -> RunRecord: ...

    @overload
    def __getitem__(self, key: slice) -> Self: ...

    def __getitem__(self, key: str | int | slice) -> "RunRecord | Self":
        """The run of this uid or, if there is none, of this name, or of what it is called at its place; or by its number.

        Raises:
            InvalidName: the key is neither a text nor a number.
            UnknownRun: there is no such run.
            AmbiguousRun: there are several.
            IndexError: there are fewer.
        """
        if isinstance(key, slice):
            return type(self)(self._reader, self.records[key])
        if isinstance(key, int):
            return self.records[key]
        if not isinstance(key, str):
            raise InvalidName("the run that is asked for", key, "Give a uid, a name or a number")
        return self._named(key)

    def _named(self, name: str) -> RunRecord:
        found: list[RunRecord] = []
        for key in ("uid", "name", "identity"):
            found = found or [run for run in self.records if getattr(run, key) == name]
        if not found:
            place = self.target.removeprefix("tensorboard:")
            raise UnknownRun(name, place, dict.fromkeys(run.name for run in self.records))
        if len(found) > 1:
            raise AmbiguousRun(name, [run.directory or run.identity for run in found])
        return found[0]

    @property
    def experiments(self) -> tuple[str, ...]:
        """The experiments that they belong to, each once, by name."""
        return tuple(sorted({run.experiment for run in self.records}))


def _by_start(runs: Iterable[RunRecord]) -> list[RunRecord]:
    return sorted(runs, key=lambda run: (run.started, run.identity))
