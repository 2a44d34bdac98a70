"""Runs of one place or of several, to be searched, compared and looked at."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self, overload

from treadle_tracking.errors import AmbiguousRun, InvalidName, MissingExtra, UnknownRun
from treadle_tracking.reading.errors import NoSuchNumber
from treadle_tracking.reading.extremes import extremes
from treadle_tracking.reading.reader import Reader
from treadle_tracking.reading.record import RunRecord

if TYPE_CHECKING:
    import pandas as pd

    from treadle_tracking.comparing import Comparison
    from treadle_tracking.plots import Page

__all__ = ["Runs"]


class Runs:
    """Runs, in the order they were started or that of a search. They are read when first asked for, and kept.

    Attributes:
        target: The place that they are read from, as messages show it.
    """

    def __init__(self, reader: Reader, records: Sequence[RunRecord] | None = None) -> None:
        self.target = reader.target
        self._reader = reader
        self._records = None if records is None else tuple(records)

    @property
    def records(self) -> tuple[RunRecord, ...]:
        """All of them, read now if they were not before.

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
        """Whether there is a run of this uid, name or identity, as for `runs[…]`, or this very record."""
        if isinstance(run, str):
            return any(run in (one.uid, one.name, one.identity) for one in self.records)
        return run in self.records

    @overload
    def __getitem__(self, key: str | int) -> RunRecord: ...

    @overload
    def __getitem__(self, key: slice) -> Self: ...

    def __getitem__(self, key: str | int | slice) -> "RunRecord | Self":
        """The run of this uid or, if there is none, of this name, or of this identity at its place; or of this number.

        Raises:
            InvalidName: the key is neither a text nor a number.
            UnknownRun: there is no such run.
            AmbiguousRun: there are several.
            NoSuchNumber: there are fewer runs. It is an IndexError, too.
        """
        if isinstance(key, slice):
            return type(self)(self._reader, self.records[key])
        if isinstance(key, int) and not isinstance(key, bool):
            try:
                return self.records[key]
            except IndexError:
                raise NoSuchNumber(key, self._place, len(self.records)) from None
        if not isinstance(key, str):
            raise InvalidName("the run that is asked for", key, "Give a uid, a name or a number")
        return self._named(key)

    def _named(self, name: str) -> RunRecord:
        found: list[RunRecord] = []
        for key in ("uid", "name", "identity"):
            found = found or [run for run in self.records if getattr(run, key) == name]
        if not found:
            raise UnknownRun(name, self._place, dict.fromkeys(run.name for run in self.records))
        if len(found) > 1:
            raise AmbiguousRun(name, [run.directory or run.identity for run in found])
        return found[0]

    @property
    def _place(self) -> str:
        """As errors name it."""
        return self.target.removeprefix("tensorboard:")

    @property
    def unreadable(self) -> tuple[Exception, ...]:
        """What could not be read along with them, such as a folder that may not be entered."""
        return tuple(getattr(self._reader, "unreadable", ()))

    @property
    def experiments(self) -> tuple[str, ...]:
        """The experiments that they belong to, each once, by name."""
        return tuple(sorted({run.experiment for run in self.records}))

    def search(
        self,
        filter: str = "",
        *,
        order_by: str | Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Self:
        """Those for which a filter is true: `runs.search("params.lr > 1e-3 and metrics['val/loss'] < 0.2")`.

        Args:
            filter: In the language of the guide's page on searching; an empty one is true of every run.
            order_by: Fields, each with `desc` if the greatest is to come first, such as `"metrics['val/loss']"`.
            limit: How many at most.

        Raises:
            SearchError: the filter, the order or the limit is not valid; the message shows where.
            TrackingError: the place cannot be reached.
        """
        from treadle_tracking.searching import parse, search

        conditions = parse(filter).conditions if self._records is None else ()
        # A place that can leave runs out need not send all of them.
        if conditions and getattr(self._reader, "narrows", True):
            records = tuple(_by_start(self._reader.runs(conditions)))
        else:
            records = self.records
        return type(self)(self._reader, search(records, filter, order_by, limit, extremes))

    def dataframe(self) -> "pd.DataFrame":
        """One row per run: its identity, parameters, tags, and the last value of each metric.

        Columns are typed by what the runs hold, and are the same for the same runs wherever they are read.

        Raises:
            MissingExtra: pandas is not installed.
            TrackingError: the place cannot be reached.
        """
        from treadle_tracking.frames import dataframe

        return dataframe(self.records)

    def _repr_html_(self) -> str | None:
        """The same table, if these runs are the last value of a notebook's cell; None without pandas."""
        try:
            frame = self.dataframe()
        except MissingExtra:
            return None
        return str(frame.to_html(notebook=True, max_rows=60, max_cols=20, show_dimensions=True))

    def history(self, *names: str) -> "pd.DataFrame":
        """One row per point of these metrics, or of all if none is named: run, metric, step, time and value.

        Raises:
            UnknownMetric: no run has a metric of this name.
            MissingExtra: pandas is not installed.
            TrackingError: the place cannot be reached.
        """
        from treadle_tracking.frames import history

        return history(self.records, names or None)

    def json(self, *, contents: bool = False) -> list[dict[str, Any]]:
        """Everything about the runs but their histories, as plain values that `json.dumps` takes.

        Args:
            contents: Whether to name what they have besides numbers, too: a server is asked for it run by run.

        Raises:
            TrackingError: the place cannot be reached.
        """
        from treadle_tracking.exporting import as_json

        return as_json(self.records, contents=contents)

    def params_json(self) -> dict[str, Any]:
        """The parameters of each run by its uid, likewise."""
        from treadle_tracking.exporting import params_json

        return params_json(self.records)

    def compare(self, *runs: "str | int | RunRecord") -> "Comparison":
        """What differs between runs, given by uid, name or number, or as records, even of other places; all by default.

        Raises:
            UnknownRun: there is no such run.
            AmbiguousRun: there are several.
            TooFewRuns: there are fewer than two.
        """
        from treadle_tracking.comparing import compare

        named = [run if isinstance(run, RunRecord) else self[run] for run in runs]
        return compare(*(named or self.records))

    def parallel_coordinates(self, **options: Any) -> "Page":
        """A page on which each run is a line over its parameters and metrics; see `plots.parallel_coordinates`."""
        from treadle_tracking.plots import parallel_coordinates

        return parallel_coordinates(self.records, **options)

    def close(self) -> None:
        """Close connections. Reading anything afterwards opens them again."""
        self._reader.close()


def _by_start(runs: Iterable[RunRecord]) -> list[RunRecord]:
    return sorted(runs, key=lambda run: (run.started, run.uid, run.identity))
