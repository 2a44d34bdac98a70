"""Merging layers, the weaker below the stronger, by the plan of what is merged."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from treadle_config.errors import Problem
from treadle_config.fields import Field, Fields
from treadle_config.inline import may_be_scalar, read_inline
from treadle_config.instances import default_tree, value_tree
from treadle_config.links import Linked
from treadle_config.list_edits import ListEdits
from treadle_config.paths import choosing
from treadle_config.plans import Choice, Dictionary, Items, Plan
from treadle_config.schema import Schema
from treadle_config.secret_values import Withheld
from treadle_config.settings import Merge as MergeRule
from treadle_config.tree import (
    DEFAULT,
    MASK,
    Node,
    Unreadable,
    Verbatim,
    is_null,
    join,
    shown,
    within,
)

_NO_FIELDS = Fields(object, ())


class Merge:
    """Merges nodes by plan.

    `over_defaults` is true between layers, where a default instance lies below them all.
    Within one layer (the flags of one argv) nothing lies below.
    """

    def __init__(
        self,
        schema: Schema,
        problems: list[Problem],
        *,
        over_defaults: bool,
        root: Plan | None = None,
    ) -> None:
        self._schema = schema
        self._root = root  # what problems are of, if they are told
        self._problems = problems
        self._over_defaults = over_defaults
        self._unknown = False  # whether what is merged lies below a default that is not made yet
        self._linked: Linked | None = None

    def merge(
        self, plan: Plan, low: Node | None, high: Node, path: str, rule: MergeRule | None = None
    ) -> Node | None:
        """Lay a stronger node over a weaker one; a node that cannot be read is reported."""
        mapping, sequence = plan.mapping, plan.sequence
        if type(high.content) is Withheld:
            # A weaker layer may have been given it again; a default is not what it was.
            return high if low is None or low.source.kind == "default" else low
        if not (plan.is_scalar or isinstance(high.content, dict)):
            if isinstance(high.content, ListEdits) and sequence is not None:
                return self._edited(sequence, low, high, path)
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
            items = content
            if not sequence.are_scalars:
                merged = [
                    self.merge(sequence.plan_at(index), None, item, f"{path}[{index}]")
                    for index, item in enumerate(content)
                ]
                items = [item for item in merged if item is not None]
            adds = rule == "append" and not high.replaces
            if adds and low is not None and isinstance(low.content, list):
                return Node([*low.content, *items], high.source)
            high = Node(items, high.source, replaces=high.replaces)
        if low is not None:
            self._overridden(low, high, path)
        return high

    def _merge_class(self, choice: Choice, low: Node | None, high: Node, path: str) -> Node:
        entries: dict[str, Node] = {} if low is None else dict(low.content)
        linked, self._linked = self._linked, None
        tag = choice.tag_key
        old = new = self.class_in(choice, entries)
        if tag in high.content:
            new = self.class_in(choice, high.content)
            if tag not in entries and (old is None or not self._over_defaults):
                old = new
            if new is not old and low is not None and old is not None and new is not None:
                known = self._schema.fields_of(old)
                gone = {key: node for key, node in entries.items() if key in known}
                self._overridden(Node(gone, low.source), high, path)
                entries = {key: node for key, node in entries.items() if key not in known}
        fields = _NO_FIELDS if new is None else self._schema.fields_of(new)
        plain = fields.decoders
        if entries.keys() <= {tag} and high.content.keys() <= plain.keys():
            # Nothing to merge: the first layer that says something of a class without parts.
            entries.update(high.content)
            return Node(entries, high.source, replaces=high.replaces or _replaces(low))
        for key, child in _nested(high, fields):
            below = entries.get(key)
            if key in plain and (
                below is None or not (below.source.must_win or isinstance(below.content, dict))
            ):
                entries[key] = child  # most are, and this is where time goes
                continue
            field = fields.get(key)
            if field is None or key == tag:
                if below is not None:
                    self._overridden(below, child, join(path, key))
                entries[key] = _merge_unplanned(below, child)
                continue
            late = field.computed or (
                linked is not None and linked.cls is new and key in linked.links
            )
            edits = isinstance(child.content, ListEdits)
            if below is not None and type(below.content) is Withheld and not edits:
                below = None
            complete = (high.replaces or child.replaces) and not edits
            if below is None and self._over_defaults and not complete:
                below = self._default(field, edits=edits and not late)
            if late:
                merged = self._merge_computed(field, below, child, join(path, key))
            else:
                merged = self.merge(field.given, below, child, join(path, key), field.setting.merge)
            if merged is not None:
                entries[key] = merged
        return Node(entries, high.source, replaces=high.replaces or _replaces(low))

    def _merge_computed(self, field: Field, low: Node | None, high: Node, path: str) -> Node | None:
        """Merge what is given for a field whose default is made only after all layers."""
        if low is None and self._over_defaults and isinstance(high.content, ListEdits):
            return self._too_early(path, high)
        before = self._unknown, self._linked
        if field.linked is not None:
            self._linked = field.linked
        elif low is None or not low.replaces:
            self._unknown = True
        merged = self.merge(field.given, low, high, path, field.setting.merge)
        self._unknown, self._linked = before
        return merged

    def _merge_dictionary(self, plan: Dictionary, low: Node | None, high: Node, path: str) -> Node:
        entries: dict[str, Node] = {} if low is None else dict(low.content)
        written: dict[Any, Any] = {}
        for key, child in high.content.items():
            text = plan.key_text(key)
            if written.setdefault(text, key) is not key:
                hint = f"{shown(written[text])} and {shown(key)} are one key"
                where = join(path, text)
                self._problems.append(Problem(where, child.source, "a second", "one value", hint))
                continue
            merged = self.merge(plan.value, entries.get(text), child, join(path, text))
            if merged is not None:
                entries[text] = merged
        return Node(entries, high.source, replaces=high.replaces or _replaces(low))

    def _edited(self, items: Items, low: Node | None, high: Node, path: str) -> Node | None:
        """Make changes of a list; within one layer, those of a list it does not say are kept."""
        edits: ListEdits = high.content
        if not self._over_defaults:
            if low is None:
                return high
            if isinstance(low.content, ListEdits):
                return Node(ListEdits(low.content.changes + edits.changes), high.source)
        elif low is None and self._unknown:
            return self._too_early(path, high)
        found: list[Node] = []
        if low is not None and isinstance(low.content, list):
            found += low.content
        elif low is not None and not is_null(low.content):
            hint = f"that is of {low.source}; give the whole list"
            problem = Problem(path, high.source, shown(low.content), "a list to change", hint)
            self._problems.append(problem)
            return low
        for index, change in edits.changes:
            self._change(items, found, index, change, path)
        edited = Node(found, high.source, replaces=low is not None and low.replaces)
        if low is not None:
            self._overridden(low, edited, path)
        return edited

    def _change(
        self, items: Items, found: list[Node], index: int | None, change: Node, path: str
    ) -> None:
        if index is not None and not -len(found) <= index < len(found):
            counted = "1 item" if len(found) == 1 else f"{len(found)} items"
            hint = f"the list has {counted} here"
            wanted = "the index of an item"
            self._problems.append(
                Problem(f"{path}[{index}]", change.source, str(index), wanted, hint)
            )
            return
        at = len(found) if index is None else index % len(found)
        below = None if index is None else found[at]
        merged = self.merge(items.plan_at(at), below, change, f"{path}[{at}]")
        if merged is not None:
            found[at : at + 1] = [merged]

    def _too_early(self, path: str, node: Node) -> Node | None:
        hint = "its default is computed after all layers; give the whole list"
        got = shown(node.content)
        self._problems.append(Problem(path, node.source, got, "a whole list", hint))
        return None

    def class_in(self, choice: Choice, entries: dict[str, Node]) -> type | None:
        """The class that a mapping's tag chooses, or the only one there is."""
        tagged = entries.get(choice.tag_key) if choice.tag_key else None
        return self._schema.class_of(choice, None if tagged is None else tagged.content)

    def _default(self, field: Field, *, edits: bool) -> Node | None:
        """What lies below a field of which only a part is given."""
        if field.plan.is_scalar:
            return None
        adds = field.setting.merge == "append" or isinstance(field.plan.mapping, Dictionary)
        known = not (self._unknown or field.required or field.computed)
        if known and (adds or edits):
            return value_tree(self._schema, field.plan, field.default_in(None), DEFAULT)
        return default_tree(self._schema, field)

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
                return read_inline(text, node.source, yaml=not may_be_scalar(plan, text))
            except Unreadable as error:
                if not plan.leaves:
                    where, got = within(path, error.path), error.got or shown(text)
                    problem = Problem(where, node.source, got, error.expected, error.hint)
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
        hint = f"choose it with {choosing(path, text, node.source)}" if chosen else ""
        self._problems.append(Problem(path, node.source, shown(text), expected, hint))
        return None

    def _overridden(self, low: Node, high: Node, path: str) -> None:
        """Report values of a layer that must win, and did not."""
        for below, node in _values(low, path):
            if not node.source.must_win:
                continue
            same = node.source == high.source or str(node.content) == str(high.content)
            if not same:
                value = MASK if self._is_secret(below) else shown(node.content)
                wanted = f"{value} of {node.source}, which must win"
                hint = "remove one of the two"
                self._problems.append(
                    Problem(below, high.source, shown(high.content), wanted, hint)
                )

    def _is_secret(self, path: str) -> bool:
        if self._root is None or not self._schema.has_secrets:
            return False
        from treadle_config.secret_places import place_of

        place = place_of(self._schema, self._root, path)
        # Under a name that nobody knows, a secret may have been meant.
        return place.holds or place.known < len(path)


def _values(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    if isinstance(node.content, dict):
        for key, child in node.content.items():
            yield from _values(child, join(path, key))
    else:
        yield path, node


def _nested(node: Node, fields: Mapping[str, Field]) -> Iterable[tuple[str, Node]]:
    """The entries of a mapping; `{"data.root": …}` in code is `{"data": {"root": …}}`."""
    if node.source.kind not in ("code", "layer"):
        entries: dict[str, Node] = node.content
        return entries.items()
    nested = []
    for key, child in node.content.items():
        if "." in str(key) and key not in fields:
            first, _, rest = str(key).partition(".")
            nested.append((first, Node({rest: child}, node.source)))
        else:
            nested.append((key, child))
    return nested


def _merge_unplanned(low: Node | None, high: Node) -> Node:
    """Merge below a class that is not chosen yet: mappings merge, all else replaces."""
    if low is None or not isinstance(low.content, dict) or not isinstance(high.content, dict):
        return high
    merged = dict(low.content)
    for key, child in high.content.items():
        merged[key] = _merge_unplanned(merged.get(key), child)
    return Node(merged, high.source, replaces=low.replaces)


def _replaces(node: Node | None) -> bool:
    return node is not None and node.replaces
