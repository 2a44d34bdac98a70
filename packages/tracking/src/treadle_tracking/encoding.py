"""Entries as TensorBoard events, and back.

An entry is written as what TensorBoard shows of it: scalars as scalars, an image as an image, parameters as an HParams
session. What TensorBoard has no place for, and the exact types of what it has, are JSON in a field of ours
(`Event.entry`) in the same event, so that one record is one entry and is there as a whole or not at all.
"""

from typing import Any, Literal, TypeAlias, cast

from treadle_tracking.entries import (
    Artifact,
    Ended,
    Entry,
    Image,
    Params,
    ParamValue,
    Scalars,
    Started,
    Tags,
    Text,
)
from treadle_tracking.exact_json import dumps, loads
from treadle_tracking.hparams import session_end, session_start
from treadle_tracking.protos import messages
from treadle_tracking.wire import ScalarEncoder, framed

__all__ = ["EntryEncoder", "decoded"]

_Kind: TypeAlias = Literal["started", "params", "tags", "artifact", "ended"]

_DT_STRING = 7
_SESSION_LOG_START = 1


class EntryEncoder:
    """Encodes the entries of one attempt, in the order in which they are appended."""

    __slots__ = ("_scalars", "_session_shown", "_started")

    def __init__(self) -> None:
        self._scalars = ScalarEncoder()
        self._started: Started | None = None
        self._session_shown = False

    def record(self, entry: Entry) -> bytes:
        """The framed record of `entry`; that of a `Started` begins with the file's version."""
        if isinstance(entry, Scalars):
            return framed(self._scalars.encode(entry.wall_time, entry.step, entry.values))
        event = messages().event(wall_time=entry.wall_time)
        if isinstance(entry, Image):
            size = (str(entry.width).encode(), str(entry.height).encode())
            _add_tensor(event, entry, "images", [*size, entry.png], shape=[3])
        elif isinstance(entry, Text):
            _add_tensor(event, entry, "text", [entry.text.encode()], shape=[])
        else:
            self._describe(event, entry)
        record = framed(event.SerializeToString())
        if isinstance(entry, Started):
            # TensorBoard takes this version for a file whose restarts are marked.
            version = messages().event(wall_time=entry.wall_time, file_version="brain.Event:2")
            return framed(version.SerializeToString()) + record
        return record

    def _describe(self, event: Any, entry: Started | Params | Tags | Artifact | Ended) -> None:
        values: dict[str, ParamValue]
        kind: _Kind
        if isinstance(entry, Started):
            # Every attempt says that it starts: TensorBoard takes a first start for the beginning, a later one for
            # a restart, and drops what was logged before it from that step on.
            event.step = entry.step or 0
            event.session_log.status = _SESSION_LOG_START
            self._started = entry
            kind = "started"
            values = {
                "uid": entry.uid,
                "experiment": entry.experiment,
                "name": entry.name,
                "group": entry.group,
                "attempt": entry.attempt,
                "step": entry.step,
            }
        elif isinstance(entry, Params):
            # Of several session starts TensorBoard keeps the first.
            if not self._session_shown:
                session_start(event, entry, self._started)
                self._session_shown = True
            kind, values = "params", {"values": cast("ParamValue", dict(entry.values))}
        elif isinstance(entry, Tags):
            kind, values = "tags", {"values": cast("ParamValue", dict(entry.values))}
        elif isinstance(entry, Artifact):
            kind = "artifact"
            values = {"path": entry.path, "size": entry.size, "sha256": entry.sha256}
        else:
            session_end(event, entry)
            kind, values = "ended", {"status": entry.status}
        event.entry = dumps({"kind": kind, **values})


def _add_tensor(
    event: Any,
    entry: Image | Text,
    plugin_name: str,
    strings: list[bytes],
    *,
    shape: list[int],
) -> None:
    event.step = entry.step
    value = event.summary.value.add(tag=entry.name)
    value.metadata.plugin_data.plugin_name = plugin_name
    value.tensor.dtype = _DT_STRING
    value.tensor.tensor_shape.SetInParent()
    for size in shape:
        value.tensor.tensor_shape.dim.add(size=size)
    value.tensor.string_val.extend(strings)


def decoded(data: bytes) -> Entry | None:
    """The entry that an event holds; None for an event that is none of ours, such as the file's version.

    Raises:
        ValueError: an event of ours that is not as we write them.
    """
    event = messages().event.FromString(data)
    if event.HasField("entry"):
        return _described(event)
    values = event.summary.value
    if not values:
        return None
    plugin_name = values[0].metadata.plugin_data.plugin_name
    strings = values[0].tensor.string_val
    if plugin_name == "images":
        return Image(
            wall_time=event.wall_time,
            step=event.step,
            name=values[0].tag,
            png=strings[2],
            width=int(strings[0]),
            height=int(strings[1]),
        )
    if plugin_name == "text":
        return Text(
            wall_time=event.wall_time,
            step=event.step,
            name=values[0].tag,
            text=strings[0].decode(),
        )
    scalars = {value.tag: value.exact for value in values if value.HasField("exact")}
    return Scalars(wall_time=event.wall_time, step=event.step, values=scalars) if scalars else None


def _described(event: Any) -> Entry | None:
    fields = cast("dict[str, Any]", loads(event.entry))
    kind = fields.pop("kind", None)
    wall_time = event.wall_time
    if kind == "started":
        return Started(wall_time=wall_time, **fields)
    if kind == "params":
        return Params(wall_time=wall_time, **fields)
    if kind == "tags":
        return Tags(wall_time=wall_time, **fields)
    if kind == "artifact":
        return Artifact(wall_time=wall_time, **fields)
    if kind == "ended":
        return Ended(wall_time=wall_time, **fields)
    return None  # written by a later version of this package
