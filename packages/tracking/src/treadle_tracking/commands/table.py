"""Tables of text: aligned, and no wider than the terminal."""

from collections.abc import Iterator, Sequence

from attrs import frozen

from treadle_tracking.terminal import cut, padded, visible, width

__all__ = ["Column", "lines", "natural_width"]

_GAP = "  "
_LEAST = 8  # columns of a text that is cut
_WIDEST = 200  # columns of a text that can be cut, where the table may be as wide as it is


@frozen
class Column:
    """One column: its header, whether its texts end where it ends, and whether they can be cut."""

    header: str
    right: bool = False
    can_be_cut: bool = False


def natural_width(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """How wide the table is where nothing is cut."""
    widths = _widths(columns, [[visible(cell) for cell in row] for row in rows])
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def lines(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], most: int | None
) -> Iterator[str]:
    """The header and the rows, without anything in them that a terminal would act on.

    Args:
        columns: Each cell's column.
        rows: One cell a column each.
        most: How wide the table may be; None for as wide as it is, with 200 columns for a text that can be cut. The widest
            texts that can be cut are, as far as is needed; then the lines.
    """
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = _widths(columns, shown)
    if most is None:
        widths = [
            min(size, _WIDEST) if column.can_be_cut else size
            for column, size in zip(columns, widths, strict=True)
        ]
    else:
        _narrow(widths, columns, most - len(_GAP) * (len(columns) - 1))
    for row in [[visible(column.header) for column in columns], *shown]:
        line = _GAP.join(
            padded(cut(cell, size), size, right=column.right)
            for column, cell, size in zip(columns, row, widths, strict=True)
        ).rstrip(" ")
        yield line if most is None else cut(line, most)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    return [
        max([width(visible(column.header)), *(width(row[place]) for row in rows)])
        for place, column in enumerate(columns)
    ]


def _narrow(widths: list[int], columns: Sequence[Column], most: int) -> None:
    """Take from the widest that can be cut, until all fit or nothing more can be taken."""
    places = [place for place, column in enumerate(columns) if column.can_be_cut]
    for limit in sorted({widths[place] for place in places}, reverse=True):
        excess = sum(widths) - most
        widest = [place for place in places if widths[place] >= limit]
        below = max([widths[place] for place in places if widths[place] < limit], default=0)
        room = max(0, limit - max(below, _LEAST))
        if excess <= 0 or not room:
            return
        each, more = divmod(min(excess, room * len(widest)), len(widest))
        for number, place in enumerate(widest):
            widths[place] = limit - each - (number < more)
