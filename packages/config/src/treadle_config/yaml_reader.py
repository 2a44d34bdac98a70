"""YAML that remembers its lines and its text, and refuses a key that is given twice.

Only the parser and composer of PyYAML are used: text stays as it is, and the declared type
decides what it means.
"""

from collections.abc import Callable
from typing import Any

from treadle_config.errors import MissingExtra
from treadle_config.tree import DEEPEST, MOST_NODES, LineNode, Node, Plain, Source, Unreadable

_STR = "tag:yaml.org,2002:str"


def read_yaml(text: str, name: str, source_at: Callable[[int], Source]) -> Node | None:
    """Read one YAML document; `None` where there is nothing in it.

    Args:
        text: The document.
        name: The file's name, for messages.
        source_at: Makes the source of what begins on a line, counted from 1.

    Raises:
        MissingExtra: PyYAML is not installed.
        Unreadable: It is none, or uses what is refused: tags, aliases of themselves, keys that
            are no scalars, a key twice, a second document, or too many levels or values.
    """
    try:
        import yaml

        from treadle_config import yaml_composer
    except ImportError:
        raise MissingExtra(
            f"{name} is YAML, and PyYAML, which reads it, is not installed; "
            "pip install 'treadle-config[yaml]'"
        ) from None
    try:
        root = yaml_composer.fastest(text).get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, text.find(chr(error.character))) + 1
        raise Unreadable(str(error.reason), line) from None
    except yaml.YAMLError as error:
        raise Unreadable(*_explained(error, text)) from None
    return None if root is None else _Walk(source_at, yaml_composer.LEFT_ALONE).node(root)


class _Walk:
    """From composed nodes to ours; aliases are followed, and counted each time."""

    def __init__(self, source_at: Callable[[int], Source], left_alone: str) -> None:
        self._source_at = source_at
        self._left_alone = left_alone
        self._keys: list[str] = []
        self._open: set[int] = set()
        self._nodes = 1

    def node(self, node: Any) -> Node:
        line = node.start_mark.line + 1
        if node.id == "scalar":
            return LineNode(self._scalar(node, line), self._source_at, line)
        if node.tag != self._left_alone:
            raise _tag_refused(node, line)
        if id(node) in self._open:
            raise Unreadable("an alias is inside what it names", line)
        self._nodes += len(node.value)
        if self._nodes > MOST_NODES:
            raise Unreadable(f"more than {MOST_NODES} values, aliases included", line)
        if len(self._keys) >= DEEPEST and node.value:
            raise Unreadable(f"nested more than {DEEPEST} levels deep", line)
        self._open.add(id(node))
        content = self._items(node) if node.id == "sequence" else self._entries(node)
        self._open.discard(id(node))
        return LineNode(content, self._source_at, line)

    def _items(self, node: Any) -> list[Node]:
        self._keys.append("")
        items = []
        for index, item in enumerate(node.value):
            self._keys[-1] = f"[{index}]"
            items.append(self.node(item))
        self._keys.pop()
        return items

    def _entries(self, node: Any) -> dict[str, Node]:
        # Most nodes of a config pass here, and most are scalars: no calls that are not needed.
        left_alone, source_at, keys = self._left_alone, self._source_at, self._keys
        entries: dict[str, Node] = {}
        merged: list[Any] = []
        keys.append("")
        for key_node, value_node in node.value:
            if key_node.id != "scalar":
                line = key_node.start_mark.line + 1
                raise Unreadable("a key is a list or a mapping; write a scalar", line)
            key = key_node.value
            if key_node.tag != left_alone:
                self._scalar(key_node, key_node.start_mark.line + 1)
            if key == "<<" and not key_node.style:
                merged.append(value_node)
                continue
            keys[-1] = key
            if key in entries:
                raise _twice(node, key_node, keys)
            if value_node.tag == left_alone and value_node.id == "scalar":
                text = value_node.value if value_node.style else Plain(value_node.value)
                entries[key] = LineNode(text, source_at, value_node.start_mark.line + 1)
            else:
                entries[key] = self.node(value_node)
        for value_node in merged:
            keys[-1] = "<<"
            for key, child in self._merged(value_node).items():
                entries.setdefault(key, child)
        keys.pop()
        return entries

    def _merged(self, node: Any) -> dict[str, Node]:
        """What a merge key `<<` brings: of several mappings, the first that has a key."""
        found: dict[str, Node] = {}
        for one in node.value if node.id == "sequence" else [node]:
            made = self.node(one)
            if not isinstance(made.content, dict):
                line = node.start_mark.line + 1
                raise Unreadable("<< takes a mapping or a list of mappings", line)
            for key, child in made.content.items():
                found.setdefault(key, child)
        return found

    def _scalar(self, node: Any, line: int) -> str:
        if node.tag == self._left_alone:
            return str(node.value) if node.style else Plain(node.value)
        if node.tag == _STR:
            return str(node.value)
        raise _tag_refused(node, line)


def _tag_refused(node: Any, line: int) -> Unreadable:
    return Unreadable(f"the tag {node.tag} is not read; the declared type decides", line)


def _twice(mapping: Any, second: Any, keys: list[str]) -> Unreadable:
    first = next(key for key, _ in mapping.value if key.value == second.value)
    line = second.start_mark.line + 1
    twice = f"it is given on line {first.start_mark.line + 1} and again on line {line}"
    path = ".".join(keys).replace(".[", "[")
    return Unreadable(twice, line, path, got="a second", expected="one value")


def _explained(error: Any, text: str) -> tuple[str, int]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    context = getattr(error, "context", None)
    if "unexpected end of stream" in said and getattr(error, "context_mark", None) is not None:
        mark = error.context_mark  # where the quote opens, that nobody closes
    hint = " ".join(f"{context}: {said}".split() if context else str(said).split())
    if mark is None:
        return hint, 0
    lines = text.splitlines()
    if "cannot start any token" in said and lines[mark.line : mark.line + 1]:
        indent = lines[mark.line][: mark.column + 1]
        hint = "there is a tab; indent with spaces" if "\t" in indent else hint
    return hint, mark.line + 1
