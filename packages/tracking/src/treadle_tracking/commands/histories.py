"""All points of the metrics of runs, one after the other."""

import json
from collections.abc import Callable, Iterator, Sequence
from math import isfinite

from treadle_tracking.commands.answer import instant_of
from treadle_tracking.commands.delimited import csv_lines
from treadle_tracking.reading import Points, RunRecord

__all__ = ["history_csv", "history_json_lines"]

_COLUMNS = "uid", "name", "metric", "step", "time", "value"
_AT_ONCE = 100  # runs whose points are in memory together


def history_csv(
    runs: Sequence[RunRecord], metrics: Sequence[str] | None, reached: Callable[[int], None]
) -> Iterator[str]:
    """A line a point, below one of the names of the columns: those of `Runs.history`."""
    yield from csv_lines([_COLUMNS])
    for run, name, points in _histories(runs, metrics, reached):
        # What is the same in all of them is made once.
        begin = next(csv_lines([[run.uid, run.name, name]]))
        for step, time, value in points:
            yield f'{begin},{step},"{instant_of(time)}",{value!r}'


def history_json_lines(
    runs: Sequence[RunRecord], metrics: Sequence[str] | None, reached: Callable[[int], None]
) -> Iterator[str]:
    """A list of points, a line each."""
    last = ""
    yield "["
    for run, name, points in _histories(runs, metrics, reached):
        same = json.dumps({"uid": run.uid, "name": run.name, "metric": name})[:-1]
        for step, time, value in points:
            if last:
                yield f"{last},"
            number = repr(value) if isfinite(value) else f'{{"$float": "{value!r}"}}'
            last = f'{same}, "step": {step}, "time": "{instant_of(time)}", "value": {number}}}'
    if last:
        yield last
    yield "]"


def _histories(
    runs: Sequence[RunRecord], metrics: Sequence[str] | None, reached: Callable[[int], None]
) -> Iterator[tuple[RunRecord, str, Points]]:
    """In the order of the runs, then by metric. The runs are of one place; `reached` is told how many are done."""
    for begin in range(0, len(runs), _AT_ONCE):
        reached(begin)
        some = runs[begin : begin + _AT_ONCE]
        places = {run.identity: place for place, run in enumerate(some)}
        found = some[0].reader.histories(some, metrics)
        chunks = [(places[run.identity], name, run, points) for run, name, points in found]
        for _, name, run, points in sorted(chunks, key=lambda chunk: chunk[:2]):
            yield run, name, points
