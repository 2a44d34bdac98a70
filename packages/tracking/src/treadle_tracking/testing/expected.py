"""What a reader has to make of a log, found out in the plainest way."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import field, frozen

from treadle_tracking.clock import milliseconds
from treadle_tracking.entries import (
    Artifact,
    Ended,
    Entry,
    Function,
    Histogram,
    Image,
    Params,
    ParamValue,
    Rewound,
    Scalars,
    Started,
    Table,
    Tags,
    Text,
)
from treadle_tracking.params import joined
from treadle_tracking.reading.points import Points
from treadle_tracking.reading.reader import Reader
from treadle_tracking.reading.record import Contents, RunRecord
from treadle_tracking.testing.stored import check_same

__all__ = ["Expected", "check_entries", "check_record", "expected_of", "plain_contents"]

_Point: TypeAlias = tuple[float, int, float]  # time in seconds since the epoch, step, value


@frozen(kw_only=True)
class Expected:
    """What entries come to."""

    started: Started
    ended: Ended | None = None
    params: Mapping[str, ParamValue] = field(factory=dict)
    tags: Mapping[str, str] = field(factory=dict)
    points: Mapping[str, Points] = field(factory=dict)
    contents: Contents
    pieces: Sequence[tuple[Any, ...]] = ()  # what there is beside numbers, and what is in it


def expected_of(
    entries: Iterable[Entry],
    *,
    number: Callable[[float], float] = lambda value: value,
    keeps: Iterable[type[Entry]] | None = None,
) -> Expected:
    """What a run's entries come to.

    Args:
        entries: In order, `Started` first.
        number: What the place makes of a double.
        keeps: The kinds of entries that the place keeps; None for all.
    """
    kinds = None if keeps is None else tuple(keeps)
    first, *others = entries
    assert isinstance(first, Started), "the first entry of a log is `Started`"
    ended: Ended | None = None
    params: dict[str, ParamValue] = {}
    tags: dict[str, str] = {}
    points: dict[str, list[_Point]] = {}
    pieces: list[tuple[Any, ...]] = []
    for entry in others:
        if kinds is not None and not isinstance(entry, kinds):
            continue
        match entry:
            case Started():
                ended = None
            case Ended():
                ended = entry
            case Rewound():
                points = {name: _kept(history, entry) for name, history in points.items()}
            case Params():
                params = joined(params, entry.values)
            case Tags():
                tags.update(entry.values)
            case Scalars():
                for name, value in entry.values.items():
                    points.setdefault(name, []).append((entry.wall_time, entry.step, number(value)))
            case _:
                pieces += _piece(entry)
    return Expected(
        started=first,
        ended=ended,
        params=params,
        tags=tags,
        points={name: _points(history) for name, history in points.items() if history},
        contents=_contents(pieces),
        pieces=sorted(dict.fromkeys(pieces), key=repr),
    )


def _kept(history: Iterable[_Point], rewound: Rewound) -> list[_Point]:
    """The points that are not of what was abandoned."""
    return [
        (time, step, value)
        for time, step, value in history
        if time >= rewound.began
        or (step < rewound.step if rewound.after is None else time <= rewound.after)
    ]


def _points(history: Iterable[_Point]) -> Points:
    return Points.of((step, milliseconds(time), value) for time, step, value in history)


def _piece(entry: Entry) -> list[tuple[Any, ...]]:
    match entry:
        case Image():
            return [("image", entry.name, entry.step, entry.png.hex(), entry.width, entry.height)]
        case Text():
            return [("text", entry.name, entry.step, entry.text)]
        case Histogram():
            return [("histogram", entry.name, entry.step, entry.buckets)]
        case Artifact():
            return [("artifact", entry.path)]
        case Table():
            return [("table", entry.name, entry.path)]
        case Function():
            return [("function", entry.name, entry.qualified_name)]
        case _:
            return []  # what is final


def _contents(pieces: Iterable[tuple[Any, ...]]) -> Contents:
    names: dict[str, set[str]] = {}
    functions: dict[str, str] = {}
    for kind, name, *others in pieces:
        names.setdefault(kind, set()).add(name)
        if kind == "function":
            functions[name] = others[0]
    return Contents(
        artifacts=tuple(names.get("artifact", ())),
        images=tuple(names.get("image", ())),
        texts=tuple(names.get("text", ())),
        histograms=tuple(names.get("histogram", ())),
        tables=tuple(names.get("table", ())),
        functions=functions,
    )


def plain_contents(contents: Contents) -> dict[str, object]:
    """Contents as they can be compared: their order says nothing."""
    return {
        "artifacts": sorted(contents.artifacts),
        "images": sorted(contents.images),
        "texts": sorted(contents.texts),
        "histograms": sorted(contents.histograms),
        "tables": sorted(contents.tables),
        "functions": dict(contents.functions),
    }


def check_record(run: RunRecord, expected: Expected, reader: Reader) -> None:
    """See that a record is what was written.

    Raises:
        AssertionError: it is something else.
    """
    started, ended = expected.started, expected.ended
    for name in ("uid", "experiment", "name", "group"):
        check_same(f"the run's {name} is its own", getattr(started, name), getattr(run, name))
    check_same("it says where it was read", reader.target, run.target)
    check_same("it could be read whole", None, run.damage)
    check_same("it began when it began", milliseconds(started.wall_time) / 1000, run.started)
    end = None if ended is None else milliseconds(ended.wall_time) / 1000
    check_same("it ended when it ended", end, run.ended)
    if ended is not None:
        check_same("its status is how it ended", ended.status, run.status)
    elif run.status not in {"RUNNING", "UNFINISHED"}:
        raise AssertionError(f"it has not ended, and its status is {run.status!r}")
    check_same("its parameters are exact, typed and nested", expected.params, run.params)
    check_same("its tags are those that were set", expected.tags, run.tags)
    last = {name: points.last for name, points in expected.points.items()}
    check_same("its metrics are the last values", last, run.metrics)
    if run.extremes is not None:
        extremes = {name: points.extremes for name, points in expected.points.items()}
        check_same("its extremes are the least and the greatest values", extremes, run.extremes)
    check_same(
        "its contents are what it has",
        plain_contents(expected.contents),
        plain_contents(run.contents),
    )


def check_entries(entries: Sequence[Entry], expected: Expected) -> None:
    """See that a run as a log is what was written, so that a copy of it has everything.

    Raises:
        AssertionError: it is something else.
    """
    kinds = [type(entry).__name__ for entry in entries]
    check_same("the first entry is `Started`", ["Started"], kinds[:1])
    end = [] if expected.ended is None else ["Ended"]
    check_same(
        "an end is the last entry of a run that has ended, and there is no other",
        (end, end),
        (kinds[-1:] if "Ended" in kinds else [], [kind for kind in kinds if kind == "Ended"]),
    )
    times = [entry.wall_time for entry in entries]
    check_same("the entries are in the order of their times", sorted(times), times)
    found = expected_of(entries)
    for name in ("uid", "experiment", "name", "group"):
        one, other = getattr(expected.started, name), getattr(found.started, name)
        check_same(f"the {name} of the run is its own", one, other)
    check_same(
        "the run begins when it began",
        milliseconds(expected.started.wall_time),
        milliseconds(found.started.wall_time),
    )
    check_same("the end is the run's", *(_end(one.ended) for one in (expected, found)))
    check_same("the parameters are exact, typed and nested", expected.params, found.params)
    check_same("the tags are those that were set", expected.tags, found.tags)
    check_same("the points are all there", *(_plain(one.points) for one in (expected, found)))
    check_same("what there is beside numbers is all there", expected.pieces, found.pieces)


def _end(ended: Ended | None) -> object:
    return None if ended is None else (ended.status, milliseconds(ended.wall_time))


def _plain(points: Mapping[str, Points]) -> dict[str, object]:
    return {name: list(history) for name, history in points.items()}
