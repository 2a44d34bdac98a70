"""Dotted keys of a layer of code: `{"data.root": …}` is `{"data": {"root": …}}`."""

from collections.abc import Container
from typing import Any

from treadle_config.errors import Problem
from treadle_config.tree import Node, join


def nested(
    node: Node, fields: Container[Any], path: str, problems: list[Problem]
) -> dict[Any, Node]:
    """The entries of a mapping, those with dotted keys within the entry for their first part.

    Of what is said in two spellings, the first is kept, and the other is a problem.

    Args:
        node: A node of a layer of code that has a mapping.
        fields: The keys that are a field's as they stand.
        path: Where the mapping stands.
        problems: Where to put what is wrong.
    """
    entries: dict[Any, Node] = {}
    spelled: dict[Any, str] = {}
    for key, child in node.content.items():
        first, here = key, child
        if "." in str(key) and key not in fields:
            first, _, rest = str(key).partition(".")
            here = Node({rest: child}, node.source)
        if first not in entries:
            entries[first], spelled[first] = here, join(path, key)
            continue
        said = f"both {spelled[first]} and {join(path, key)} set it"
        entries[first] = _joined(entries[first], here, join(path, first), said, problems)
    return entries


def _joined(one: Node, other: Node, path: str, said: str, problems: list[Problem]) -> Node:
    """Two parts of one layer for one place as one."""
    if not (isinstance(one.content, dict) and isinstance(other.content, dict)):
        hint = f"{said}; remove one of the two"
        problems.append(Problem(path, other.source, "a second", "one value", hint))
        return one
    entries = dict(one.content)
    for key, child in other.content.items():
        known = entries.get(key)
        below = join(path, key)
        entries[key] = child if known is None else _joined(known, child, below, said, problems)
    return Node(entries, one.source, replaces=one.replaces)
