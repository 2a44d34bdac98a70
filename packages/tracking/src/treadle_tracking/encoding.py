"""Entries as TensorBoard events, and back.

An entry is written as what TensorBoard shows of it: scalars as scalars, an image as an image, parameters as an HParams
session. What TensorBoard has no place for, and the exact types of what it has, are JSON in a field of ours
(`Event.entry`) in the same event, so that one record is one entry and is there as a whole or not at all.
"""

from struct import iter_unpack, pack
from typing import Any, cast

from attrs import asdict

from treadle_tracking.entries import (
    Artifact,
    Committed,
    Ended,
    Entry,
    Function,
    Histogram,
    Image,
    Params,
    Rewound,
    Scalars,
    Started,
    Table,
    Tags,
    Text,
)
from treadle_tracking.exact_json import dumps, loads
from treadle_tracking.hparams import session_end, session_start
from treadle_tracking.protos import messages
from treadle_tracking.wire import ScalarEncoder, framed

__all__ = ["EntryEncoder", "decoded", "decoded_strictly"]

_DT_DOUBLE = 2
_DT_STRING = 7
_SESSION_LOG_START = 1

_KINDS: dict[str, type[Entry]] = {
    "started": Started,
    "rewound": Rewound,
    "params": Params,
    "tags": Tags,
    "artifact": Artifact,
    "table": Table,
    "function": Function,
    "committed": Committed,
    "ended": Ended,
}
_KIND_OF = {type_: kind for kind, type_ in _KINDS.items()}
_SHOWN = {"wall_time", "preview", "source"}  # in the event itself


class EntryEncoder:
    """Encodes the entries of one attempt, in the order in which they are appended.

    Args:
        session_shown: Whether an earlier attempt has written an HParams session, of which TensorBoard keeps the first.
    """

    __slots__ = ("_last_shown", "_scalars", "_session_shown", "_started")

    def __init__(self, *, session_shown: bool = False) -> None:
        self._scalars = ScalarEncoder()
        self._started: Started | None = None
        self._session_shown = session_shown
        # The greatest step of images and the like, which may come before the first numbers of an attempt.
        self._last_shown: int | None = None

    def record(self, entry: Entry) -> bytes:
        """The framed record of `entry`; that of a `Started` begins with the file's version."""
        if isinstance(entry, Scalars):
            return framed(self._scalars.encode(entry.wall_time, entry.step, entry.values))
        event = messages().event(wall_time=entry.wall_time)
        if isinstance(entry, Image | Text | Histogram | Table):
            step = entry.step or 0
            self._last_shown = step if self._last_shown is None else max(self._last_shown, step)
        if isinstance(entry, Image):
            size = (str(entry.width).encode(), str(entry.height).encode())
            _add_strings(event, entry, "images", [*size, entry.png], shape=[3])
        elif isinstance(entry, Text):
            _add_text(event, entry, entry.name, entry.text)
        elif isinstance(entry, Histogram):
            _add_histogram(event, entry)
        else:
            self._describe(event, entry)
        record = framed(event.SerializeToString())
        if isinstance(entry, Started):
            # TensorBoard takes this version for a file whose restarts are marked.
            version = messages().event(wall_time=entry.wall_time, file_version="brain.Event:2")
            return framed(version.SerializeToString()) + record
        return record

    def _describe(
        self,
        event: Any,
        entry: Started | Rewound | Params | Tags | Artifact | Table | Function | Committed | Ended,
    ) -> None:
        match entry:
            case Started():
                self._started = entry
                if entry.attempt == 0:
                    # TensorBoard takes a first start for the beginning, and only after one a later start for a
                    # restart, at which it drops what was logged before from that step on.
                    event.session_log.status = _SESSION_LOG_START
            case Rewound():
                event.step = entry.step
                # Only a TensorBoard that follows the files needs to be told, and from this step on it would drop what
                # this attempt has shown, too.
                if self._last_shown is None or self._last_shown < entry.step:
                    event.session_log.status = _SESSION_LOG_START
            case Params():
                if not self._session_shown:
                    session_start(event, entry, self._started)
                    self._session_shown = True
            case Table():
                _add_text(event, entry, entry.name, entry.preview)
            case Function():
                _add_text(event, entry, f"functions/{entry.name}", entry.source)
            case Ended():
                if self._session_shown:
                    session_end(event, entry)
            case _:
                pass  # TensorBoard has no place for it
        fields = asdict(entry, recurse=False, filter=lambda field, _: field.name not in _SHOWN)
        event.entry = dumps({"kind": _KIND_OF[type(entry)], **fields})


