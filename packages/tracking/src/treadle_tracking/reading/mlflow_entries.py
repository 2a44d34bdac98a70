"""A run of MLflow's as a log: what a copy of it is made of."""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

from treadle_tracking.entries import (
    ENDS,
    Artifact,
    Ended,
    Entry,
    Function,
    Histogram,
    Image,
    Params,
    Scalars,
    Started,
    Table,
    Tags,
    Text,
)
from treadle_tracking.errors import UnsupportedImage
from treadle_tracking.functions import fenced
from treadle_tracking.mirrors.histogram_picture import histogram_buckets
from treadle_tracking.pictures import from_png
from treadle_tracking.reading.mlflow_files import Sorted, Stepped
from treadle_tracking.reading.points import Points
from treadle_tracking.reading.record import RunRecord
from treadle_tracking.tables import preview

__all__ = ["log_of"]

_Content: TypeAlias = Callable[[str], bytes | None]
_Made: TypeAlias = Callable[[], Iterator[Entry]]


def log_of(
    run: RunRecord,
    histories: Mapping[str, Points],
    files: Sorted,
    content: _Content,
) -> Iterator[Entry]:
    """The entries of a run, in the order of their times.

    MLflow has no times of texts, histograms and files. A text or a histogram gets the time of the last number of its
    step, or of the last step before it; a file that of the last number of all, and an empty digest.

    Args:
        run: The run.
        histories: All points by metric.
        files: What the run has beside them.
        content: What is in a file, by its path in MLflow; None where it is not there any more.
    """
    began = round(run.started * 1000)
    yield Started(
        wall_time=began / 1000,
        uid=run.uid,
        experiment=run.experiment,
        name=run.name,
        group=run.group,
    )
    if run.params:
        yield Params(wall_time=began / 1000, values=run.params)
    if run.tags:
        yield Tags(wall_time=began / 1000, values=run.tags)
    scalars = _scalars(histories)
    clock = _Clock(began, scalars)
    timed: list[tuple[int, _Made]] = [
        (time, partial(_numbers, time, step, values)) for (time, step), values in scalars.items()
    ]
    timed += [(one.time or 0, partial(_image, one, content)) for one in files.images]
    for kind, found in ((_text, files.texts), (_histogram, files.histograms)):
        for one in found:
            time = clock.of(one.step)
            timed.append((time, partial(kind, time, one, content)))
    timed.sort(key=lambda one: one[0])
    for _, made in timed:
        yield from made()
    yield from _kept(max(began, timed[-1][0]) if timed else began, files, content)
    if run.ended is not None and run.status in ENDS:
        yield Ended(wall_time=run.ended, status=run.status)


_Numbers: TypeAlias = dict[tuple[int, int], list[dict[str, float]]]


def _scalars(histories: Mapping[str, Points]) -> _Numbers:
    """The values of each time and step, in as few mappings as have each name once."""
    found: _Numbers = {}
    for name, points in histories.items():
        for step, time, value in points:
            together = found.setdefault((time, step), [])
            for values in together:
                if name not in values:
                    values[name] = value
                    break
            else:
                together.append({name: value})
    return found


class _Clock:
    """When a step was, in milliseconds since the epoch."""

    def __init__(self, began: int, scalars: Iterable[tuple[int, int]]) -> None:
        times: dict[int, int] = {}
        for time, step in scalars:
            times[step] = max(time, times.get(step, began))
        self._began = began
        self._steps = sorted(times)
        self._times = [times[step] for step in self._steps]

    def of(self, step: int) -> int:
        """The time of its last number, or of the last step before that has one."""
        place = bisect_right(self._steps, step)
        return self._times[place - 1] if place else self._began


def _numbers(time: int, step: int, together: Iterable[dict[str, float]]) -> Iterator[Entry]:
    for values in together:
        yield Scalars(wall_time=time / 1000, step=step, values=values)


def _image(found: Stepped, content: _Content) -> Iterator[Entry]:
    data = content(found.path)
    if data is None:
        return
    try:
        picture = from_png(found.name, data)
    except UnsupportedImage:
        return  # others may keep what they like under such a name
    yield Image(
        wall_time=(found.time or 0) / 1000,
        step=found.step,
        name=found.name,
        png=picture.png,
        width=picture.width,
        height=picture.height,
    )


def _text(time: int, found: Stepped, content: _Content) -> Iterator[Entry]:
    data = content(found.path)
    if data is not None:
        text = data.decode("utf-8", "replace")
        yield Text(wall_time=time / 1000, step=found.step, name=found.name, text=text)


def _histogram(time: int, found: Stepped, content: _Content) -> Iterator[Entry]:
    data = content(found.path)
    if data is None:
        return
    try:
        buckets = histogram_buckets(data.decode())
    except (ValueError, TypeError):
        return
    yield Histogram(wall_time=time / 1000, step=found.step, name=found.name, buckets=buckets)


def _kept(time: int, files: Sorted, content: _Content) -> Iterator[Entry]:
    """Artifacts, and then what they are of."""
    wall_time = time / 1000
    for path, file in files.artifacts.items():
        yield Artifact(wall_time=wall_time, path=path, size=file.size, sha256="")
    for table in files.tables:
        data = content(files.artifacts[table.artifact].path)
        yield Table(
            wall_time=wall_time,
            step=table.step,
            name=table.name,
            path=table.artifact,
            preview="" if data is None else _preview(data),
        )
    for function in files.functions:
        source = None
        if function.artifact is not None:
            source = content(files.artifacts[function.artifact].path)
        yield Function(
            wall_time=wall_time,
            name=function.name,
            qualified_name=function.qualified_name,
            sha256=function.sha256,
            path=function.artifact,
            source="" if source is None else fenced(source.decode("utf-8", "replace")),
        )


def _preview(data: bytes) -> str:
    """As of a table that was just recorded; nothing of what is none."""
    try:
        table: Any = json.loads(data)
        columns, rows = table["columns"], table["data"]
        return preview([str(column) for column in columns], [list(row) for row in rows])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
