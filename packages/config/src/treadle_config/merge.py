"""Merging layers, the weaker below the stronger, by the plan of what is merged."""

from collections.abc import Iterator, Mapping

from treadle_config.errors import Problem
from treadle_config.fields import Field
from treadle_config.instances import default_tree, value_tree
from treadle_config.json_reader import read_json
from treadle_config.plans import Choice, Dictionary, Plan
from treadle_config.schema import Schema
from treadle_config.settings import Merge as MergeRule
from treadle_config.tags import TAG_KEY
from treadle_config.tree import DEFAULT, Node, Unreadable, Verbatim, join, shown


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
        mapping, sequence = plan.mapping, plan.sequence
        if not plan.is_scalar:
            expanded = self._expand(plan, high, path)
            if expanded is None:
                return low
            high = expanded
        content = high.content
        if mapping is not None and isinstance(content, dict):
            below = low if low is not None and isinstance(low.content, dict) else None
            if below is not None and (high.replaces or rule == "replace"):
                self._overridden(below, high, path)
                below = None
            if isinstance(mapping, Choice):
                return self._merge_class(mapping, below, high, path)
            return self._merge_dictionary(mapping, below, high, path)
        if sequence is not None and isinstance(content, list):
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
        entries: dict[str, Node] = {} if low is None else dict(low.content)
        tag = choice.tag_key
        old = self.class_in(choice, entries)
        new = self.class_in(choice, high.content) if tag in high.content else old
        if tag not in entries and (old is None or not self._over_defaults):
            old = new
        if new is not old and low is not None and old is not None and new is not None:
            known = self._schema.fields_of(old)
            gone = {key: node for key, node in entries.items() if key in known}
            self._overridden(Node(gone, low.source), high, path)
            entries = {key: node for key, node in entries.items() if key not in known}
        fields: Mapping[str, Field] = {} if new is None else self._schema.fields_of(new)
        for key, child in _nested(high, fields):
            field = fields.get(key)
            if field is None or key == tag:
                if key in entries:
                    self._overridden(entries[key], child, join(path, key))
                entries[key] = _merge_unplanned(entries.get(key), child)
                continue
            below = entries.get(key)
            if below is None and field.given.is_scalar:
                entries[key] = child  # most are, and this is where time goes
                continue
            if below is None and self._over_defaults and not (high.replaces or child.replaces):
                below = self._default(field)
            merged = self.merge(field.given, below, child, join(path, key), field.setting.merge)
            if merged is not None:
                entries[key] = merged
        replaces = high.replaces or (low is not None and low.replaces)
        return Node(entries, high.source, replaces=replaces)

    def _merge_dictionary(self, plan: Dictionary, low: Node | None, high: Node, path: str) -> Node:
        entries: dict[str, Node] = {} if low is None else dict(low.content)
        for key, child in high.content.items():
            text = plan.key_text(key)
            merged = self.merge(plan.value, entries.get(text), child, join(path, text))
            if merged is not None:
                entries[text] = merged
        return Node(entries, high.source)

    def class_in(self, choice: Choice, entries: dict[str, Node]) -> type | None:
        """The class that a mapping's tag chooses, or the only one there is."""
        tagged = entries.get(choice.tag_key) if choice.tag_key else None
        return self._schema.class_of(choice, None if tagged is None else tagged.content)

    def _default(self, field: Field) -> Node | None:
        if field.plan.is_scalar:
            return None
        adds = field.setting.merge == "append" or isinstance(field.plan.mapping, Dictionary)
        if adds and not field.required and not field.computed:
            return value_tree(self._schema, field.plan, field.default_in(None), DEFAULT)
        return default_tree(self._schema, field, DEFAULT)

    def _expand(self, plan: Plan, node: Node, path: str) -> Node | None:
        """Read what stands for a container: JSON on the command line, an instance in code."""
        content = node.content
        if isinstance(content, Verbatim):
            return self._expand_text(plan, node, path)
        instance = isinstance(plan.mapping, Choice) and plan.mapping.accepts(content)
        if instance or (plan.sequence is not None and isinstance(content, tuple | set | frozenset)):
            return value_tree(self._schema, plan, content, node.source)
        return node

    def _expand_text(self, plan: Plan, node: Node, path: str) -> Node | None:
        text = node.content
        if text == "null" and plan.optional and not plan.is_text:
            return Node(None, node.source)
        opens = text.lstrip()[:1]
        if (opens == "[" and plan.sequence is not None) or (
            opens == "{" and plan.mapping is not None
        ):
            try:
                return read_json(text, lambda _line: node.source)
            except Unreadable as error:
                if not plan.leaves:
                    problem = Problem(path, node.source, shown(text), "JSON", error.hint)
                    self._problems.append(problem)
                    return None
        if plan.leaves:
            return node
        if plan.sequence is not None:
            return Node([node], node.source)
        assert plan.mapping is not None
        expected = f"{plan.mapping.expected} as a JSON object"
        choice = plan.mapping if isinstance(plan.mapping, Choice) else None
        chosen = choice is not None and choice.tag_key and self._schema.class_of(choice, text)
        hint = f"choose it with {join(path, TAG_KEY)} = {text}" if chosen else ""
        self._problems.append(Problem(path, node.source, shown(text), expected, hint))
        return None

    def _overridden(self, low: Node, high: Node, path: str) -> None:
        """Report values of a layer that must win, and did not."""
        for below, node in _values(low, path):
            same = node.source == high.source or str(node.content) == str(high.content)
            if node.source.must_win and not same:
                wanted = f"{shown(node.content)} of {node.source}, which must win"
                hint = "remove one of the two"
                self._problems.append(
                    Problem(below, high.source, shown(high.content), wanted, hint)
                )


def _values(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    if isinstance(node.content, dict):
        for key, child in node.content.items():
            yield from _values(child, join(path, key))
    else:
        yield path, node


def _nested(node: Node, fields: Mapping[str, Field]) -> Iterator[tuple[str, Node]]:
    """The entries of a mapping; `{"data.root": …}` in code is `{"data": {"root": …}}`."""
    for key, child in node.content.items():
        if "." in str(key) and key not in fields and node.source.kind in ("code", "layer"):
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
