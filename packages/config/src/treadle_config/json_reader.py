"""JSON that remembers its lines, and refuses a key that is given twice.

The scanner is python's own, with one step put in between: whatever it has read becomes a node.
Numbers stay text: the declared type decides what they are.
"""

import json
from collections.abc import Callable, Iterable
from json.decoder import JSONArray, JSONObject  # type: ignore[attr-defined]  # not in typeshed
from json.scanner import py_make_scanner  # type: ignore[attr-defined]  # not in typeshed
from typing import Any

from treadle_config.tree import DEEPEST, MOST_NODES, Node, Plain, Source, Unreadable, join


def read_json(text: str, source_at: Callable[[int], Source]) -> Node:
    """Read one JSON document (RFC 8259, with python's `NaN`, `Infinity` and `-Infinity`).

    Args:
        text: The document.
        source_at: Makes the source of what begins on a line, counted from 1.

    Raises:
        Unreadable: It is no JSON, or it is too deep or too large.
    """
    decoder = _Decoder(source_at)
    try:
        found: Node = decoder.decode(text)
    except json.JSONDecodeError as error:
        said = f"{error.msg[0].lower()}{error.msg[1:]} at column {error.colno}"
        raise Unreadable(said, error.lineno) from None
    if decoder.twice is not None:
        entries, key, first, line = decoder.twice
        path = join(_path_to(entries, found, "") or "", key)
        where = f"on line {first} and again on line {line}" if line else "twice"
        hint = f"the key {key!r} is given {where}"
        raise Unreadable(hint, line, path, got="a second", expected="one value")
    return found


class _Decoder(json.JSONDecoder):
    def __init__(self, source_at: Callable[[int], Source]) -> None:
        super().__init__(parse_int=Plain, parse_float=Plain, object_pairs_hook=self._entries)
        self.twice: tuple[dict[str, Node], str, int, int] | None = None
        self._source_at = source_at
        self._nodes = 0
        self._depth = -1
        self._line = 1
        self._counted_to = 0
        self.parse_object = self._object
        self.parse_array = self._array
        self._scan = py_make_scanner(self)
        self.scan_once = self._node

    def _object(self, at: tuple[str, int], strict: bool, _scan: Any, *hooks: Any) -> Any:  # noqa: FBT001
        return JSONObject(at, strict, self._node, *hooks)

    def _array(self, at: tuple[str, int], _scan: Any) -> Any:
        return JSONArray(at, self._node)

    def _node(self, text: str, at: int) -> tuple[Node, int]:
        # Values are met in order, so each newline is counted once.
        self._line += text.count("\n", self._counted_to, at)
        self._counted_to = max(at, self._counted_to)
        line = self._line
        self._nodes += 1
        self._depth += 1
        if self._nodes > MOST_NODES:
            raise Unreadable(f"more than {MOST_NODES} values", line)
        if self._depth > DEEPEST:
            raise Unreadable(f"nested more than {DEEPEST} levels deep", line)
        content, end = self._scan(text, at)
        self._depth -= 1
        return Node(content, self._source_at(line)), end

    def _entries(self, pairs: list[tuple[str, Node]]) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for key, node in pairs:
            if key in entries and self.twice is None:
                # Reported at the end: only then is it known what this object is within.
                self.twice = entries, key, entries[key].source.line, node.source.line
            entries[key] = node
        return entries


def _path_to(entries: dict[str, Node], node: Node, path: str) -> str | None:
    """The dotted path of an object within a tree."""
    content = node.content
    if content is entries:
        return path
    below: Iterable[tuple[str, Node]] = ()
    if isinstance(content, dict):
        below = ((join(path, key), child) for key, child in content.items())
    elif isinstance(content, list):
        below = ((f"{path}[{index}]", child) for index, child in enumerate(content))
    found = (_path_to(entries, child, inside) for inside, child in below)
    return next((one for one in found if one is not None), None)
