"""A filter, once it is read."""

from collections.abc import Sequence

from attrs import field, frozen

from treadle_tracking.reading.condition import Condition
from treadle_tracking.reading.record import RunRecord
from treadle_tracking.searching.conditions import Node, Test, Truth, all_of
from treadle_tracking.searching.errors import NotText
from treadle_tracking.searching.fields import (
    Extremes,
    Field,
    Kind,
    ranged,
    subject,
)
from treadle_tracking.searching.grammar import read

__all__ = ["Filter", "parse"]


@frozen
class Filter:
    """What is asked of a run.

    Attributes:
        text: As it was written.
        fields: Everything that it reads of a run.
        conditions: Conditions of which each must be true for the filter to be, so that a store may leave out a run
            for which one is not. A filter such as `a or b` has none.
    """

    text: str
    fields: frozenset[Field] = field(repr=False)
    conditions: tuple[Condition, ...] = field(repr=False)
    _parts: tuple[Node, ...] = field(repr=False, eq=False)

    @property
    def names(self) -> frozenset[tuple[Kind, str]]:
        """The kind and the name of everything that it reads."""
        return frozenset((one.kind, one.name) for one in self.fields)

    @property
    def ranged(self) -> frozenset[str]:
        """The names of the metrics of which it reads the least or the greatest value."""
        return ranged(self.fields)

    def matches(self, run: RunRecord, extremes: Extremes | None = None) -> Truth:
        """Whether `run` is asked for: true, false, or None for unknown, as where something is missing.

        Args:
            run: Any run.
            extremes: The least and the greatest value by metric, of a run that does not know its own.
        """
        return all_of([part.test for part in self._parts])(subject(run, self.fields, extremes))

    def at_once(self) -> Test:
        """A test of what needs no least or greatest value: where it is not true, neither is the filter."""
        return all_of([part.test for part in self._parts if not ranged(part.fields)])

    def in_the_end(self) -> Test:
        """A test of the others."""
        return all_of([part.test for part in self._parts if ranged(part.fields)])


def parse(filter: str) -> Filter:
    """The filter that is written in `filter`; one of no text is true of every run.

    Raises:
        SearchError: it is no filter; the message says what is wrong and where.
    """
    if not isinstance(filter, str):
        raise NotText("filter", filter, "a text, such as 'params.lr > 1e-3'")
    node: Node | None = read(filter, "filter", "filter")
    parts: Sequence[Node] = node.conjuncts if node is not None else ()
    return Filter(
        text=filter,
        fields=node.fields if node is not None else frozenset(),
        conditions=tuple(part.condition for part in parts if part.condition is not None),
        parts=tuple(parts),
    )
