"""A comparison as text: columns that are aligned, and lines that fit."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from treadle_tracking.comparing.sections import Section
from treadle_tracking.comparing.shown import cut_name, told_apart
from treadle_tracking.terminal import padded, visible, width

__all__ = ["CELL", "NAME", "table"]

CELL = 32  # columns of a terminal that a value takes at most
NAME = 40  # and the name before it
_GAP = "  "
_INDENT = "  "
_LEAST = 8  # of both, however narrow the terminal is


def table(labels: Sequence[str], sections: Sequence[Section], columns: int) -> str:
    """Blocks of as many runs as `columns` has room for, one below the other."""
    width_of_name = min(NAME, max(_LEAST, columns // 2))
    width_of_cell = min(CELL, max(_LEAST, columns - width_of_name - len(_GAP)))
    heads = told_apart([visible(label) for label in labels], width_of_cell)
    cut_sections = [
        Section(
            section.title,
            tuple(
                (
                    cut_name(_INDENT + name, width_of_name),
                    tuple(told_apart(cells, width_of_cell)),
                )
                for name, cells in section.rows
            ),
            section.note,
        )
        for section in sections
    ]
    names = [name for section in cut_sections for name, _ in section.rows]
    first = max(
        [width(name) for name in names] + [len(section.title) for section in cut_sections],
        default=0,
    )
    widths = [
        max(width(cell) for cell in (head, *cells))
        for head, *cells in zip(
            heads, *(cells for section in cut_sections for _, cells in section.rows), strict=True
        )
    ]
    blocks = [
        "\n".join(_block(heads, cut_sections, first, widths, runs))
        for runs in _fitting(widths, columns - first)
    ]
    return "\n\n".join(blocks)


def _fitting(widths: Sequence[int], room: int) -> Iterator[range]:
    """Which runs stand side by side: at least one."""
    start = 0
    while start < len(widths):
        taken = list(accumulate(len(_GAP) + one for one in widths[start:]))
        many = max(1, sum(one <= room for one in taken))
        yield range(start, start + many)
        start += many


def _block(
    heads: Sequence[str],
    sections: Sequence[Section],
    first: int,
    widths: Sequence[int],
    runs: range,
) -> Iterator[str]:
    def line(name: str, cells: Sequence[str]) -> str:
        texts = [padded(cells[run], widths[run]) for run in runs]
        return _GAP.join([padded(name, first), *texts]).rstrip()

    yield line("", heads)
    for section in sections:
        yield section.title
        for name, cells in section.rows:
            yield line(name, cells)
        if section.note is not None:
            yield _INDENT + section.note
