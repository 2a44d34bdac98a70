"""Runs and their histories as comma-separated values, which say what is a text and what a number."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from treadle_tracking.attributes import ATTRIBUTES, attributes
from treadle_tracking.commands.answer import instant
from treadle_tracking.entries import ParamValue
from treadle_tracking.exporting import dumps, plain
from treadle_tracking.leaves import leaves
from treadle_tracking.reading import RunRecord

__all__ = ["csv_lines", "runs_csv"]


def csv_lines(rows: Iterable[Sequence[ParamValue]]) -> Iterator[str]:
    """A line each, as RFC 4180 has them but for its end: texts in quotes, all else without, nothing for None."""
    return (",".join(map(_cell, row)) for row in rows)


def _cell(value: ParamValue) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return repr(value)
    text = value if isinstance(value, str) else dumps(plain({"": value})[""])
    return '"' + text.replace('"', '""') + '"'


def runs_csv(runs: Sequence[RunRecord]) -> Iterator[str]:
    """A line a run, below one of the names of the columns: those of `Runs.dataframe`."""
    groups: Mapping[str, Sequence[Mapping[str, ParamValue]]] = {
        "params": [leaves(run.params) for run in runs],
        "tags": [run.tags for run in runs],
        "metrics": [run.metrics for run in runs],
    }
    columns = [(kind, name) for kind, rows in groups.items() for name in _names(rows)]
    yield from csv_lines([[*ATTRIBUTES, *(f"{kind}.{name}" for kind, name in columns)]])
    for number, run in enumerate(runs):
        own = attributes(run) | {"started": instant(run.started), "ended": instant(run.ended)}
        cells = [groups[kind][number].get(name) for kind, name in columns]
        yield from csv_lines([[*(own[name] for name in ATTRIBUTES), *cells]])


def _names(mappings: Sequence[Iterable[str]]) -> list[str]:
    return sorted({name for one in mappings for name in one})
