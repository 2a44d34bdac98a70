"""Tables as JSON that MLflow's pages, pandas and people read, with a preview in Markdown."""

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite
from typing import Any

from attrs import field, frozen

from treadle_tracking.entries import ParamValue
from treadle_tracking.errors import UnsupportedTable, seen
from treadle_tracking.params import plain

__all__ = ["WrittenTable", "preview", "written_table"]

_ADVICE = (
    "Give a pandas DataFrame, a list of records such as [{'digit': 3, 'score': 0.9}], or columns such as "
    "{'digit': [3], 'score': [0.9]}"
)
_PREVIEW_ROWS = 100
_PREVIEW_COLUMNS = 50
_PREVIEW_CELL = 200  # characters
_MARKDOWN = re.compile(r"([\\`*_\[\]|])")


@frozen
class WrittenTable:
    """A table: `data` is JSON in UTF-8, `preview` Markdown of its first rows."""

    data: bytes = field(repr=False)
    preview: str = field(repr=False)
    columns: tuple[str, ...]
    rows: int


def written_table(name: str, table: Any) -> WrittenTable:
    r"""A table as `{"columns": ["a"], "data": [[1], [2]]}`, which pandas calls the orientation "split".

    It is what MLflow's table pages read where the run's tag `mlflow.loggedArtifacts` names the file, and what
    `pandas.read_json(path, orient="split")` reads. Integers, floats, texts, bools and None are exact; a date is as in
    ISO 8601, and other values are as they would be as parameters. JSON has no word for three floats: NaN, and pandas' NaT
    and NA, are null, as pandas writes them, and the infinities the texts `"Infinity"` and `"-Infinity"`, which pandas
    reads as numbers.

    The preview is a Markdown table of the first 100 rows and 50 columns, in which a text is what it is: what Markdown and
    HTML would take for theirs is escaped, and a line break is a space.

    Args:
        name: The table's, for messages.
        table: A DataFrame of pandas, or what has its `columns`, `index` and `itertuples`: an index that has a name, or
            is no count, is kept as the first columns. Or a list of mappings: the columns are the union of their keys, in
            the order in which they come, and what one has not is null. Or a mapping of columns, each a list, array or
            tensor of one length. Columns of one name get `.1`, `.2`, … as pandas does it.

    Raises:
        UnsupportedTable: it is none of these, or its columns differ in length.
        UnsupportedParam: a cell has no exact form in JSON.
    """
    if callable(getattr(table, "itertuples", None)) and hasattr(table, "columns"):
        columns, rows = _of_frame(table)
    elif isinstance(table, Mapping):
        columns, rows = _of_columns(name, table)
    elif isinstance(table, Iterable) and not isinstance(table, str | bytes):
        columns, rows = _of_records(name, table)
    else:
        raise UnsupportedTable(name, f"is {seen(table)}", _ADVICE)
    columns = _unique(columns)
    data = [
        [
            _cell(value, f"{name}.{column}[{number}]")
            for column, value in zip(columns, row, strict=True)
        ]
        for number, row in enumerate(rows)
    ]
    text = json.dumps(
        {"columns": columns, "data": data},
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    )
    return WrittenTable(
        data=text.encode("utf-8", "backslashreplace"),
        preview=preview(columns, data),
        columns=tuple(columns),
        rows=len(data),
    )


def _label(key: Any) -> str:
    """A column's name: that of several levels has dots."""
    return ".".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _unique(columns: Sequence[str]) -> list[str]:
    taken: set[str] = set()
    found = []
    for column in columns:
        name, number = column, 0
        while name in taken:
            number += 1
            name = f"{column}.{number}"
        taken.add(name)
        found.append(name)
    return found


def _of_frame(frame: Any) -> tuple[list[str], Iterable[Sequence[Any]]]:
    columns = [_label(column) for column in frame.columns]
    rows = frame.itertuples(index=False, name=None)
    index = list(frame.index)
    names = list(frame.index.names)
    is_count = names == [None] and all(isinstance(label, int) for label in index)
    if is_count:
        return columns, rows
    labels = [label if isinstance(label, tuple) else (label,) for label in index]
    levels = ["index" if one is None else _label(one) for one in names]
    return levels + columns, ((*label, *row) for label, row in zip(labels, rows, strict=True))


def _of_columns(name: str, table: Mapping[Any, Any]) -> tuple[list[str], Iterable[Sequence[Any]]]:
    lists = {_label(column): _listed(name, column, values) for column, values in table.items()}
    lengths = {column: len(values) for column, values in lists.items()}
    if len(set(lengths.values())) > 1:
        raise UnsupportedTable(name, f"has columns of different lengths: {lengths}", _ADVICE)
    if len(lists) < len(table):
        raise UnsupportedTable(name, "has two columns of one name", _ADVICE)
    return list(lists), zip(*lists.values(), strict=True)


def _listed(name: str, column: Any, values: Any) -> list[Any]:
    if callable(getattr(values, "tolist", None)):
        values = values.tolist()
    if not isinstance(values, Iterable) or isinstance(values, str | bytes | Mapping):
        raise UnsupportedTable(name, f"has {seen(values)} as the column {column!r}", _ADVICE)
    return list(values)


def _of_records(name: str, table: Iterable[Any]) -> tuple[list[str], Iterable[Sequence[Any]]]:
    records = list(table)
    columns: dict[Any, None] = {}
    for record in records:
        if not isinstance(record, Mapping):
            raise UnsupportedTable(name, f"has {seen(record)} as a record", _ADVICE)
        columns.update(dict.fromkeys(record))
    return [_label(column) for column in columns], (
        [record.get(column) for column in columns] for record in records
    )


def _cell(value: Any, path: str) -> ParamValue:
    if type(value).__name__ in {"NAType", "NaTType"}:
        return None
    return _finite(value if type(value) in {str, int, bool} else plain(value, path, "the cell"))


def _finite(value: ParamValue) -> ParamValue:
    if isinstance(value, float) and not isfinite(value):
        if value == inf:
            return "Infinity"
        return "-Infinity" if value == -inf else None
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return value


def preview(columns: Sequence[str], data: Sequence[Sequence[ParamValue]]) -> str:
    """Markdown of the first rows and columns of a table."""
    shown = columns[:_PREVIEW_COLUMNS]
    if not shown:
        return f"{len(data)} rows without columns"
    lines = [_line(shown), _rule(len(shown))]
    lines += [_line(row[:_PREVIEW_COLUMNS]) for row in data[:_PREVIEW_ROWS]]
    left = []
    if len(data) > _PREVIEW_ROWS:
        left.append(f"{len(data) - _PREVIEW_ROWS} more rows")
    if len(columns) > _PREVIEW_COLUMNS:
        left.append(f"{len(columns) - _PREVIEW_COLUMNS} more columns")
    return "\n".join([*lines, *(["", f"… {' and '.join(left)}"] if left else [])])


def _rule(width: int) -> str:
    return "| " + " | ".join(["---"] * width) + " |"


def _line(cells: Sequence[ParamValue]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(cell: ParamValue) -> str:
    if cell is None:
        return ""
    text = cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)
    text = " ".join(text.encode("utf-8", "backslashreplace").decode().split())
    if len(text) > _PREVIEW_CELL:
        text = text[: _PREVIEW_CELL - 1] + "…"
    # A tilde, which some Markdown takes for its own, other Markdown does not let escape.
    return _MARKDOWN.sub(r"\\\1", html.escape(text, quote=False)).replace("~", "&#126;")
