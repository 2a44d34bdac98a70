"""JSON that remembers its lines, and refuses a key that is given twice.

The grammar is RFC 8259, with python's `NaN`, `Infinity` and `-Infinity`. Numbers stay text:
the declared type decides what they are. `json.loads` knows no lines, so only its string
scanner is used.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from treadle_config.limits import DEEPEST, MOST_NODES
from treadle_config.tree import Node, Plain, Source

# `json` exports it to its own scanner only; with these arguments it is as old as the module.
_scan_string: Callable[[str, int, bool], tuple[str, int]] = vars(json.decoder)["scanstring"]
_BLANKS = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}


class NotJson(Exception):
    """Text that is no JSON; `reason` says why, `line` where."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def read_json(text: str, source_at: Callable[[int], Source]) -> Node:
    """Read one JSON document.

    Args:
        text: The document.
        source_at: Makes the source of what begins on a line, counted from 1.

    Raises:
        NotJson: It is none, or it is too deep or too large.
    """
    return _Reader(text, source_at).document()


class _Reader:
    def __init__(self, text: str, source_at: Callable[[int], Source]) -> None:
        self._text = text
        self._source_at = source_at
        self._nodes = 0
        self._line = 1
        self._line_seen_to = 0

    def document(self) -> Node:
        node, end = self._value(self._skip(0), 0)
        if end != len(self._text):
            raise self._wrong("text after the end of the document", end)
        return node

    def _value(self, at: int, depth: int) -> tuple[Node, int]:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise self._wrong(f"more than {MOST_NODES} values", at)
        if depth > DEEPEST:
            raise self._wrong(f"nested more than {DEEPEST} levels deep", at)
        source = self._source_at(self._line_at(at))
        opens = self._text[at : at + 1]
        if opens == "{":
            return self._object(at, depth, source)
        if opens == "[":
            return self._array(at, depth, source)
        if opens == '"':
            text, end = self._string(at)
            return Node(text, source), self._skip(end)
        for word, value in _WORDS.items():
            if self._text.startswith(word, at):
                return Node(value, source), self._skip(at + len(word))
        number = _NUMBER.match(self._text, at)
        if number is None:
            raise self._wrong(
                "a value is missing" if not opens else f"{opens!r} begins no value", at
            )
        return Node(Plain(number.group()), source), self._skip(number.end())

    def _object(self, at: int, depth: int, source: Source) -> tuple[Node, int]:
        entries: dict[str, Node] = {}
        lines: dict[str, int] = {}
        at = self._skip(at + 1)
        if self._text[at : at + 1] == "}":
            return Node(entries, source), self._skip(at + 1)
        while True:
            if self._text[at : at + 1] != '"':
                raise self._wrong("a key in double quotes is missing", at)
            line = self._line_at(at)
            key, end = self._string(at)
            if key in entries:
                raise NotJson(
                    f"the key {key!r} is given on line {lines[key]} and again on line {line}", line
                )
            at = self._skip(end)
            if self._text[at : at + 1] != ":":
                raise self._wrong("a colon is missing", at)
            lines[key] = line
            entries[key], at = self._value(self._skip(at + 1), depth + 1)
            closes = self._text[at : at + 1]
            at = self._skip(at + 1)
            if closes == "}":
                return Node(entries, source), at
            if closes != ",":
                raise self._wrong("a comma or } is missing", at)

    def _array(self, at: int, depth: int, source: Source) -> tuple[Node, int]:
        items: list[Node] = []
        at = self._skip(at + 1)
        if self._text[at : at + 1] == "]":
            return Node(items, source), self._skip(at + 1)
        while True:
            item, at = self._value(at, depth + 1)
            items.append(item)
            closes = self._text[at : at + 1]
            at = self._skip(at + 1)
            if closes == "]":
                return Node(items, source), at
            if closes != ",":
                raise self._wrong("a comma or ] is missing", at)

    def _string(self, at: int) -> tuple[str, int]:
        try:
            return _scan_string(self._text, at + 1, True)
        except json.JSONDecodeError as error:
            raise self._wrong(error.msg[0].lower() + error.msg[1:], error.pos) from None

    def _skip(self, at: int) -> int:
        found = _BLANKS.match(self._text, at)
        return at if found is None else found.end()

    def _line_at(self, at: int) -> int:
        # Values are met in order, so each newline is counted once.
        self._line += self._text.count("\n", self._line_seen_to, at)
        self._line_seen_to = max(at, self._line_seen_to)
        return self._line

    def _wrong(self, reason: str, at: int) -> NotJson:
        line = self._text.count("\n", 0, at) + 1
        return NotJson(reason, line)
