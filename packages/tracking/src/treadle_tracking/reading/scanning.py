"""Event files read fast: every checksum looked at, and numbers taken from the bytes as they are."""

import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from struct import Struct
from typing import BinaryIO, Literal, TypeAlias

from treadle_tracking.wire import Records

__all__ = [
    "Damage",
    "ParsedScalars",
    "ScalarParser",
    "Scan",
    "is_a_time",
    "open_log",
    "scalar_parser",
]

# From the year 1 to 9999, which is as far as Python's dates go: a time beyond is none.
_FIRST_TIME, _LAST_TIME = -62_135_596_800.0, 253_402_300_800.0

_BEGIN = Struct("<BdBB")  # Event.wall_time, and what follows: the key of a step, and its first byte
_FLOAT = Struct("<f")
_FLOAT_VALUE = Struct("<cf")  # Value.simple_value alone
_EXACT_VALUE = Struct("<cf2sd")  # and our exact double behind it
_SIMPLE_VALUE_KEY = b"\x15"
_EXACT_KEY = b"\xa9\x6a"
_NAME_LIMIT = 4096  # names remembered

Damage: TypeAlias = tuple[int, Literal["checksum", "content"]]
"""Where a record begins that cannot be read, in bytes from the file's start, and what is wrong with it."""

ParsedScalars: TypeAlias = tuple[float, int, list[tuple[str, float]]]
"""Wall time in seconds since the epoch, step, and values by name."""

ScalarParser: TypeAlias = Callable[[bytes], ParsedScalars | None]


def open_log(path: Path) -> BinaryIO:
    """An event file, to be read.

    Raises:
        OSError: it cannot be read, or is no file: whoever opens a pipe waits for somebody to write to it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(None, "it is no file", str(path))
    return open(descriptor, "rb")  # noqa: PTH123 (it is open already)


class Scan(Records):
    """The records of an event file that can be read: a damaged one is passed over, and the first of them noted."""

    __slots__ = ("damage",)

    def __init__(self, file: BinaryIO, offset: int = 0, checksum: int = 0) -> None:
        super().__init__(file, offset, checksum)
        self.damage: Damage | None = None

    def mismatch(self, offset: int) -> None:
        """As for `Records`."""
        if self.damage is None:
            self.damage = (offset, "checksum")

    def not_understood(self, end: int, data: bytes) -> None:
        """Note a record that is whole, and not as an event is."""
        if self.damage is None:
            self.damage = (end - len(data) - 16, "content")


def is_a_time(wall_time: float) -> bool:
    """Whether this can be when something was recorded, in seconds since the epoch."""
    return _FIRST_TIME <= wall_time < _LAST_TIME


def scalar_parser(*, exact: bool) -> ScalarParser:
    """A function that takes the numbers from an event that holds nothing else; None of any other.

    That is a time, a step, and one value after the other, each a tag and a number: as TensorBoard's and torch's writers
    have them, or, if `exact`, as `wire.ScalarEncoder` has them. It takes a third of the time of a protobuf message.
    """
    tail = _EXACT_VALUE if exact else _FLOAT_VALUE
    unpack, size_of_tail = tail.unpack_from, tail.size
    begin_in = _BEGIN.unpack_from
    float_in = _FLOAT.unpack_from
    names: dict[bytes, str] = {}  # by what is before the number
    singles: dict[bytes, str] = {}  # by what is between the step and the only number, a float

    def name_of(head: bytes) -> str | None:
        # 0a, length of the value, 0a, length of the tag, tag
        if head[2] != 0x0A or head[3] >= 0x80 or len(head) != 4 + head[3]:
            return None
        name = head[4:].decode()
        if len(names) >= _NAME_LIMIT:
            names.clear()
        if name:
            names[head] = name
        return name or None

    def parse(data: bytes) -> ParsedScalars | None:
        try:
            key, wall_time, at, byte = begin_in(data)
            if key != 0x09 or not _FIRST_TIME <= wall_time < _LAST_TIME:
                return None
            if at == 0x10:
                at = 11
                step = byte
                if byte >= 0x80:
                    step &= 0x7F
                    shift = 7
                    while byte >= 0x80:
                        byte = data[at]
                        at += 1
                        step |= (byte & 0x7F) << shift
                        shift += 7
                    if step >> 63:
                        if step >> 64:
                            return None
                        step -= 1 << 64
            else:
                at = 9
                step = 0
            rest = data[at:-4]
            single = singles.get(rest)
            if single is not None:
                (value,) = float_in(data, len(data) - 4)
                return wall_time, step, [(single, value)]
            if data[at] != 0x2A:
                return None
            at += 1
            byte = data[at]
            length = byte & 0x7F
            shift = 7
            while byte >= 0x80:
                at += 1
                byte = data[at]
                length |= (byte & 0x7F) << shift
                shift += 7
            at += 1
            end_of_all = at + length
            if end_of_all != len(data):
                return None
            values = []
            while at < end_of_all:
                length = data[at + 1]
                if data[at] != 0x0A or length >= 0x80:
                    return None
                end = at + 2 + length
                head = data[at : end - size_of_tail]
                name = names.get(head) or name_of(head)
                if name is None:
                    return None
                if exact:
                    key, _, exact_key, value = unpack(data, end - size_of_tail)
                    if exact_key != _EXACT_KEY:
                        return None
                else:
                    key, value = unpack(data, end - size_of_tail)
                if key != _SIMPLE_VALUE_KEY:
                    return None
                values.append((name, value))
                at = end
        except (IndexError, struct.error, UnicodeDecodeError):
            return None
        if at != end_of_all or not values:
            return None
        if len(values) == 1 and not exact:
            if len(singles) >= _NAME_LIMIT:
                singles.clear()
            singles[rest] = values[0][0]
        return wall_time, step, values

    return parse
