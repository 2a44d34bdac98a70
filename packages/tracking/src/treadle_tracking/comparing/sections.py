"""What a comparison shows, whatever it is drawn with: sections of rows, with a cell for each run."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import frozen

from treadle_tracking.comparing import shown
from treadle_tracking.terminal import visible

__all__ = ["Section", "sections"]


Rows: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]


@frozen
class Section:
    """Rows below a title: each a name and the whole text of each cell. `note` says what is left out."""

    title: str
    rows: Rows
    note: str | None = None


def sections(
    attributes: Mapping[str, Sequence[Any]],
    params: Mapping[str, Sequence[Any]],
    tags: Mapping[str, Sequence[Any]],
    metrics: Mapping[str, Sequence[Any]],
    same_params: int,
) -> list[Section]:
    """Those that have something to show."""
    others = {name: values for name, values in attributes.items() if name != "duration"}
    times = {name: values for name, values in attributes.items() if name == "duration"}
    found = [
        Section("attributes", _each(others, shown.exact) + _rows(times, shown.durations)),
        Section("params", _each(params, shown.exact), _note(same_params, bool(params))),
        Section("tags", _each(tags, shown.tag)),
        Section("metrics", _rows(metrics, shown.metrics)),
    ]
    return [section for section in found if section.rows or section.note]


def _rows(
    fields: Mapping[str, Sequence[Any]], made: Callable[[Sequence[Any]], Iterable[str]]
) -> Rows:
    return tuple((visible(name), tuple(made(values))) for name, values in fields.items())


def _each(fields: Mapping[str, Sequence[Any]], made: Callable[[Any], str]) -> Rows:
    return _rows(fields, lambda values: map(made, values))


def _note(same: int, some_differ: bool) -> str | None:  # noqa: FBT001
    if not same:
        return None
    are = "is" if same == 1 else "are"
    return f"{same:,} more {are} the same" if some_differ else f"all {same:,} {are} the same"
