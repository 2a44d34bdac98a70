"""Which class stands at a place, by all that layers say; asked before argv is understood."""

from collections.abc import Sequence
from typing import Any

from treadle_config.fields import Field
from treadle_config.instances import default_tree, value_tree
from treadle_config.merge import Merge
from treadle_config.plans import Choice, Dictionary, Plan
from treadle_config.schema import Schema
from treadle_config.tree import DEFAULT, Node


class ChosenClasses:
    """Knows the class that is chosen at a place.

    Args:
        schema: Where classes are planned.
        root: The plan of the config.
        nodes: The layers, the weakest first.
    """

    def __init__(self, schema: Schema, root: Plan, nodes: Sequence[Node]) -> None:
        self._schema = schema
        self._root = root
        # What is wrong is found again when all is built.
        self._merge = Merge(schema, [])
        self._tree = self._merge.merge(root, nodes, "")

    def at(self, keys: Sequence[str | int | None]) -> type | None:
        """The class at some keys; `None` where none is known to stand there."""
        plan: Plan | None = self._root
        node = self._tree
        for key in keys:
            if plan is None:
                return None
            plan, node = self._below(plan, node, key)
        return None if plan is None else self._class_in(plan, node)

    def _below(
        self, plan: Plan, node: Node | None, key: str | int | None
    ) -> tuple[Plan | None, Node | None]:
        content: Any = None if node is None else node.content
        if not isinstance(key, str):
            items = content if isinstance(content, list) else []
            known = key is not None and -len(items) <= key < len(items)
            at = key % len(items) if known and key is not None else 0
            inside = None if plan.sequence is None else plan.sequence.plan_at(at)
            return inside, items[at] if known else None
        child = content.get(key) if isinstance(content, dict) else None
        if isinstance(plan.mapping, Dictionary):
            return plan.mapping.value, child
        cls = self._class_in(plan, node)
        field = None if cls is None else self._schema.fields_of(cls).get(key)
        if field is None:
            return None, None
        return field.given, self._default(field) if child is None else child

    def _class_in(self, plan: Plan, node: Node | None) -> type | None:
        if not isinstance(plan.mapping, Choice):
            return None
        entries = node.content if node is not None and isinstance(node.content, dict) else {}
        return self._merge.class_in(plan.mapping, entries)

    def _default(self, field: Field) -> Node | None:
        if isinstance(field.plan.mapping, Choice) or field.computed or field.required:
            return default_tree(self._schema, field)
        return value_tree(self._schema, field.plan, field.default_in(None), DEFAULT)
