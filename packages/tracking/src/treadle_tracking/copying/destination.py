"""Where runs are copied to."""

from collections.abc import Collection, Iterable
from typing import Protocol

from attrs import frozen

from treadle_tracking.copying.difference import Difference
from treadle_tracking.reading.record import RunRecord

__all__ = ["Addition", "Destination", "Put"]


@frozen(kw_only=True)
class Addition:
    """A run that is there, and what it lacks."""

    there: RunRecord
    difference: Difference


@frozen
class Put:
    """A run that was brought somewhere."""

    identity: str  # what it is called there
    problems: tuple[str, ...] = ()


class Destination(Protocol):
    """A place that runs are copied to. All calls come from one thread, between its `__enter__` and `__exit__`.

    Attributes:
        target: The whole target that names it, without secrets.
        replaces: Whether what is added to a run takes the place of all of it, so that nothing stays another.
    """

    target: str
    replaces: bool

    def runs(self) -> Iterable[RunRecord]:
        """The runs that are there: none, where there is nothing yet or nothing that can be read."""

    def refused(self, there: RunRecord) -> Collection[str]:
        """What was passed over when this run was brought there, as `Difference.files` names it."""

    def obstacle(self, there: RunRecord) -> str | None:
        """Why nothing can be added to this run, in words that go on with it; None where that can be."""

    def put(self, run: RunRecord, experiment: str, addition: Addition | None) -> Put:
        """Bring a run there, or what it lacks there.

        Raises:
            Exception: it is not there, or not all of it.
        """
