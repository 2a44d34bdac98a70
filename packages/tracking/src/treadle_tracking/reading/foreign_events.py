"""The events of files that others have written, told as what was recorded and what that supersedes."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self

from attrs import define, field

from treadle_tracking.entries import Entry, ParamValue, RunStatus, Scalars
from treadle_tracking.protos import messages
from treadle_tracking.reading.foreign_params import STATUSES, session_params
from treadle_tracking.reading.foreign_restarts import Restarts, Superseded
from treadle_tracking.reading.foreign_values import entries_of, kind_of, shown_name
from treadle_tracking.reading.outlines import Outline, outline
from treadle_tracking.reading.scanning import ParsedScalars, Scan, is_a_time, scalar_parser

__all__ = ["ForeignEvent", "ForeignEvents", "Session"]

_LARGE = 4096  # bytes of an event that is worth a look before a message is made of it
_SESSION_LOG_START = 1
# Lightning logs this first, so that TensorBoard's page has a metric to show.
_PLACEHOLDER = ("hp_metric", -1.0)


@define
class Session:
    """What an HParams session says; TensorBoard keeps the first of each."""

    params: dict[str, ParamValue] | None = None
    group: str | None = None
    status: RunStatus | None = None

    def add(self, content: bytes) -> None:
        """Take what the plugin's data say into account. Raises as its bytes are wrong."""
        data = messages().hparams.FromString(content)
        info = data.session_start_info
        if not all(
            isinstance(text, str) for text in [info.group_name, *(one.key for one in info.hparams)]
        ):
            raise TypeError(content)
        if data.HasField("session_start_info") and self.params is None:
            self.params = session_params(data.session_start_info)
            self.group = data.session_start_info.group_name or None
        elif data.HasField("session_end_info") and self.status is None:
            self.status = STATUSES.get(data.session_end_info.status)


class ForeignEvent(NamedTuple):
    """One event."""

    wall_time: float  # seconds since the epoch
    step: int
    scalars: list[tuple[str, float]]  # values by name
    others: Sequence[Entry]
    # Kind and name of what is not in `others`, where only names are asked for.
    names: Sequence[tuple[str, str]]
    superseded: Sequence[Superseded]
    data: bytes


@define
class ForeignEvents:
    """Reads them, file after file in their order.

    Args:
        only_names: Whether of images and the like the names are enough.
    """

    only_names: bool = False
    session: Session = field(factory=Session)
    _restarts: Restarts = field(factory=Restarts)
    _has_begun: bool = False
    _plugins: dict[str, str] = field(factory=dict)  # by tag: only its first value has to say so
    _parse: Any = field(factory=lambda: scalar_parser(exact=False), eq=False, repr=False)

    def read(self, scan: Scan, *, is_new: bool) -> "Iterator[ForeignEvent | ParsedScalars]":
        """The events of one file, or those that were added to it; nearly all of them numbers and nothing else.

        The first event of all is told in full, and so is one that supersedes something.
        """
        parse, restarts = self._parse, self._restarts
        if is_new:
            restarts.begin_file()
        for end, data in scan:
            scalars = parse(data)
            if scalars is not None:
                wall_time, step, values = scalars
                superseded = restarts.points(step, values)
                if superseded or _PLACEHOLDER in values or not self._has_begun:
                    self._has_begun = True
                    kept = [one for one in values if one != _PLACEHOLDER]
                    yield ForeignEvent(wall_time, step, kept, (), (), superseded, data)
                else:
                    yield scalars
                continue
            try:
                event = self._outlined(data) or self._message(data)
            except Exception:  # noqa: BLE001 (whatever others' bytes make of it)
                scan.not_understood(end, data)
            else:
                self._has_begun = True
                yield event

    def _outlined(self, data: bytes) -> ForeignEvent | None:
        """A large event of which the names are enough; None of any other."""
        event = outline(data) if self.only_names and len(data) > _LARGE else None
        if event is None or event.fields & {3, 7} or not self._is_told(event):
            return None
        names = [
            (kind_of(fields, plugin), shown_name(tag, plugin))
            for tag, said, fields in event.values
            for plugin in [self._plugin(tag, said)]
        ]
        superseded = self._restarts.values(event.step, [name for _, name in names])
        return ForeignEvent(event.wall_time, event.step, [], [], names, superseded, data)

    def _is_told(self, event: Outline) -> bool:
        known = {"images", "text", "histograms", "audio"}
        kinds = (
            kind_of(fields, said or self._plugins.get(tag, ""))
            for tag, said, fields in event.values
        )
        return all(kind in known for kind in kinds)

    def _plugin(self, tag: str, said: str) -> str:
        return self._plugins.setdefault(tag, said) if said else self._plugins.get(tag, "")

    def _message(self, data: bytes) -> ForeignEvent:
        event = messages().event.FromString(data)
        wall_time, step = event.wall_time, event.step
        if not is_a_time(wall_time):
            raise ValueError(wall_time)
        superseded: list[Superseded] = []
        if event.HasField("file_version"):
            self._restarts.told_version(event.file_version)
        if event.session_log.status == _SESSION_LOG_START:
            superseded += self._restarts.started(step)
        scalars: list[tuple[str, float]] = []
        others: list[Entry] = []
        names = []
        for value in event.summary.value:
            said = value.metadata.plugin_data.plugin_name
            if not (isinstance(value.tag, str) and isinstance(said, str)):  # one is not UTF-8
                raise TypeError(value)
            plugin = self._plugin(value.tag, said)
            if plugin == "hparams":
                self.session.add(value.metadata.plugin_data.content)
                continue
            names.append(shown_name(value.tag, plugin))
            for entry in entries_of(wall_time, step, value, plugin):
                if isinstance(entry, Scalars):
                    scalars += entry.values.items()
                else:
                    others.append(entry)
        if event.HasField("summary"):
            superseded += self._restarts.values(step, names)
        scalars = [one for one in scalars if one != _PLACEHOLDER]
        return ForeignEvent(wall_time, step, scalars, others, [], superseded, data)

    def as_json(self) -> dict[str, Any]:
        """As JSON can hold it, to go on from later."""
        session = self.session
        return {
            "session": [session.params, session.group, session.status],
            "restarts": self._restarts.as_json(),
            "plugins": self._plugins,
        }

    @classmethod
    def of_json(cls, found: dict[str, Any]) -> Self:
        """What `as_json` was made of, of which names are enough."""
        return cls(
            only_names=True,
            session=Session(*found["session"]),
            has_begun=True,
            restarts=Restarts.of_json(found["restarts"]),
            plugins=found["plugins"],
        )
