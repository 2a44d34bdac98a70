"""Lists, as layers say them: a whole one, items to add, and changes of single items."""

from collections.abc import Callable, Sequence

from treadle_config.errors import Problem
from treadle_config.layering import layers_of
from treadle_config.list_edits import ListEdits
from treadle_config.must_win import MustWin
from treadle_config.plans import Items, Plan
from treadle_config.tree import Node, is_null, shown

MergeItem = Callable[[Plan, Sequence[Node], str], Node | None]
"""Merges what layers say of one item, the weakest first."""


class _Open:
    """A list that may still be changed: for each item what is said of it, the weakest first."""

    __slots__ = ("items", "replaces", "source")

    def __init__(self, node: Node) -> None:
        self.items: list[list[Node]] = [[item] for item in node.content]
        self.source = node.source
        self.replaces = node.replaces

    def node(self) -> Node:
        """It as a node, with the last that is said of each item."""
        return Node([said[-1] for said in self.items], self.source, replaces=self.replaces)


_State = _Open | Node | None
"""A list, something else, or nothing."""


class ListMerge:
    """Merges what layers say of one list.

    Args:
        items: The plan of the list.
        path: Where it stands.
        problems: Where to put what is wrong.
        must_win: Told of what takes the place of what.
        adds: Whether a layer's list adds to the weaker ones.
        unknown: Whether it has a default that is not made yet.
    """

    def __init__(
        self,
        items: Items,
        path: str,
        problems: list[Problem],
        must_win: MustWin,
        *,
        adds: bool,
        unknown: bool,
    ) -> None:
        self._items = items
        self._path = path
        self._problems = problems
        self._must_win = must_win
        self._adds = adds
        self._unknown = unknown

    def merged(
        self, said: Sequence[Node], below: Node | None, merge_item: MergeItem
    ) -> Node | None:
        """What all say together.

        Args:
            said: What layers say, the weakest first; the last is a list, or a change of one.
            below: The default, if something is to be added to it or changed in it.
            merge_item: Merges what is said of one item.
        """
        found: _State = _opened(below)
        for layer in layers_of(said):
            found = self._laid(found, *self._within(layer))
        if not isinstance(found, _Open):
            return found
        merged = []
        for index, nodes in enumerate(found.items):
            # Its place is the one in the whole list.
            item = merge_item(self._items.plan_at(index), nodes, f"{self._path}[{index}]")
            merged += [] if item is None else [item]
        return Node(merged, found.source, replaces=found.replaces)

    def _within(self, layer: Sequence[Node]) -> tuple[_State, list[Node]]:
        """What one layer says by itself, and the changes that it makes of what lies below."""
        own: _State = None
        changes: list[Node] = []
        for node in layer:
            if not isinstance(node.content, ListEdits):
                own, changes = _opened(node), []
            elif own is None:
                changes.append(node)
            else:
                own = self._changed(own, node)
        return own, changes

    def _laid(self, low: _State, own: _State, changes: Sequence[Node]) -> _State:
        """What one layer says, over all that is weaker."""
        if own is None:
            for node in changes:
                if low is None and self._unknown:
                    hint = "its default is computed after all layers; give the whole list"
                    got = shown(node.content)
                    self._problems.append(
                        Problem(self._path, node.source, got, "a whole list", hint)
                    )
                    return None
                before = None if low is None else _closed(low)
                low = self._changed(low, node)
                if before is not None and low is not None:
                    self._must_win.overridden(before, _closed(low), self._path)
            return low
        if isinstance(own, _Open) and isinstance(low, _Open) and self._adds and not own.replaces:
            own.items[:0] = low.items
        elif low is not None:
            self._must_win.overridden(_closed(low), _closed(own), self._path)
        return own

    def _changed(self, low: _State, node: Node) -> _State:
        if low is None or (isinstance(low, Node) and is_null(low.content)):
            low = _Open(Node([], node.source, replaces=low is not None and low.replaces))
        elif isinstance(low, Node):
            hint = f"that is of {low.source}; give the whole list"
            got = shown(low.content)
            self._problems.append(Problem(self._path, node.source, got, "a list to change", hint))
            return low
        for index, change in node.content.changes:
            self._change(low, index, change)
        low.source = node.source
        return low

    def _change(self, low: _Open, index: int | None, change: Node) -> None:
        count = len(low.items)
        if index is None:
            low.items.append([change])
        elif -count <= index < count:
            low.items[index].append(change)
        else:
            counted = "1 item" if count == 1 else f"{count} items"
            hint = f"the list has {counted} here"
            wanted = "the index of an item"
            where = f"{self._path}[{index}]"
            self._problems.append(Problem(where, change.source, str(index), wanted, hint))


def _opened(node: Node | None) -> _State:
    return _Open(node) if node is not None and isinstance(node.content, list) else node


def _closed(state: _Open | Node) -> Node:
    return state.node() if isinstance(state, _Open) else state
