"""TOML that remembers its lines, and numbers as they were written."""

import re
from collections.abc import Callable
from typing import Any

from treadle_config.toml_lines import Path, TomlLines
from treadle_config.tree import Node, Plain, Source, Unreadable

_KEYS = re.compile(r"\((?:'[^']*',? ?)+\)")
"""How `tomllib` writes a dotted key in a message."""
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def read_toml(text: str, source_at: Callable[[int], Source]) -> Node:
    """Read a TOML document (1.0.0, by python's `tomllib`).

    Text, bools, dates and times are python's. Numbers stay text, as in other files: the declared
    type decides what they are. Only what other files do not have, such as `0x1F`, is a number.

    Args:
        text: The document.
        source_at: Makes the source of what begins on a line, counted from 1, or on line 0 where
            there is none.

    Raises:
        Unreadable: It is no TOML, or it is too deep or too large.
    """
    import tomllib

    lines = TomlLines(text.replace("\r\n", "\n"))
    try:
        found = tomllib.loads(text)
    except ValueError as error:  # a date that is none, say, is no TOMLDecodeError everywhere
        said = _KEYS.sub(_dotted, str(error))
        place = _PLACE.search(said)
        line = 0
        if place is not None:
            said = said[: place.start()]
            line = int(place[1] or text.rstrip("\n").count("\n") + 1)
        raise Unreadable(said[0].lower() + said[1:], line) from None
    return _Walk(lines, source_at).node(found, ())


def _dotted(keys: re.Match[str]) -> str:
    return ".".join(re.findall(r"'([^']*)'", keys[0]))


class _Walk:
    def __init__(self, lines: TomlLines, source_at: Callable[[int], Source]) -> None:
        self._lines = lines
        self._source_at = source_at

    def node(self, value: Any, path: Path) -> Node:
        content = value
        if isinstance(value, dict):
            content = {key: self.node(child, (*path, key)) for key, child in value.items()}
        elif isinstance(value, list):
            content = [self.node(child, (*path, index)) for index, child in enumerate(value)]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            content = _number(value, self._lines.bare.get(path, ""))
        return Node(content, self._source_at(self._lines.lines.get(path, 0)))


def _number(value: float, text: str) -> Any:
    ours = text and text[:2] not in ("0x", "0o", "0b") and text[-3:] != "nan"
    return Plain(text) if ours else value
