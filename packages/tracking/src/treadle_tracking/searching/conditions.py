"""The parts of a filter, and how they are joined: tests of three values, as in SQL."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from attrs import frozen

from treadle_tracking.reading.condition import Condition
from treadle_tracking.searching.fields import Field, Subject

__all__ = [
    "Node",
    "Test",
    "Truth",
    "all_of",
    "any_of",
    "conjunction",
    "disjunction",
    "inverse",
]

Truth: TypeAlias = bool | None
Test: TypeAlias = Callable[[Subject], Truth]


@frozen(eq=False)
class Node:
    """A part of a filter: a condition, or several joined."""

    test: Test
    fields: frozenset[Field]
    condition: Condition | None = None  # of a part that is one that a store may know too
    parts: tuple["Node", ...] = ()  # of a part that is several joined by `and`

    @property
    def conjuncts(self) -> tuple["Node", ...]:
        """The parts of which each must be true for this to be."""
        return self.parts or (self,)


def all_of(tests: Sequence[Test]) -> Test:
    """True where all are; unknown where none is false and one is unknown."""
    if len(tests) == 1:
        return tests[0]

    def test(subject: Subject) -> Truth:
        truth: Truth = True
        for one in tests:
            found = one(subject)
            if found is False:
                return False
            if found is None:
                truth = None
        return truth

    return test


def any_of(tests: Sequence[Test]) -> Test:
    """True where one is; unknown where none is true and one is unknown."""

    def test(subject: Subject) -> Truth:
        truth: Truth = False
        for one in tests:
            found = one(subject)
            if found:
                return True
            if found is None:
                truth = None
        return truth

    return test


def conjunction(nodes: Sequence[Node]) -> Node:
    """All joined by `and`: one part for each, however they were in parentheses."""
    parts = tuple(part for node in nodes for part in node.conjuncts)
    return Node(all_of([part.test for part in parts]), _fields(nodes), parts=parts)


def disjunction(nodes: Sequence[Node]) -> Node:
    """All joined by `or`."""
    return Node(any_of([node.test for node in nodes]), _fields(nodes))


def inverse(node: Node) -> Node:
    """`not` before it: unknown stays unknown."""
    return Node(negated(node.test), node.fields)


def negated(inner: Test) -> Test:
    """The other truth; unknown stays unknown."""

    def test(subject: Subject) -> Truth:
        found = inner(subject)
        return None if found is None else not found

    return test


def _fields(nodes: Sequence[Node]) -> frozenset[Field]:
    return frozenset().union(*(node.fields for node in nodes))
