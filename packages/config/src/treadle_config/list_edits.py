"""Changes of a list that leave the rest of it as weaker layers give it."""

from treadle_config.tree import Node

ONE_MORE = None
"""In place of an index: beyond the end."""


class ListEdits:
    """The content of a node that changes items of the list below it.

    Attributes:
        changes: In order: an index, which may count from the end, and what to lay over that
            item; or `ONE_MORE`, and the item to add.
    """

    __slots__ = ("changes",)

    def __init__(self, changes: tuple[tuple[int | None, Node], ...]) -> None:
        self.changes = changes

    def __repr__(self) -> str:
        return "a change of it"
