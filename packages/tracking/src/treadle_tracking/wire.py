"""Bytes of an event file: the frame around every record, and the one event that is encoded by hand.

A record is `length (8 bytes) | masked crc32c of those 8 | data | masked crc32c of data`, little-endian, as in
TensorFlow's `tensorflow/core/lib/io/record_writer.h`. The data is one `tensorflow.Event` protobuf message.

Scalars are written once a step by the training thread and have one fixed shape, so they are encoded here: half the
time of a protobuf message object. All other events go through `treadle_tracking.protos`.
"""

from collections.abc import Iterator, Mapping
from math import copysign, inf
from struct import Struct
from typing import BinaryIO

from google_crc32c import value as crc32c

__all__ = [
    "FrameMismatch",
    "ScalarEncoder",
    "checksum",
    "framed",
    "last_checksum",
    "leading_step",
    "records",
    "varint",
]

_LENGTH = Struct("<Q")
_CHECKSUM = Struct("<I")
_HEADER_SIZE = _LENGTH.size + _CHECKSUM.size

_WALL_TIME = Struct("<cd")  # Event.wall_time, field 1
# Value.simple_value (field 2, what TensorBoard plots) and our exact double (field 1701, which it skips): a double
# tensor in its place would be invisible to TensorBoard's default backend.
_VALUE = Struct("<cf2sd")
_SIMPLE_VALUE_KEY = b"\x15"
_EXACT_KEY = b"\xa9\x6a"
_VALUE_LIMIT = 4096  # names remembered: a new name every step must not fill the memory


class FrameMismatch(ValueError):
    """A checksum in a record's frame is wrong; `args[0]` is the offset of the record in bytes."""


def checksum(data: bytes) -> int:
    """The masked crc32c of `data`, as a frame has it."""
    crc: int = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def last_checksum(record: bytes) -> int:
    """What the four last bytes of a framed record say of its data; 0 of none."""
    return (
        0 if len(record) < _CHECKSUM.size else int(_CHECKSUM.unpack(record[-_CHECKSUM.size :])[0])
    )


def framed(data: bytes) -> bytes:
    """One record: `data` between its length and its checksums."""
    length = _LENGTH.pack(len(data))
    return b"".join(
        (length, _CHECKSUM.pack(checksum(length)), data, _CHECKSUM.pack(checksum(data))),
    )


def records(file: BinaryIO, offset: int) -> Iterator[tuple[int, bytes]]:
    """Complete records of `file` from byte `offset` on, each with the offset at which the next one begins.

    A last record that is cut short ends the iteration: it may still be being written.

    Raises:
        FrameMismatch: a record is complete and does not match its checksum.
    """
    file.seek(offset)
    while True:
        header = file.read(_HEADER_SIZE)
        if len(header) < _HEADER_SIZE:
            return
        if _CHECKSUM.unpack_from(header, _LENGTH.size)[0] != checksum(header[: _LENGTH.size]):
            raise FrameMismatch(offset)
        (length,) = _LENGTH.unpack_from(header)
        body = file.read(length + _CHECKSUM.size)
        if len(body) < length + _CHECKSUM.size:
            return
        data = body[:length]
        if _CHECKSUM.unpack_from(body, length)[0] != checksum(data):
            raise FrameMismatch(offset)
        offset += _HEADER_SIZE + length + _CHECKSUM.size
        yield offset, data


def varint(number: int) -> bytes:
    """A protobuf varint of a signed 64-bit integer; a negative one takes ten bytes."""
    number &= 0xFFFFFFFFFFFFFFFF
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def leading_step(data: bytes) -> int | None:
    """The step of an event that begins with its time and its step; None where it does not begin so."""
    if data[:1] != b"\x09" or data[9:10] != b"\x10":
        return None
    number = shift = 0
    for byte in data[10:20]:
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number - (1 << 64) if number >= 1 << 63 else number
        shift += 7
    return None


class ScalarEncoder:
    """Encodes the scalars of one step as one `Event`, remembering what is the same for a name every time."""

    __slots__ = ("_heads",)

    def __init__(self) -> None:
        self._heads: dict[str, bytes] = {}

    def _head(self, name: str) -> bytes:
        if len(self._heads) >= _VALUE_LIMIT:
            self._heads.clear()
        encoded = name.encode()
        tag = b"\x0a" + varint(len(encoded)) + encoded
        head = self._heads[name] = b"\x0a" + varint(len(tag) + _VALUE.size) + tag
        return head

    def encode(self, wall_time: float, step: int, values: Mapping[str, float]) -> bytes:
        """The event's bytes, the same that protobuf would make of it.

        Args:
            wall_time: Seconds since the epoch.
            step: A signed 64-bit integer.
            values: Doubles by metric name.
        """
        heads = self._heads
        parts = []
        for name, value in values.items():
            parts.append(heads.get(name) or self._head(name))
            try:
                parts.append(_VALUE.pack(_SIMPLE_VALUE_KEY, value, _EXACT_KEY, value))
            except OverflowError:  # beyond float32, which is all that TensorBoard plots
                rounded = copysign(inf, value)
                parts.append(_VALUE.pack(_SIMPLE_VALUE_KEY, rounded, _EXACT_KEY, value))
        summary = b"".join(parts)
        return b"".join(
            (
                _WALL_TIME.pack(b"\x09", wall_time),
                b"\x10",
                varint(step),
                b"\x2a",
                varint(len(summary)),
                summary,
            ),
        )
