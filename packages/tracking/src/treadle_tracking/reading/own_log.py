"""The logs of our own runs, read: every entry that can be."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, ClassVar, Self, get_args

from attrs import define, field

from treadle_tracking.clock import milliseconds
from treadle_tracking.encoding import decoded_strictly
from treadle_tracking.entries import (
    Artifact,
    Ended,
    Entry,
    Function,
    Histogram,
    Image,
    Params,
    RunStatus,
    Scalars,
    Started,
    Table,
    Tags,
    Text,
)
from treadle_tracking.places import LogDirectory
from treadle_tracking.reading.outlines import outline
from treadle_tracking.reading.scanning import (
    ParsedScalars,
    ScalarParser,
    Scan,
    is_a_time,
    open_log,
    scalar_parser,
)
from treadle_tracking.reading.summary import Summary

__all__ = ["OwnAccount", "own_entries", "own_scalars"]

_LARGE = 4096  # bytes of an event that is worth a look before a message is made of it
_NAMED = ("images", "text", "histograms")  # plugins
_ENTRY_FIELD = 1701
_STATUSES = get_args(RunStatus)


@define
class OwnAccount:
    """What the log of one of our runs comes to so far."""

    is_own: ClassVar[bool] = True

    summary: Summary = field(factory=Summary)
    _parse: ScalarParser = field(factory=lambda: scalar_parser(exact=True), eq=False, repr=False)

    def read(self, scan: Scan, name: str, *, is_new: bool) -> None:  # noqa: ARG002
        """As `Account` says."""
        parse, summary = self._parse, self.summary
        add_points = summary.add_points
        for end, data in scan:
            scalars = parse(data)
            if scalars is not None:
                wall_time, step, values = scalars
                add_points(step, milliseconds(wall_time), values)
            elif not (len(data) > _LARGE and self._is_named(data)):
                try:
                    entry = _entry(data)
                except ValueError:
                    scan.not_understood(end, data)
                else:
                    if entry is not None:
                        summary.add(entry)

    def _is_named(self, data: bytes) -> bool:
        """Whether it is an image or the like, of which no more than the name is kept."""
        event = outline(data)
        if event is None or len(event.values) != 1 or _ENTRY_FIELD in event.fields:
            return False
        name, plugin, _ = event.values[0]
        if plugin not in _NAMED:
            return False
        self.summary.add_name(plugin, name)
        return True

    def as_json(self) -> dict[str, Any]:
        """As JSON can hold it, to go on from later."""
        return self.summary.as_json()

    @classmethod
    def of_json(cls, found: dict[str, Any]) -> Self:
        """What `as_json` was made of."""
        return cls(summary=Summary.of_json(found))


def own_scalars(log: LogDirectory) -> Iterator[ParsedScalars]:
    """The numbers of a log, as they were recorded."""
    parse = scalar_parser(exact=True)
    for end, data, scan in _records(log):
        scalars = parse(data)
        if scalars is not None:
            yield scalars
        elif len(data) <= _LARGE or (event := outline(data)) is None or len(event.values) > 1:
            try:
                entry = _entry(data)
            except ValueError:
                scan.not_understood(end, data)
                continue
            if isinstance(entry, Scalars):
                yield entry.wall_time, entry.step, list(entry.values.items())


def own_entries(log: LogDirectory) -> Iterator[Entry]:
    """The entries of a log, in their order."""
    for end, data, scan in _records(log):
        try:
            entry = _entry(data)
        except ValueError:
            scan.not_understood(end, data)
            continue
        if entry is not None:
            yield entry


def _records(log: LogDirectory) -> Iterator[tuple[int, bytes, Scan]]:
    for one in log.files:
        try:
            file = open_log(log.path / one.name)
        except OSError:  # gone meanwhile, or nobody may read it: the listing says so
            continue
        with file:
            scan = Scan(file)
            for end, data in scan:
                yield end, data, scan


def _entry(data: bytes) -> Entry | None:
    """The entry that an event holds; None for one that is none of ours. Raises `ValueError` of what is none at all."""
    try:
        entry = decoded_strictly(data)
    except Exception as error:  # whatever others' bytes make of it
        raise ValueError(data) from error
    if entry is not None and not (is_a_time(entry.wall_time) and _is_sound(entry)):
        raise ValueError(data)
    return entry


def _is_sound(entry: Entry) -> bool:
    """Whether what was JSON has the types that it is used as."""
    match entry:
        case Started():
            texts: tuple[object, ...] = (entry.uid, entry.experiment, entry.name, entry.group or "")
        case Params():
            return isinstance(entry.values, Mapping)
        case Tags():
            texts = tuple(chain(*entry.values.items())) if isinstance(entry.values, Mapping) else ()
            return isinstance(entry.values, Mapping) and _are_texts(texts)
        case Artifact():
            texts = (entry.path, entry.sha256)
        case Scalars():
            texts = tuple(entry.values)
        case Image() | Text() | Histogram():
            texts = (entry.name,)
        case Table():
            texts = (entry.name, entry.path)
        case Function():
            texts = (entry.name, entry.qualified_name)
        case Ended():
            return entry.status in _STATUSES
        case _:
            return True
    return _are_texts(texts)


def _are_texts(values: tuple[object, ...]) -> bool:
    return all(isinstance(value, str) for value in values)
