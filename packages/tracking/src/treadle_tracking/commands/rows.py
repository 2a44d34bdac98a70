"""Runs as the rows of a table: which columns there are, and what is in them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

from treadle_tracking.commands import shown, table
from treadle_tracking.comparing.labels import beginnings
from treadle_tracking.leaves import leaves
from treadle_tracking.reading import RunRecord
from treadle_tracking.reading.extremes import extremes
from treadle_tracking.searching.fields import Extremes, Field, ranged, reader, subject

__all__ = ["asked_columns", "default_columns", "lines"]

_GAP = 2
_ATTRIBUTES = "uid", "experiment", "name", "status", "started", "duration"
_PREFIXES = {"param": "params", "tag": "tags", "metric": "metrics"}
_CAN_BE_CUT = {"param", "tag"}
_NAMES = {"experiment", "name", "group"}


def asked_columns(texts: Sequence[str]) -> list[Field]:
    """The columns that were asked for, written as the fields of a search are.

    Raises:
        SearchError: one is none; the message says what is wrong and where.
    """
    from treadle_tracking.searching.grammar import read

    return [
        field
        for text in texts
        for field, _ in cast("tuple[tuple[Field, bool], ...]", read(text, "order", "--columns"))
    ]


def default_columns(runs: Sequence[RunRecord], most: int | None) -> list[Field]:
    """What tells runs apart and how they went, and behind it the metrics that runs are likely to be judged by.

    Args:
        runs: Those of the table.
        most: How wide it may be; as many metrics are taken as fit. None for as wide as it is.
    """
    fields = [Field("attribute", name) for name in _ATTRIBUTES]
    columns, rows = _cells(runs, fields, {}, in_full=False)
    left = None if most is None else most - table.natural_width(columns, rows)
    for name in _judged_by(runs):
        field = Field("metric", name, "last")
        columns, rows = _cells(runs, [field], {}, in_full=False)
        if left is not None:
            left -= _GAP + table.natural_width(columns, rows)
            if left < 0:
                break
        fields.append(field)
    return fields


def _judged_by(runs: Sequence[RunRecord]) -> list[str]:
    """Three metrics at most: those that a picture of the runs would have an axis for."""
    from treadle_tracking.plots.axes import MOST_METRICS, Table, ranked_metrics

    cells = Table.of([{}] * len(runs), [run.metrics for run in runs])
    return ranked_metrics(cells.cells["metrics"])[:MOST_METRICS]


def lines(
    runs: Sequence[RunRecord], fields: Sequence[Field], *, in_full: bool, most: int | None
) -> list[str]:
    """The table.

    Args:
        runs: Its rows.
        fields: Its columns.
        in_full: Whether uids are whole.
        most: How wide it may be; None for as wide as it is.

    Raises:
        TrackingError: a place that must be asked for histories cannot be reached.
    """
    columns, rows = _cells(runs, fields, _unknown_extremes(runs, fields), in_full=in_full)
    return list(table.lines(columns, rows, most))


def _unknown_extremes(runs: Sequence[RunRecord], fields: Sequence[Field]) -> dict[str, Extremes]:
    """The least and the greatest values that columns show, by the identity of each run that does not know its own."""
    names = ranged(fields)
    asked = [run for run in runs if run.extremes is None and not names.isdisjoint(run.metrics)]
    return extremes(asked, names)  # the runs of one table are of one place


def _cells(
    runs: Sequence[RunRecord],
    fields: Sequence[Field],
    known: Mapping[str, Extremes],
    *,
    in_full: bool,
) -> tuple[list[table.Column], list[list[str]]]:
    subjects = [subject(run, fields, known.get(run.identity)) for run in runs]
    uids = [run.uid for run in runs] if in_full else beginnings([run.uid for run in runs])
    ambiguous = _ambiguous(fields, runs)
    columns: list[table.Column] = []
    cells: list[list[str]] = []
    for field in fields:
        read = reader(field)
        values = [read(one) for one in subjects]
        if field == Field("attribute", "uid"):
            values = list(uids)
        is_number = _are_numbers(field, values)
        columns.append(
            table.Column(
                _header(field, ambiguous),
                right=is_number,
                can_be_cut=not is_number and (field.kind in _CAN_BE_CUT or field.name in _NAMES),
            )
        )
        show = _shown_as(field)
        cells.append([show(value) for value in values])
    return columns, [list(row) for row in zip(*cells, strict=True)]


def _are_numbers(field: Field, values: Sequence[Any]) -> bool:
    if field.kind == "attribute":
        return field.name == "duration"
    numbers = [value for value in values if value is not None]
    return bool(numbers) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in numbers
    )


def _shown_as(field: Field) -> Callable[[Any], str]:
    match field.kind, field.name:
        case "attribute", "started" | "ended":
            return lambda value: shown.moment(None if value is None else value / 1000)
        case "attribute", "duration":
            return shown.duration
        case "metric", _:
            return shown.metric
        case _:
            return shown.plain_param


def _header(field: Field, ambiguous: Collection[str]) -> str:
    if field.kind == "attribute":
        return field.name.upper()
    suffix = f" {field.which}" if field.which in {"min", "max"} else ""
    if field.name not in ambiguous:
        return field.name + suffix
    return f"{_PREFIXES[field.kind]}.{field.name}{suffix}"


def _ambiguous(fields: Sequence[Field], runs: Sequence[RunRecord]) -> set[str]:
    """Those of their names that things of several kinds have."""
    names = {field.name for field in fields if field.kind != "attribute"}
    kinds: dict[str, set[str]] = {name: set() for name in names}
    for run in runs if names else ():
        for kind, there in (
            ("param", leaves(run.params)),
            ("tag", run.tags),
            ("metric", run.metrics),
        ):
            for name in names.intersection(there):
                kinds[name].add(kind)
    return {name for name, found in kinds.items() if len(found) > 1}
