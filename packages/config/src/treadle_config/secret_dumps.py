"""Secrets and dumps: what is left out, how reading asks for it, and how a dump is tried."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from attrs import NOTHING

from treadle_config.fields import Field
from treadle_config.instances import gives, is_default, value_tree
from treadle_config.list_edits import ListEdits
from treadle_config.plans import Choice, Dictionary, Plan
from treadle_config.schema import Schema
from treadle_config.secret_values import Withheld
from treadle_config.tree import Node, Source, join

_TRIED = Source("code")
_INDEX = re.compile(r"\[([0-9]+)\]")


def left_out(
    schema: Schema, plan: Plan, value: Any, path: str, default: Any = NOTHING
) -> Iterator[str]:
    """The paths of secrets that are not as defaults or links give them, so that they are missed.

    Args:
        schema: Where classes are planned.
        plan: What the value is.
        value: The value.
        path: Where it stands.
        default: What stands there if nothing is said.
    """
    mapping, sequence = plan.mapping, plan.sequence
    if isinstance(mapping, Choice) and mapping.accepts(value):
        for key, field in schema.fields_in(mapping, type(value)).items():
            inner, below = getattr(value, field.name), join(path, key)
            if not field.setting.secret:
                linked = set(_linked_into(schema, field, value, inner))
                for one in left_out(schema, field.plan, inner, below, _default_of(field, value)):
                    if one.removeprefix(f"{below}.") not in linked:
                        yield one
            elif type(default) is type(value):
                if getattr(default, field.name) != inner:
                    yield below
            elif not is_default(field, value):
                yield below
    elif isinstance(mapping, Dictionary) and isinstance(value, dict):
        for key, child in value.items():
            yield from left_out(schema, mapping.value, child, join(path, mapping.key.encode(key)))
    elif sequence is not None and isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from left_out(schema, sequence.plan_at(index), item, f"{path}[{index}]")


def only_secrets(schema: Schema, root: Plan, config: Any) -> list[Node]:
    """The layer that has to be given beside a dump of a config, if one has."""
    missed = set(left_out(schema, root, config, ""))
    found = _secrets_in(schema, root, config, "", missed) if missed else None
    return [] if found is None else [found]


def withholding(node: Node, paths: Iterable[str], source: Source) -> Node:
    """A dump that says of some secrets that they have been left out, where it does not say them.

    Args:
        node: What stands in the dump.
        paths: The secrets.
        source: The line that names them.
    """
    for path in paths:
        node = _put(node, path, Node(Withheld(), source))
    return node


def given_elsewhere(nodes: Iterable[Node], paths: Collection[str]) -> list[Node]:
    """What layers say for some secrets, and nothing else that they say."""
    found = (_part(node, "", paths) for node in nodes)
    return [node for node in found if node is not None]


def _secrets_in(
    schema: Schema, plan: Plan, value: Any, path: str, missed: Collection[str]
) -> Node | None:
    """A tree of the secrets at some paths, and of nothing else; `None` if there are none below."""
    mapping, sequence = plan.mapping, plan.sequence
    if sequence is not None and isinstance(value, list | tuple):
        items = (
            (index, _secrets_in(schema, sequence.plan_at(index), item, f"{path}[{index}]", missed))
            for index, item in enumerate(value)
        )
        changes = tuple((index, item) for index, item in items if item is not None)
        return Node(ListEdits(changes), _TRIED) if changes else None
    entries: dict[str, Node | None] = {}
    if isinstance(mapping, Choice) and mapping.accepts(value):
        for key, field in schema.fields_in(mapping, type(value)).items():
            inner, below = getattr(value, field.name), join(path, key)
            if not field.setting.secret:
                entries[key] = _secrets_in(schema, field.plan, inner, below, missed)
            elif below in missed:
                entries[key] = value_tree(schema, field.plan, inner, _TRIED)
    elif isinstance(mapping, Dictionary) and isinstance(value, dict):
        for name, child in value.items():
            key = str(mapping.key.encode(name))
            entries[key] = _secrets_in(schema, mapping.value, child, join(path, key), missed)
    content = {key: child for key, child in entries.items() if child is not None}
    return Node(content, _TRIED) if content else None


def _linked_into(schema: Schema, field: Field, owner: Any, value: Any) -> Iterator[str]:
    """The fields of an object that are as `linked` gives them."""
    linked = field.linked
    if linked is None or type(value) is not linked.cls:
        return
    fields = schema.fields_of(type(value))
    for key, link in linked.links.items():
        if key in fields and gives(link, owner, fields[key], value):
            yield key


def _default_of(field: Field, owner: Any) -> Any:
    """The default that lies below what is said of an object, as far as it is one for all."""
    return NOTHING if field.computed else field.default_in(owner)


def _put(node: Node, path: str, put: Node) -> Node:
    """A tree with a node at a path, unless there is one, or nothing to hold it."""
    content = node.content
    index = _INDEX.match(path)
    if index is not None and isinstance(content, list):
        at = int(index[1])
        if at >= len(content):
            return node
        items = list(content)
        items[at] = _put(items[at], path[index.end() :].removeprefix("."), put)
        return Node(items, node.source, replaces=node.replaces)
    if not path or not isinstance(content, dict):
        return node
    # A key may have dots in it.
    known = [key for key in content if _leads(key, path)]
    key = max(known, key=len) if known else re.split(r"[.\[]", path, maxsplit=1)[0]
    rest = path[len(key) :].removeprefix(".")
    if key in content:
        child = _put(content[key], rest, put)
    else:
        child = _put(Node({}, put.source), rest, put) if rest else put
    return Node({**content, key: child}, node.source, replaces=node.replaces)


def _leads(key: Any, path: str) -> bool:
    return isinstance(key, str) and path.startswith(key) and path[len(key) :][:1] in ("", ".", "[")


def _part(node: Node, path: str, paths: Collection[str]) -> Node | None:
    if path in paths:
        return node
    content = node.content
    if not isinstance(content, dict):
        return None
    parts = {key: _part(child, join(path, key), paths) for key, child in content.items()}
    kept = {key: child for key, child in parts.items() if child is not None}
    return Node(kept, node.source, replaces=node.replaces) if kept else None
