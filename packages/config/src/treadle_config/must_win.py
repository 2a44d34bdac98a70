"""Layers that must win: a stronger one that says something else is a problem."""

from collections.abc import Iterator, Sequence
from typing import Any

from treadle_config.errors import Problem
from treadle_config.layering import shows_through
from treadle_config.links import LayerLink
from treadle_config.plans import Plan
from treadle_config.schema import Schema
from treadle_config.settings import Merge as MergeRule
from treadle_config.tags import tag_of
from treadle_config.tree import BAD, MASK, Node, join, shown


class MustWin:
    """Reports values of a layer that must win, and did not.

    Args:
        schema: Where classes are planned.
        root: The plan of the config, if problems are told.
        problems: Where to put what is found.
    """

    def __init__(self, schema: Schema, root: Plan | None, problems: list[Problem]) -> None:
        self._schema = schema
        self._root = root
        self._problems = problems

    def each(self, said: Sequence[Node], path: str, rule: MergeRule | None = None) -> None:
        """Report what nodes of one place say, each if a stronger one takes its place."""
        for at in range(len(said) - 1):
            low = said[at]
            if low.source.must_win or isinstance(low.content, dict):
                for one, high in zip(said[at:], said[at + 1 :], strict=False):
                    if not shows_through(one, high, rule):
                        self.overridden(low, high, path)
                        break

    def overridden(self, low: Node, high: Node, path: str) -> None:
        """Report what one node says and another takes the place of.

        Where a link has failed, that is reported, and nothing else is known of it.
        """
        if isinstance(high.content, LayerLink) or _is_bad(high):
            return
        for below, node in values_in(low, path):
            if not node.source.must_win or _is_bad(node):
                continue
            content, other = _said(node), _said(high)
            if node.source != high.source and str(content) != str(other):
                self._report(below, node, high, shown(other))

    def dropped(self, low: Node, tag: Node, path: str, chosen: str) -> None:
        """Report what one node says of a class that is chosen no more, by the tag that does it."""
        for below, node in values_in(low, path):
            if node.source.must_win and not isinstance(node.content, type):
                self._report(below, node, tag, f"{chosen}, which drops it")

    def said(self, path: str, node: Node) -> str:
        """What a node says, for people; stars where that is secret."""
        return MASK if self._is_secret(path) else shown(_said(node))

    def _report(self, path: str, node: Node, high: Node, got: str) -> None:
        wanted = f"{self.said(path, node)} of {node.source}, which must win"
        hint = "remove one of the two"
        self._problems.append(Problem(path, high.source, got, wanted, hint))

    def _is_secret(self, path: str) -> bool:
        if self._root is None or not self._schema.has_secrets:
            return False
        from treadle_config.secret_places import place_of

        place = place_of(self._schema, self._root, path)
        # Under a name that nobody knows, a secret may have been meant.
        return place.holds or place.known < len(path)


def values_in(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    """The values that a node holds, each with its path; a list is one."""
    if isinstance(node.content, dict):
        for key, child in node.content.items():
            yield from values_in(child, join(path, key))
    else:
        yield path, node


def _said(node: Node) -> Any:
    """What a node says; of an instance, the tag of its class."""
    return tag_of(node.content) if isinstance(node.content, type) else node.content


def _is_bad(node: Node) -> bool:
    return getattr(node.content, "value", None) is BAD
