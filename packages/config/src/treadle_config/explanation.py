"""Values and tables as text, for people."""

import enum
from collections.abc import Sequence
from typing import Any

_WIDEST_VALUE = 40


def as_text(value: Any) -> str:
    """A value as one would write it on the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, str):
        return value if value and value.isprintable() and " " not in value else repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_text, value))}]"
    if isinstance(value, set | frozenset):
        return f"[{', '.join(sorted(map(as_text, value)))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {as_text(child)}' for key, child in value.items())}}}"
    return str(value)


def explained(title: str, rows: Sequence[tuple[str, str, str]]) -> str:
    """A title over rows of path, value and source, in columns."""
    first = max((len(path) for path, _, _ in rows), default=0)
    # A longer value is longer in its own line only.
    lengths = (len(value) for _, value, _ in rows)
    second = max((one for one in lengths if one <= _WIDEST_VALUE), default=0)
    lines = [f"{path:<{first}}  {value:<{second}}  {said}" for path, value, said in rows]
    return "\n".join([title, "", *lines]) + "\n"
