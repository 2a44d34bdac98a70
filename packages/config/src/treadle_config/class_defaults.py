"""The defaults of class-typed fields, below what was given, with links followed."""

from typing import Any

from attrs import NOTHING, define, field

from treadle_config.declared_fields import (
    ClassPlan,
    FieldPlan,
    default_value,
    partial_instance,
)
from treadle_config.diagnosis import link_failed
from treadle_config.errors import Problem
from treadle_config.instances import default_tree, value_tree
from treadle_config.links import Link
from treadle_config.merge import Merge
from treadle_config.plans import Choice, Dictionary, mapping_of
from treadle_config.schema import Schema
from treadle_config.tags import TAG_KEY
from treadle_config.tree import DEFAULT, LINK, Computed, Node, join

BAD: Any = object()
"""Stands for a value that could not be built; its problem is reported already."""


@define(eq=False)
class ClassDefaults:
    """Completes the nodes of class-typed fields while their owner is built.

    Afterwards `overridden` holds the paths where a value was given in place of a link's, and
    `inputs` what each link that was followed reads.
    """

    schema: Schema
    problems: list[Problem]
    overridden: set[str] = field(factory=set)
    inputs: dict[str, tuple[str, ...]] = field(factory=dict)

    def completed(
        self, plan: ClassPlan, one: FieldPlan, node: Node | None, given: dict[str, Any], path: str
    ) -> Node | None:
        """The node of a field with its default below it; `None` leaves it to the class.

        Args:
            plan: The class that is being built.
            one: The field of it.
            node: What was written for the field.
            given: The values of the earlier fields that were given, by key; some may be `BAD`.
            path: Where the field stands.
        """
        mapping = mapping_of(one.plan)
        if not isinstance(mapping, Choice | Dictionary):
            return node
        if isinstance(mapping, Choice) and node is None:
            # Built anew, so that no two configs share a list within a default.
            node = default_tree(self.schema, one, DEFAULT)
        if node is None or not isinstance(node.content, dict):
            return node
        if one.linked is not None and isinstance(mapping, Choice):
            return self._with_links(plan, one, mapping, node, given, path=path)
        computed = one.declared.factory_takes_self and one.link is None
        if computed and not node.replaces:
            return self._over_computed(plan, one, node, given, path)
        return node

    def note(self, path: str, link: Link, owner: str) -> None:
        """Remember what a link reads; its paths start at the owner."""
        self.inputs[path] = tuple(join(owner, target) for target in link.paths)

    def _over_computed(
        self, plan: ClassPlan, one: FieldPlan, node: Node, given: dict[str, Any], path: str
    ) -> Node | None:
        """Merge a node over a decorated default, which looks at earlier fields."""
        instance, _ = _earlier(plan, one, given)
        try:
            default = default_value(one, instance)
        except Exception:  # noqa: BLE001  # with an earlier field bad; that one is reported
            return node
        below = value_tree(self.schema, one.plan, default, DEFAULT, sparse=True)
        merge = Merge(self.schema, self.problems, over_defaults=True)
        return merge.merge(one.given, below, node, path, one.setting.merge)

    def _with_links(
        self,
        plan: ClassPlan,
        one: FieldPlan,
        choice: Choice,
        node: Node,
        given: dict[str, Any],
        *,
        path: str,
    ) -> Node:
        assert one.linked is not None
        merge = Merge(self.schema, self.problems, over_defaults=True)
        tagged = node.content.get(TAG_KEY)
        if tagged is not None and merge.class_of(choice, node.content) is not one.linked.cls:
            return node
        content = {TAG_KEY: Node(one.linked.cls, DEFAULT), **node.content}
        for key, link in one.linked.links.items():
            below = join(path, key)
            if key in content:
                self.overridden.add(below)
                continue
            self.note(below, link, path.rpartition(".")[0])
            value = self._follow(plan, one, link, given, below)
            if value is not NOTHING:
                content[key] = Node(Computed(value), LINK)
        return Node(content, node.source)

    def _follow(
        self, plan: ClassPlan, one: FieldPlan, link: Link, given: dict[str, Any], path: str
    ) -> Any:
        """Compute a link; `NOTHING` where an input of it is bad."""
        if any(given.get(target.split(".")[0]) is BAD for target in link.paths):
            return NOTHING
        instance, failed = _earlier(plan, one, given)
        if failed:
            return NOTHING
        try:
            return link(instance)
        except Exception as error:  # noqa: BLE001  # the user's function
            self.problems.append(link_failed(path, error))
            return NOTHING


def _earlier(
    plan: ClassPlan, one: FieldPlan, given: dict[str, Any]
) -> tuple[Any, dict[str, Exception]]:
    """An instance with the fields before one, save the bad ones."""
    good = {key: value for key, value in given.items() if value is not BAD}
    return partial_instance(plan, good, without=given.keys() - good.keys(), before=one.key)
