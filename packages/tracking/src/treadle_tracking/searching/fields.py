"""What a filter or an order can name, and how it is read from a run."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, TypeAlias

from attrs import field, frozen

from treadle_tracking.clock import milliseconds
from treadle_tracking.entries import ParamValue
from treadle_tracking.leaves import leaves
from treadle_tracking.reading.record import RunRecord

__all__ = [
    "ATTRIBUTES",
    "KINDS",
    "WHICH",
    "Extremes",
    "Field",
    "Kind",
    "Sort",
    "Subject",
    "Which",
    "attribute_named",
    "ranged",
    "reader",
    "sort_of",
    "subject",
]

Kind: TypeAlias = Literal["attribute", "param", "tag", "metric"]
Which: TypeAlias = Literal["last", "min", "max"]
Sort: TypeAlias = Literal["text", "number", "time", "any"]
Extremes: TypeAlias = Mapping[str, tuple[float, float]]

WHICH: Mapping[str, Which] = {"last": "last", "min": "min", "max": "max"}
KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("param", "params", "parameter", "parameters"), "param"),
    **dict.fromkeys(("metric", "metrics"), "metric"),
    **dict.fromkeys(("tag", "tags"), "tag"),
    **dict.fromkeys(("attribute", "attributes", "attr", "run"), "attribute"),
}
# By every name; those that are not ours are MLflow's.
ATTRIBUTES: Mapping[str, str] = {
    "status": "status",
    "name": "name",
    "run_name": "name",
    "uid": "uid",
    "run_id": "uid",
    "experiment": "experiment",
    "group": "group",
    "started": "started",
    "start_time": "started",
    "created": "started",
    "ended": "ended",
    "end_time": "ended",
    "duration": "duration",
}
_SORTS: Mapping[str, Sort] = {"started": "time", "ended": "time", "duration": "number"}
_SORTS_OF_KINDS: Mapping[Kind, Sort] = {"param": "any", "tag": "text", "metric": "number"}


@frozen
class Field:
    """One thing that a run may have.

    Attributes:
        kind: What it is.
        name: Its name: of a nested parameter the dotted one, of an attribute ours, whatever alias was written.
        which: Which value of a metric's; None of other fields.
    """

    kind: Kind
    name: str
    which: Which | None = None


@frozen
class Subject:
    """A run as the fields of one search read it."""

    run: RunRecord
    params: Mapping[str, ParamValue]  # by dotted name; empty where no field is a parameter
    extremes: Extremes = field(factory=dict)


def subject(run: RunRecord, fields: Iterable[Field], extremes: Extremes | None = None) -> Subject:
    """`run` for `fields`; `extremes` are used where the run does not know its own."""
    asks_params = any(one.kind == "param" for one in fields)
    known = run.extremes if run.extremes is not None else extremes
    return Subject(run, leaves(run.params) if asks_params else {}, known or {})


def attribute_named(name: str) -> str | None:
    """Our name of the attribute that is written like this; None where there is none."""
    return ATTRIBUTES.get(name.lower().replace(" ", "_"))


def ranged(fields: Iterable[Field]) -> frozenset[str]:
    """The names of the metrics of which the least or the greatest value is asked for."""
    return frozenset(one.name for one in fields if one.which in {"min", "max"})


def sort_of(field: Field) -> Sort:
    """What its values are: texts, numbers, times as whole milliseconds since the epoch, or any of a parameter's."""
    return _SORTS_OF_KINDS.get(field.kind) or _SORTS.get(field.name, "text")


def reader(field: Field) -> Callable[[Subject], ParamValue]:
    """A function that gives its value; None where there is none."""
    name = field.name
    match field.kind:
        case "param":
            return lambda subject: subject.params.get(name)
        case "tag":
            return lambda subject: subject.run.tags.get(name)
        case "metric" if field.which == "last":
            return lambda subject: subject.run.metrics.get(name)
        case "metric":
            end = 0 if field.which == "min" else 1
            return lambda subject: _end(subject.extremes.get(name), end)
        case "attribute":
            return _ATTRIBUTE_READERS[name]


def _end(both: tuple[float, float] | None, end: int) -> float | None:
    return None if both is None else both[end]


def _ended(subject: Subject) -> int | None:
    ended = subject.run.ended
    return None if ended is None else milliseconds(ended)


def _duration(subject: Subject) -> float | None:
    ended = _ended(subject)
    # Of whole milliseconds, so that ten seconds are 10.0 and equal to 10.
    return None if ended is None else (ended - milliseconds(subject.run.started)) / 1000


_ATTRIBUTE_READERS: Mapping[str, Callable[[Subject], ParamValue]] = {
    "status": lambda subject: subject.run.status,
    "name": lambda subject: subject.run.name,
    "uid": lambda subject: subject.run.uid,
    "experiment": lambda subject: subject.run.experiment,
    "group": lambda subject: subject.run.group,
    "started": lambda subject: milliseconds(subject.run.started),
    "ended": _ended,
    "duration": _duration,
}
