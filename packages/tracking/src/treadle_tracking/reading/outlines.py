"""What a large event is about, told from its bytes without making a message of them.

Field numbers are those of `treadle_tracking.protos`.
"""

import struct
from collections.abc import Iterator

from attrs import frozen

from treadle_tracking.reading.scanning import is_a_time

__all__ = ["Outline", "outline"]

_TIME = struct.Struct("<d")


@frozen
class Outline:
    """What an event is about, without what it holds."""

    wall_time: float
    step: int
    # Of each value, its tag, its plugin's name and the numbers of its fields.
    values: tuple[tuple[str, str, frozenset[int]], ...]
    fields: frozenset[int]  # the numbers of the event's


def outline(data: bytes) -> Outline | None:
    """The outline of an event, so that a large one need not be read; None of what is none.

    Fields are found by their keys, and everything between is passed over.
    """
    wall_time, step = 0.0, 0
    values = []
    numbers = set()
    try:
        for number, kind, begin, end in _fields(data, 0, len(data)):
            numbers.add(number)
            if number == 1 and kind == 1:
                (wall_time,) = _TIME.unpack_from(data, begin)
            elif number == 2 and kind == 0:
                step, _ = _varint(data, begin)
                step = step - (1 << 64) if step >> 63 else step
            elif number == 5 and kind == 2:
                values += [
                    _outlined(data, inner, last)
                    for value, its, inner, last in _fields(data, begin, end)
                    if (value, its) == (1, 2)
                ]
    except (IndexError, struct.error, ValueError):
        return None
    if not is_a_time(wall_time):
        return None
    return Outline(wall_time, step, tuple(values), frozenset(numbers))


def _outlined(data: bytes, begin: int, end: int) -> tuple[str, str, frozenset[int]]:
    tag = plugin_name = ""
    numbers = set()
    for number, kind, inner, last in _fields(data, begin, end):
        numbers.add(number)
        if (number, kind) == (1, 2):
            tag = data[inner:last].decode()
        elif (number, kind) == (9, 2):
            plugin_name = data[slice(*_inside(data, *_inside(data, inner, last)))].decode()
    return tag, plugin_name, frozenset(numbers)


def _inside(data: bytes, begin: int, end: int) -> tuple[int, int]:
    """Where field 1 is, in which a summary's metadata have the plugin, and that its name; nowhere is at 0."""
    for number, kind, inner, last in _fields(data, begin, end):
        if (number, kind) == (1, 2):
            return inner, last
    return 0, 0


_WIDTHS = {1: 8, 5: 4}  # bytes of a field of fixed size, by its kind


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of a message: number, kind, and where what it holds begins and ends. Raises `ValueError` of what is none."""
    while at < end:
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 2:
            length, at = _varint(data, at)
            last = at + length
        elif kind == 0:
            _, last = _varint(data, at)
        elif kind in _WIDTHS:
            last = at + _WIDTHS[kind]
        else:
            raise ValueError(kind)
        if last > end:
            raise ValueError(last)
        yield key >> 3, kind, at, last
        at = last


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift > 63:
            raise ValueError(at)
