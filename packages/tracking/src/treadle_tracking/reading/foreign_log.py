"""What the event files that others have written come to: torch's, TensorFlow's, tensorboardX's, Lightning's, Keras's."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, ClassVar, Self

from attrs import define, field

from treadle_tracking.clock import milliseconds
from treadle_tracking.places import LogDirectory
from treadle_tracking.reading.foreign_events import ForeignEvent, ForeignEvents, Session
from treadle_tracking.reading.foreign_restarts import Cutoffs
from treadle_tracking.reading.scanning import ParsedScalars, Scan, open_log
from treadle_tracking.reading.standing import NotAsKnown
from treadle_tracking.reading.summary import Summary

__all__ = [
    "ForeignAccount",
    "SomethingSuperseded",
    "cutoffs_in",
    "foreign_events",
    "foreign_scalars",
]


class SomethingSuperseded(Exception):
    """What was read before is superseded by what comes: it must be read again, knowing that."""


@define
class ForeignAccount:
    """What the event files in a directory come to so far.

    Args:
        cutoffs: What is superseded in them, where that is known.
    """

    is_own: ClassVar[bool] = False

    cutoffs: Cutoffs | None = None
    summary: Summary = field(factory=Summary)
    uid: str = ""  # of the first event
    first: float = 0.0  # wall time of the first event, in seconds since the epoch
    last: float = 0.0
    # Whether something was superseded: what comes may supersede what nobody knows of any more.
    is_cut: bool = False
    _events: ForeignEvents = field(factory=lambda: ForeignEvents(only_names=True))
    _number: int = 0

    @property
    def session(self) -> Session:
        """What an HParams session says."""
        return self._events.session

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded."""
        summary = self.summary
        return self.session.params is None and not (
            summary.metrics or summary.images or summary.texts or summary.histograms
        )

    def read(self, scan: Scan, name: str, *, is_new: bool) -> None:
        """As `Account` says.

        Raises:
            SomethingSuperseded: what is superseded is not known, and something is.
        """
        if self.is_cut:
            raise NotAsKnown
        cutoffs, add_points = self.cutoffs, self.summary.add_points
        for event in self._events.read(scan, is_new=is_new):
            wall_time, step = event[0], event[1]
            if wall_time > self.last:
                self.last = wall_time
            elif wall_time < self.first:
                self.first = wall_time
            if cutoffs is None and not isinstance(event, ForeignEvent):
                add_points(step, milliseconds(wall_time), event[2])
                continue
            full = _full(event)
            if not self.uid:
                digest = sha256(name.encode("utf-8", "surrogateescape") + full.data)
                self.uid = digest.hexdigest()[:32]
                self.first = self.last = wall_time
            if cutoffs is not None:
                full = _kept(full, self._number, cutoffs)
                self._number += 1
            elif full.superseded:
                raise SomethingSuperseded
            self._add(full)

    def _add(self, event: ForeignEvent) -> None:
        summary = self.summary
        if event.scalars:
            summary.add_points(event.step, milliseconds(event.wall_time), event.scalars)
        for entry in event.others:
            summary.add(entry)
        for kind, name in event.names:
            summary.add_name(kind, name)

    def as_json(self) -> dict[str, Any]:
        """As JSON can hold it, to go on from later."""
        return {
            "summary": self.summary.as_json(),
            "uid": self.uid,
            "times": [self.first, self.last],
            "is_cut": self.cutoffs is not None,
            "events": self._events.as_json(),
        }

    @classmethod
    def of_json(cls, found: dict[str, Any]) -> Self:
        """What `as_json` was made of."""
        first, last = found["times"]
        return cls(
            summary=Summary.of_json(found["summary"]),
            uid=found["uid"],
            first=first,
            last=last,
            is_cut=found["is_cut"],
            events=ForeignEvents.of_json(found["events"]),
        )


def foreign_events(log: LogDirectory) -> Iterator[ForeignEvent]:
    """What was recorded in a directory and is not superseded."""
    cutoffs = cutoffs_in(log)
    for number, event in enumerate(_events(log, only_names=False)):
        yield _kept(_full(event), number, cutoffs)


def foreign_scalars(log: LogDirectory, cutoffs: Cutoffs | None) -> Iterator[ParsedScalars]:
    """The numbers among them.

    Raises:
        SomethingSuperseded: what is superseded is not known, and something is.
    """
    for number, event in enumerate(_events(log, only_names=True)):
        if cutoffs is None and not isinstance(event, ForeignEvent):
            yield event
            continue
        full = _full(event)
        if cutoffs is not None:
            full = _kept(full, number, cutoffs)
        elif full.superseded:
            raise SomethingSuperseded
        if full.scalars:
            yield full.wall_time, full.step, full.scalars


def cutoffs_in(log: LogDirectory) -> Cutoffs:
    """What is superseded in a directory."""
    cutoffs = Cutoffs()
    for number, event in enumerate(_events(log, only_names=True)):
        if isinstance(event, ForeignEvent) and event.superseded:
            cutoffs.add(number, event.superseded)
    cutoffs.close()
    return cutoffs


def _full(event: ForeignEvent | ParsedScalars) -> ForeignEvent:
    return event if isinstance(event, ForeignEvent) else ForeignEvent(*event, (), (), (), b"")


def _events(log: LogDirectory, *, only_names: bool) -> Iterator[ForeignEvent | ParsedScalars]:
    events = ForeignEvents(only_names=only_names)
    for one in log.files:
        try:
            file = open_log(log.path / one.name)
        except OSError:  # gone meanwhile, or nobody may read it: the listing says so
            continue
        with file:
            yield from events.read(Scan(file), is_new=True)


def _kept(event: ForeignEvent, number: int, cutoffs: Cutoffs) -> ForeignEvent:
    """What of an event is not superseded."""
    if cutoffs.is_empty:
        return event

    def keeps(name: str) -> bool:
        return cutoffs.keeps(number, name, event.step)

    return event._replace(
        scalars=[one for one in event.scalars if keeps(one[0])],
        others=[one for one in event.others if keeps(getattr(one, "name", ""))],
        names=[one for one in event.names if keeps(one[1])],
    )
