"""A place in a filter or an order, as a message can show it."""

from attrs import frozen

__all__ = ["Place"]

_SHOWN = 60  # characters of a line on each side of the place


@frozen
class Place:
    """The character at `offset` of a text; `what` is the argument's name, for messages."""

    what: str
    text: str
    offset: int

    @property
    def line(self) -> int:
        """From 1."""
        return self.text.count("\n", 0, self.offset) + 1

    @property
    def column(self) -> int:
        """From 1, in characters."""
        return self.offset - self._begin + 1

    @property
    def excerpt(self) -> str:
        """The line, or what of it is around the place, and below it a caret."""
        end = self.text.find("\n", self.offset)
        line = self.text[self._begin : len(self.text) if end < 0 else end]
        line = "".join(one if one.isprintable() else " " for one in line)
        at = self.column - 1
        before, after = line[:at], line[at:]
        if len(before) > _SHOWN:
            before = "…" + before[1 - _SHOWN :]
        if len(after) > _SHOWN:
            after = after[: _SHOWN - 1] + "…"
        return f"    {before}{after}\n    {' ' * len(before)}^"

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"

    @property
    def _begin(self) -> int:
        return self.text.rfind("\n", 0, self.offset) + 1
