"""A comparison as HTML, as a notebook shows it."""

from collections.abc import Sequence
from html import escape

from treadle_tracking.comparing.sections import Section
from treadle_tracking.comparing.shown import told_apart
from treadle_tracking.terminal import visible

__all__ = ["page"]

_LONGEST = 200  # characters of a value


def page(labels: Sequence[str], sections: Sequence[Section]) -> str:
    """A table without scripts and styles of its own, in which every name and value is text."""
    head = "".join(f"<th>{escape(visible(label))}</th>" for label in labels)
    span = len(labels) + 1
    parts = [f"<table><thead><tr><th></th>{head}</tr></thead>"]
    for section in sections:
        parts.append(f'<tbody><tr><th colspan="{span}">{escape(section.title)}</th></tr>')
        for name, texts in section.rows:
            cells = "".join(f"<td>{escape(cell)}</td>" for cell in told_apart(texts, _LONGEST))
            parts.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
        if section.note is not None:
            parts.append(f'<tr><td colspan="{span}"><em>{escape(section.note)}</em></td></tr>')
        parts.append("</tbody>")
    return "\n".join([*parts, "</table>"])
