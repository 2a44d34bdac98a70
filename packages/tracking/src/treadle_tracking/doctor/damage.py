"""Bytes of an event file that are no records: found, set aside, and passed over by every reader from then on."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path

from attrs import evolve, frozen

from treadle_tracking.attempts import ABANDONED
from treadle_tracking.encoding import decoded
from treadle_tracking.mirrors.remainder import rewound
from treadle_tracking.mirrors.state import load_every, save_sent
from treadle_tracking.wire import FrameMismatch, framed, records, varint

__all__ = ["Damage", "cut_off", "damages", "set_aside"]

_FRAME = 16  # bytes of a record beside its data: `treadle_tracking.wire`
# The 8 bytes of a length below 4 GB that is not zero; also where two of them overlap.
_LENGTH = re.compile(rb"(?=(?!\0{4})[\s\S]{4}\0{4})")
# Field 15 of an event, bytes: TensorBoard has none of this number, and skips it.
_FILLER_KEY = b"\x7a"


@frozen(kw_only=True)
class Damage:
    """A part of an event file in which no record can be read."""

    path: Path
    begin: int  # bytes from the file's start
    end: int
    is_torn: bool  # whether it is a record whose writing was cut short, and nothing else
    is_last: bool  # whether nothing that can be read follows
    before: int  # entries in front of it
    behind: int  # entries between it and the next damage

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.begin


def _next_record(path: Path, begin: int) -> int | None:
    """Where the next record begins, behind a damage that begins at `begin`; None for none."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        for match in _LENGTH.finditer(content, begin + 1):
            offset = match.start()
            # What is set aside is replaced by one record of its size, and of 17 bytes there is none.
            if offset - begin < _FRAME or offset - begin == _FRAME + 1:
                continue
            with suppress(FrameMismatch):
                if next(records(file, offset), None) is not None:
                    return offset
    return None


def _stretches(path: Path) -> Iterator[tuple[int, int, int, bool]]:
    """Entries that can be read, one after the other; where they end, where the next ones begin, and if that is torn."""
    size = path.stat().st_size
    offset = 0
    with path.open("rb") as file:
        while True:
            entries, is_torn = 0, True
            try:
                for end, data in records(file, offset):
                    offset = end
                    entries += decoded(data) is not None
            except FrameMismatch:
                is_torn = False
            found = None if is_torn else _next_record(path, offset)
            yield entries, offset, size if found is None else found, is_torn
            if found is None:
                return
            offset = found


def damages(path: Path) -> list[Damage]:
    """The damages of an event file, in order. Raises `OSError`."""
    stretches = list(_stretches(path))
    found, before = [], 0
    for index, (entries, begin, end, is_torn) in enumerate(stretches):
        before += entries
        is_last = index == len(stretches) - 1
        if end > begin:
            damage = Damage(
                path=path,
                begin=begin,
                end=end,
                is_torn=is_torn,
                is_last=is_last,
                before=before,
                behind=0 if is_last else stretches[index + 1][0],
            )
            found.append(damage)
    return found


def cut_off(damage: Damage) -> None:
    """Cut off what was written in part: the call that wrote it had not returned. Raises `OSError`."""
    os.truncate(damage.path, damage.begin)


def set_aside(damage: Damage) -> Path:
    """Copy a damage to `abandoned/`, then put in its place what readers pass over, or cut it off at the file's end.

    Everything else in the file stays where it is: checkpoints and mirrors know entries by their place.

    Returns:
        The copy.

    Raises:
        OSError: it cannot be written; whatever has been, the same can be done again.
    """
    directory = damage.path.parent
    kept = directory / ABANDONED / f"{damage.path.name.split('.')[3]}-{damage.begin}.damaged"
    with suppress(FileExistsError):
        kept.parent.mkdir()
    with damage.path.open("rb+") as file:
        file.seek(damage.begin)
        with kept.open("wb") as copy:
            copy.write(file.read(damage.size))
            copy.flush()
            os.fsync(copy.fileno())
        if damage.is_last:
            file.truncate(damage.begin)
        else:
            file.seek(damage.begin)
            file.write(framed(_filler(damage.size - _FRAME)))
        file.flush()
        os.fsync(file.fileno())
    if damage.is_last:
        # What comes next is written where a mirror may have read already.
        for sent in load_every(directory):
            position = rewound(sent.position, {damage.path.name: damage.begin})
            if position != sent.position:
                save_sent(directory, evolve(sent, position=position))
    return kept


def _filler(size: int) -> bytes:
    """An event of so many bytes, none or at least two, in which nobody finds anything."""
    if size == 0:
        return b""
    for width in range(1, 10):
        length = size - 1 - width
        digits = varint(length)
        if len(digits) <= width:
            # A varint may be longer than it need be: its last byte alone has no high bit.
            high = bytes(byte | 0x80 for byte in digits.ljust(width, b"\0")[:-1])
            return _FILLER_KEY + high + digits.ljust(width, b"\0")[-1:] + bytes(length)
    raise AssertionError
