"""Merging layers, the weaker below the stronger, by the plan of what is merged."""

from collections.abc import Iterator
from typing import Any

from treadle_config.declared_fields import FieldPlan, default_value
from treadle_config.errors import Problem
from treadle_config.instances import default_tree, full_tree, value_tree
from treadle_config.json_reader import NotJson, read_json
from treadle_config.plans import (
    Choice,
    Dictionary,
    Leaf,
    Plan,
    is_optional,
    mapping_of,
    sequence_of,
    takes_scalars,
)
from treadle_config.scalars import Mismatch
from treadle_config.schema import Schema
from treadle_config.settings import Merge as MergeRule
from treadle_config.settings import tag_of
from treadle_config.tree import DEFAULT, Node, Verbatim, join, shown


class Merge:
    """Merges nodes by plan.

    `over_defaults` is true between layers, where a default instance lies below them all.
    Within one layer (the flags of one argv) nothing lies below.
    """

    def __init__(self, schema: Schema, problems: list[Problem], *, over_defaults: bool) -> None:
        self._schema = schema
        self._problems = problems
        self._over_defaults = over_defaults

    def merge(
        self, plan: Plan, low: Node | None, high: Node, path: str, rule: MergeRule | None = None
    ) -> Node | None:
        """Lay a stronger node over a weaker one; a node that cannot be read is reported."""
        expanded = self._expand(plan, high, path)
        if expanded is None:
            return low
        high = expanded
        content = high.content
        if isinstance(content, dict):
            mapping = mapping_of(plan)
            below = low if low is not None and isinstance(low.content, dict) else None
            if below is not None and (high.replaces or rule == "replace"):
                self._overridden(below, high, path)
                below = None
            if isinstance(mapping, Choice):
                return self._merge_class(mapping, below, high, path)
            if isinstance(mapping, Dictionary):
                return self._merge_dictionary(mapping, below, high, path)
        sequence = sequence_of(plan)
        if isinstance(content, list) and sequence is not None:
            merged = [
                self.merge(sequence.plan_at(index), None, item, f"{path}[{index}]")
                for index, item in enumerate(content)
            ]
            items = [item for item in merged if item is not None]
            if rule == "append" and low is not None and isinstance(low.content, list):
                return Node([*low.content, *items], high.source)
            high = Node(items, high.source)
        if low is not None:
            self._overridden(low, high, path)
        return high

    def _merge_class(self, choice: Choice, low: Node | None, high: Node, path: str) -> Node:
        fields: dict[str, Node] = {} if low is None else dict(low.content)
        old = self.class_of(choice, fields)
        new = self.class_of(choice, high.content) if choice.tag_key in high.content else old
        if not self._tagged(choice, fields) and (old is None or not self._over_defaults):
            old = new
        if new is not old and low is not None and old is not None and new is not None:
            known = self._schema.of_class(old).fields
            gone = {key: node for key, node in fields.items() if key in known}
            self._overridden(Node(gone, low.source), high, path)
            fields = {key: node for key, node in fields.items() if key not in known}
        plans = {} if new is None else self._schema.of_class(new).fields
        replaces = high.replaces or (low is not None and low.replaces)
        for key, child in _nested(high, plans):
            field = plans.get(key)
            if field is None or key == choice.tag_key:
                fields[key] = _merge_unplanned(fields.get(key), child)
                continue
            below = fields.get(key)
            if below is None and self._over_defaults and not child.replaces:
                below = self._default(field)
            merged = self.merge(field.given, below, child, join(path, key), field.setting.merge)
            if merged is not None:
                fields[key] = merged
        return Node(fields, high.source, replaces=replaces)

    def _merge_dictionary(self, plan: Dictionary, low: Node | None, high: Node, path: str) -> Node:
        entries: dict[Any, Node] = {} if low is None else dict(low.content)
        for key, child in high.content.items():
            text = _key_text(plan, key)
            merged = self.merge(plan.value, entries.get(text), child, join(path, text))
            if merged is not None:
                entries[text] = merged
        return Node(entries, high.source)

    def class_of(self, choice: Choice, content: dict[Any, Node]) -> type | None:
        """The class that a mapping's tag chooses, or the only one there is."""
        if not self._tagged(choice, content):
            return self._schema.only_class(choice)
        tag = content[choice.tag_key].content
        if isinstance(tag, type):
            return tag
        found = self._schema.alternatives(choice).get(str(tag), [])
        return found[0] if len(found) == 1 else None

    @staticmethod
    def _tagged(choice: Choice, content: dict[Any, Node]) -> bool:
        return choice.tag_key is not None and choice.tag_key in content

    def _default(self, field: FieldPlan) -> Node | None:
        if isinstance(field.plan, Leaf):
            return None
        declared = field.declared
        appends = field.setting.merge == "append" or isinstance(mapping_of(field.plan), Dictionary)
        if appends and not field.required and not declared.factory_takes_self:
            return value_tree(self._schema, field.plan, default_value(field, None), DEFAULT)
        return default_tree(self._schema, field, DEFAULT)

    def _expand(self, plan: Plan, node: Node, path: str) -> Node | None:
        """Read what stands for a container: JSON on the command line, an instance in code."""
        if isinstance(plan, Leaf):
            return node
        content = node.content
        mapping, sequence = mapping_of(plan), sequence_of(plan)
        if isinstance(content, Verbatim):
            return self._expand_text(plan, node, path)
        if isinstance(mapping, Choice) and isinstance(content, mapping.classes):
            return full_tree(self._schema, content, node.source)
        if sequence is not None and isinstance(content, tuple | set | frozenset):
            return value_tree(self._schema, plan, content, node.source)
        return node

    def _expand_text(self, plan: Plan, node: Node, path: str) -> Node | None:
        mapping, sequence = mapping_of(plan), sequence_of(plan)
        text = node.content
        if mapping is None and sequence is None:
            return node
        if text == "null" and is_optional(plan) and not getattr(plan, "is_text", False):
            return Node(None, node.source)
        opens = text.lstrip()[:1]
        if (opens == "[" and sequence is not None) or (opens == "{" and mapping is not None):
            try:
                return read_json(text, lambda _line: node.source)
            except NotJson as error:
                if not takes_scalars(plan):
                    self._problems.append(
                        Problem(path, node.source, shown(text), "JSON", error.reason)
                    )
                    return None
        if takes_scalars(plan):
            return node
        if sequence is not None:
            return Node([node], node.source)
        assert mapping is not None
        self._problems.append(
            Problem(path, node.source, shown(text), f"{mapping.expected} as a JSON object")
        )
        return None

    def _overridden(self, low: Node, high: Node, path: str) -> None:
        """Report values of a layer that must win, and did not."""
        for below, node in _leaves(low, path):
            same = node.source == high.source or node.content == high.content
            if node.source.must_win and not same:
                self._problems.append(
                    Problem(
                        below,
                        high.source,
                        shown(high.content),
                        f"{shown(node.content)} of {node.source}, which must win",
                        "remove one of the two",
                    )
                )


