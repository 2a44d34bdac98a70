"""The defaults of class-typed fields, below what was given, with links followed."""

from collections.abc import Mapping
from typing import Any

from attrs import NOTHING

from treadle_config.diagnosis import link_failed
from treadle_config.errors import Problem
from treadle_config.fields import Field, Fields, partial_instance
from treadle_config.instances import default_tree, value_tree
from treadle_config.links import Link, Linked
from treadle_config.merge import Merge
from treadle_config.plans import Choice
from treadle_config.schema import Schema
from treadle_config.tags import TAG_KEY
from treadle_config.tree import BAD, DEFAULT, LINK, Computed, Node, join


class ClassDefaults:
    """Completes the nodes of class-typed fields while their owner is built.

    Afterwards `overridden` holds the paths where a value was given in place of a link's, and
    `inputs` what each link that was followed reads.
    """

    def __init__(self, schema: Schema, merge: Merge, problems: list[Problem]) -> None:
        self._schema = schema
        self._merge = merge
        self._problems = problems
        self.overridden: set[str] = set()
        self.inputs: dict[str, tuple[str, ...]] = {}

    def completed(
        self,
        fields: Fields,
        one: Field,
        node: Node | None,
        given: Mapping[str, Any],
        path: str,
    ) -> Node | None:
        """The node of a field with its default below it; `None` leaves it to the class.

        Args:
            fields: The fields of the class that is being built.
            one: The field of it, which takes a mapping.
            node: What was written for the field.
            given: The values of the earlier fields that were given, by key; some may be `BAD`.
            path: Where the field stands.
        """
        choice = one.plan.mapping
        if node is None:
            # Built anew, so that no two configs share a list within a default.
            node = default_tree(self._schema, one)
        if node is None or not isinstance(node.content, dict):
            return node
        if not one.computed or one.link is not None:
            return node
        bad = {key for key, value in given.items() if value is BAD}
        good = {key: value for key, value in given.items() if key not in bad}
        earlier, failed = partial_instance(fields, good, without=bad, before=one.key)
        if one.linked is not None and isinstance(choice, Choice):
            chosen = self._merge.class_in(choice, node.content)
            if TAG_KEY in node.content and chosen is not one.linked.cls:
                return node
            unset = {fields[key].name for key in bad | failed.keys()}
            if choice.tag_key is not None:
                content = {TAG_KEY: Node(one.linked.cls, DEFAULT), **node.content}
                node = Node(content, node.source)
            return self._with_links(one.linked, node, earlier, unset, path)
        return node if node.replaces else self.over_computed(one, node, earlier, path)

    def note(self, path: str, link: Link, owner: str) -> None:
        """Remember what a link reads; its paths start at the owner."""
        self.inputs[path] = tuple(join(owner, target) for target in link.paths)

    def over_computed(self, one: Field, node: Node, earlier: Any, path: str) -> Node:
        """Merge a node over a decorated default, which looks at earlier fields."""
        try:
            default = one.default_in(earlier)
        except Exception:  # noqa: BLE001  # with an earlier field bad; that one is reported
            return node
        below = value_tree(self._schema, one.plan, default, DEFAULT, sparse=True)
        # As layers said it, since what they say of a part lies over what is in the default; a
        # link that has failed is marked only in what was merged.
        said = [node] if self._problems else self._merge.late.get(path, [node])
        return self._merge.merge(one.given, said, path, one.setting.merge, below=below) or node

    def _with_links(
        self, linked: Linked, node: Node, earlier: Any, unset: set[str], path: str
    ) -> Node:
        content = dict(node.content)
        for key, link in linked.links.items():
            below = join(path, key)
            if key in content:
                self.overridden.add(below)
                continue
            self.note(below, link, path.rpartition(".")[0])
            if not any(target.split(".")[0] in unset for target in link.paths):
                value = self._follow(link, earlier, below)
                if value is not NOTHING:
                    content[key] = Node(Computed(value), LINK)
        return Node(content, node.source)

    def _follow(self, link: Link, earlier: Any, path: str) -> Any:
        try:
            return link(earlier)
        except Exception as error:  # noqa: BLE001  # the user's function
            self._problems.append(link_failed(path, error))
            return NOTHING
