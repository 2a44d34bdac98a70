"""Bytes of an event file: the frame around every record, and the one event that is encoded by hand.

A record is `length (8 bytes) | masked crc32c of those 8 | data | masked crc32c of data`, little-endian, as in
TensorFlow's `tensorflow/core/lib/io/record_writer.h`. The data is one `tensorflow.Event` protobuf message.

Scalars are written once a step by the training thread and have one fixed shape, so they are encoded here: half the
time of a protobuf message object. All other events go through `treadle_tracking.protos`.
"""

import os
from collections.abc import Iterator, Mapping
from math import copysign, inf
from struct import Struct
from typing import BinaryIO

from google_crc32c import extend
from google_crc32c import value as crc32c

__all__ = [
    "FrameMismatch",
    "Records",
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
_HEADER = Struct("<QI")
_HEADER_SIZE = _HEADER.size
_FIRST_BLOCK = 1 << 16  # bytes read at once: who wants the first record alone gets it soon,
_LARGEST_BLOCK = 1 << 22  # and who wants them all, in few pieces
_HEADER_LIMIT = 4096  # headers remembered

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


class Records:
    """Complete records of `file` from byte `offset` on, each with the offset at which the next one begins; to be iterated once.

    The file is read in blocks, so that of a large one no more is in memory than a block or its largest record. A last
    record that is cut short ends the iteration: it may still be being written, or claim a length that no file has.

    Args:
        file: Where the records are. It may grow and shrink meanwhile.
        offset: Where the first of them begins.
        checksum: The crc32c of everything before.

    Attributes:
        offset: Once it is iterated, where the next record begins.
        checksum: Then, the crc32c of everything before that.
    """

    __slots__ = ("_file", "checksum", "offset")

    def __init__(self, file: BinaryIO, offset: int, checksum: int = 0) -> None:
        self._file = file
        self.offset = offset
        self.checksum = checksum

    def mismatch(self, offset: int) -> None:
        """Called for a record that does not match its checksum; where this returns, the record is passed over.

        The iteration ends there if it is the length that does not match, since nobody knows where the next one begins.
        """
        raise FrameMismatch(offset)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        file, base = self._file, self.offset  # the file's offset of the buffer's first byte
        file.seek(base)
        buffer, size, at = b"", 0, 0
        block = _FIRST_BLOCK
        lengths: dict[bytes, int] = {}  # by header: that of most records is one of a few
        # As locals: this loop is most of what reading numbers costs.
        length_of, crc_of, checksum_at = lengths.get, crc32c, _CHECKSUM.unpack_from
        header_size, checksum_size = _HEADER_SIZE, _CHECKSUM.size
        while True:
            rest = begin = at + header_size
            length = length_of(buffer[at:begin])
            if length is None and begin <= size:
                length = _length(buffer[at:begin])
                if length is None:
                    self._passed(buffer, at, base)
                    self.mismatch(base + at)
                    return
                if len(lengths) >= _HEADER_LIMIT:
                    lengths.clear()
                lengths[buffer[at:begin]] = length
            if length is not None:
                end = begin + length
                rest = end + checksum_size
            if rest > size:
                self._passed(buffer, at, base)
                buffer, base, at, rest = buffer[at:], base + at, 0, rest - at
                more = _read(file, rest - len(buffer), block)
                if not more:
                    return
                block = min(2 * block, _LARGEST_BLOCK)
                buffer += more
                size = len(buffer)
                continue
            data = buffer[begin:end]
            crc: int = crc_of(data)
            (said,) = checksum_at(buffer, end)
            begin, at = at, rest
            # As `checksum` has it, without the call.
            if said == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF:
                yield base + at, data
            else:
                self.mismatch(base + begin)

    def _passed(self, buffer: bytes, at: int, base: int) -> None:
        """Take into account that the buffer was read up to byte `at` of it."""
        self.checksum = extend(self.checksum, buffer[:at])
        self.offset = base + at


def _length(header: bytes) -> int | None:
    """The length that a record's header says; None where it does not match its checksum."""
    length, said = _HEADER.unpack(header)
    return int(length) if said == checksum(header[: _LENGTH.size]) else None


def _read(file: BinaryIO, wanted: int, block: int) -> bytes:
    """At least so many bytes, and about `block`; nothing where there are fewer, since a length may be any number."""
    if wanted > block:
        here = file.tell()
        there = file.seek(0, os.SEEK_END)
        file.seek(here)
        if there - here < wanted:
            return b""
    more = file.read(max(wanted, block))
    return more if len(more) >= wanted else b""


def records(file: BinaryIO, offset: int) -> Iterator[tuple[int, bytes]]:
    """Complete records of `file` from byte `offset` on, as `Records` has them.

    Raises:
        FrameMismatch: a record is complete and does not match its checksum.
    """
    return iter(Records(file, offset))


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