def tag_text(node: Node) -> str:
    """What a tag node says."""
    return tag_of(node.content) if isinstance(node.content, type) else str(node.content)


def _leaves(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    if isinstance(node.content, dict):
        for key, child in node.content.items():
            yield from _leaves(child, join(path, key))
    else:
        yield path, node


def _nested(node: Node, plans: dict[str, FieldPlan]) -> Iterator[tuple[str, Node]]:
    """The entries of a mapping; `{"data.root": …}` in code is `{"data": {"root": …}}`."""
    for key, child in node.content.items():
        if node.source.kind in ("code", "layer") and "." in str(key) and key not in plans:
            first, _, rest = str(key).partition(".")
            yield first, Node({rest: child}, child.source)
        else:
            yield key, child


def _merge_unplanned(low: Node | None, high: Node) -> Node:
    """Merge below a class that is not chosen yet: mappings merge, all else replaces."""
    if low is None or not isinstance(low.content, dict) or not isinstance(high.content, dict):
        return high
    merged = dict(low.content)
    for key, child in high.content.items():
        merged[key] = _merge_unplanned(merged.get(key), child)
    return Node(merged, high.source, replaces=low.replaces)


def _key_text(plan: Dictionary, key: Any) -> Any:
    """One text for one key, so that `1` in code and `1:` in a file are the same."""
    try:
        return str(plan.key.encode(plan.key.decode(key)))
    except Mismatch:
        return key
