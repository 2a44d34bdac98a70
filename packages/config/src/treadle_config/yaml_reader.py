"""YAML that remembers its lines and its text, and refuses a key that is given twice.

Only the parser and composer of libyaml are used. The resolver, which guesses types by
YAML 1.1 (`no` a bool, `12:30` a number), is replaced by one that leaves all text as it is:
the declared type decides. It is also where depth and size are counted, before the recursion
in C goes too deep.
"""

import importlib
from collections.abc import Callable
from typing import Any

from treadle_config.errors import MissingExtra
from treadle_config.tree import DEEPEST, MOST_NODES, Node, Plain, Source, Unreadable

_LEFT_ALONE = "treadle:as-written"
_STR = "tag:yaml.org,2002:str"


def read_yaml(data: bytes, name: str, source_at: Callable[[int], Source]) -> Node | None:
    """Read one YAML document; `None` where there is nothing in it.

    Args:
        data: The file as it is; the encoding is UTF-8, or UTF-16 with its mark.
        name: The file's name, for messages.
        source_at: Makes the source of what begins on a line, counted from 1.

    Raises:
        MissingExtra: PyYAML is not installed.
        Unreadable: It is none, or uses what is refused: tags, aliases of themselves, keys that
            are no scalars, a key twice, a second document, or too many levels or values.
    """
    try:
        yaml = importlib.import_module("yaml")
    except ImportError:
        raise MissingExtra(
            f"{name} is YAML, and PyYAML, which reads it, is not installed; "
            "pip install 'treadle-config[yaml]'"
        ) from None
    composer = _composer(yaml)(data)
    try:
        root = composer.get_single_node()
    except yaml.YAMLError as error:
        raise Unreadable(*_explained(error)) from None
    return None if root is None else _Walk(source_at).node(root, ())


def _composer(yaml: Any) -> Any:
    # A class of its own at each call, since the base is an optional import.
    if yaml.__with_libyaml__:
        base: Any = importlib.import_module("yaml.cyaml").CParser
        return type("Composer", (_LeaveAlone, base), {})
    parts = (yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer)
    return type("Composer", (_LeaveAlone, *parts), {"__init__": _begin_pure(parts)})


def _begin_pure(parts: tuple[Any, ...]) -> Callable[[Any, bytes], None]:
    reader, *others = parts

    def begin(self: Any, data: bytes) -> None:
        reader.__init__(self, data)
        for part in others:
            part.__init__(self)

    return begin


class _LeaveAlone:
    """The three methods of a resolver; it resolves nothing, and counts."""

    _depth = 0
    _nodes = 0

    def resolve(self, _kind: Any, _value: Any, _implicit: Any) -> str:
        return _LEFT_ALONE

    def descend_resolver(self, _parent: Any, _index: Any) -> None:
        self._depth += 1
        self._nodes += 1
        if self._depth > DEEPEST + 1:
            raise Unreadable(f"nested more than {DEEPEST} levels deep", 0)
        if self._nodes > MOST_NODES:
            raise Unreadable(f"more than {MOST_NODES} values", 0)

    def ascend_resolver(self) -> None:
        self._depth -= 1


class _Walk:
    """From composed nodes to ours; aliases are followed, and counted each time."""

    def __init__(self, source_at: Callable[[int], Source]) -> None:
        self._source_at = source_at
        self._open: set[int] = set()
        self._nodes = 0

    def node(self, node: Any, path: tuple[str, ...]) -> Node:
        line = node.start_mark.line + 1
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise Unreadable(f"more than {MOST_NODES} values, aliases included", line)
        if len(path) > DEEPEST:
            raise Unreadable(f"nested more than {DEEPEST} levels deep", line)
        source = self._source_at(line)
        if node.id == "scalar":
            return Node(_scalar(node, line), source)
        if node.tag != _LEFT_ALONE:
            raise _tag_refused(node, line)
        if id(node) in self._open:
            raise Unreadable("an alias stands within what it names", line)
        self._open.add(id(node))
        if node.id == "sequence":
            items = [
                self.node(item, (*path, f"[{index}]")) for index, item in enumerate(node.value)
            ]
            made = Node(items, source)
        else:
            made = Node(self._entries(node, path), source)
        self._open.discard(id(node))
        return made

    def _entries(self, node: Any, path: tuple[str, ...]) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        lines: dict[str, int] = {}
        merged: list[Any] = []
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.id != "scalar":
                raise Unreadable("a key is a list or a mapping; write a scalar", line)
            key = str(_scalar(key_node, line))
            if key == "<<" and not key_node.style:
                merged.append(value_node)
                continue
            if key in lines:
                where = ".".join((*path, key)).replace(".[", "[")
                twice = f"it is given on line {lines[key]} and again on line {line}"
                raise Unreadable(twice, line, where, got="a second", expected="one value")
            lines[key] = line
            entries[key] = self.node(value_node, (*path, key))
        for value_node in merged:
            for key, child in self._merged(value_node, path).items():
                entries.setdefault(key, child)
        return entries

    def _merged(self, node: Any, path: tuple[str, ...]) -> dict[str, Node]:
        """What a merge key `<<` brings: of several mappings, the first that has a key."""
        found: dict[str, Node] = {}
        for one in node.value if node.id == "sequence" else [node]:
            made = self.node(one, (*path, "<<"))
            if not isinstance(made.content, dict):
                raise Unreadable(
                    "<< takes a mapping or a list of mappings", node.start_mark.line + 1
                )
            for key, child in made.content.items():
                found.setdefault(key, child)
        return found


def _scalar(node: Any, line: int) -> str:
    if node.tag == _STR:
        return str(node.value)
    if node.tag != _LEFT_ALONE:
        raise _tag_refused(node, line)
    return str(node.value) if node.style else Plain(node.value)


def _tag_refused(node: Any, line: int) -> Unreadable:
    return Unreadable(f"the tag {node.tag} is not read; the declared type decides", line)


def _explained(error: Any) -> tuple[str, int]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    context = getattr(error, "context", None)
    text = " ".join(f"{context}: {said}".split() if context else str(said).split())
    return text, 0 if mark is None else mark.line + 1