def _add_value(event: Any, entry: Any, name: str, plugin_name: str) -> Any:
    event.step = getattr(entry, "step", None) or 0
    value = event.summary.value.add(tag=name)
    value.metadata.plugin_data.plugin_name = plugin_name
    value.tensor.tensor_shape.SetInParent()
    return value


def _add_strings(
    event: Any, entry: Any, plugin_name: str, strings: list[bytes], *, shape: list[int]
) -> None:
    value = _add_value(event, entry, entry.name, plugin_name)
    value.tensor.dtype = _DT_STRING
    for size in shape:
        value.tensor.tensor_shape.dim.add(size=size)
    value.tensor.string_val.extend(strings)


def _add_text(event: Any, entry: Any, name: str, text: str) -> None:
    value = _add_value(event, entry, name, "text")
    value.tensor.dtype = _DT_STRING
    value.tensor.string_val.append(text.encode())


def _add_histogram(event: Any, entry: Histogram) -> None:
    value = _add_value(event, entry, entry.name, "histograms")
    value.tensor.dtype = _DT_DOUBLE
    for size in (len(entry.buckets), 3):
        value.tensor.tensor_shape.dim.add(size=size)
    numbers = [number for bucket in entry.buckets for number in bucket]
    value.tensor.tensor_content = pack(f"<{len(numbers)}d", *numbers)


def decoded(data: bytes) -> Entry | None:
    """The entry that an event holds; None for an event that is none of ours, such as the file's version.

    So are bytes that are no event at all, though their checksum is right: somebody else has written them.
    """
    try:
        return decoded_strictly(data)
    except Exception:  # noqa: BLE001  # whatever others' bytes make of it
        return None


def decoded_strictly(data: bytes) -> Entry | None:
    """The same. Raises whatever bytes make of it that are no event, or one of ours that is not as we write them."""
    event = messages().event.FromString(data)
    if event.HasField("entry"):
        return _described(event)
    values = event.summary.value
    if not values:
        return None
    plugin_name = values[0].metadata.plugin_data.plugin_name
    tensor = values[0].tensor
    strings = tensor.string_val
    where: dict[str, Any] = {
        "wall_time": event.wall_time,
        "step": event.step,
        "name": values[0].tag,
    }
    if plugin_name == "images":
        return Image(**where, png=strings[2], width=int(strings[0]), height=int(strings[1]))
    if plugin_name == "text":
        return Text(**where, text=strings[0].decode())
    if plugin_name == "histograms":
        return Histogram(**where, buckets=tuple(iter_unpack("<3d", tensor.tensor_content)))
    scalars = {value.tag: value.exact for value in values if value.HasField("exact")}
    return Scalars(wall_time=event.wall_time, step=event.step, values=scalars) if scalars else None


def _described(event: Any) -> Entry | None:
    fields = cast("dict[str, Any]", loads(event.entry))
    type_ = _KINDS.get(fields.pop("kind", None))
    if type_ is None:
        return None  # written by a later version of this package
    values = event.summary.value
    if type_ in {Table, Function}:
        text = values[0].tensor.string_val[0].decode()
        fields["preview" if type_ is Table else "source"] = text
    return type_(wall_time=event.wall_time, **fields)
