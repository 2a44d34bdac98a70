"""How far the event files of a directory were read, and what that came to: to be gone on from, and never to be wrong."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Protocol, Self

from attrs import astuple, define, frozen
from google_crc32c import extend

from treadle_tracking.errors import CorruptRecord
from treadle_tracking.places import EventFile, LogDirectory
from treadle_tracking.reading.errors import UnreadableRecord
from treadle_tracking.reading.scanning import Damage, Scan, open_log

__all__ = ["Account", "Mark", "NotAsKnown", "Reading", "Standing", "may_be_newer", "read_on"]

# Nanoseconds. A file that was changed so shortly before it was looked at may be changed again without getting a later
# time: those of file systems tick, some of them in seconds.
_TICK = 2_000_000_000
_BLOCK = 1 << 22  # bytes


class Account(Protocol):
    """What the event files of a directory come to so far."""

    is_own: ClassVar[bool]

    def read(self, scan: Scan, name: str, *, is_new: bool) -> None:
        """Take the records of one more file into account, or, where it is not new, those that were added to the last one.

        Raises:
            NotAsKnown: they change what was read before, and all must be read anew.
        """

    def as_json(self) -> dict[str, Any]:
        """As JSON can hold it, to go on from later."""

    @classmethod
    def of_json(cls, found: dict[str, Any]) -> Self:
        """What `as_json` was made of."""


class NotAsKnown(Exception):
    """What was read before is not what there is."""


@frozen
class Mark:
    """How far a file was read."""

    file: EventFile  # as it was just before
    offset: int  # bytes
    checksum: int  # the crc32c of as many bytes
    damage: Damage | None = None

    @classmethod
    def of_json(cls, found: list[Any]) -> Self:
        """What `attrs.astuple` was made of it, and JSON of that."""
        file, offset, checksum, damage = found
        name, size, modified, changed, inode = file
        return cls(
            EventFile(name=name, size=size, modified=modified, changed=changed, inode=inode),
            offset,
            checksum,
            None if damage is None else (damage[0], damage[1]),
        )


@define
class Standing:
    """How far the files of a directory were read, and what that came to.

    Args:
        looked: When they were found, in nanoseconds since the epoch.
        marks: One of each, in the order in which they are read.
        account: What they come to.
    """

    looked: int
    marks: list[Mark]
    account: Account

    def as_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        marks = [astuple(mark) for mark in self.marks]
        return {"looked": self.looked, "marks": marks, "account": self.account.as_json()}

    @classmethod
    def of_json(cls, found: dict[str, Any], account: type[Account]) -> Self:
        """What `as_json` was made of."""
        marks = [Mark.of_json(mark) for mark in found["marks"]]
        return cls(found["looked"], marks, account.of_json(found["account"]))

    def damage(self, directory: Path) -> CorruptRecord | UnreadableRecord | None:
        """What is wrong with the first record that cannot be read, if there is one."""
        for mark in self.marks:
            if mark.damage is not None:
                offset, what = mark.damage
                error = CorruptRecord if what == "checksum" else UnreadableRecord
                return error(directory / mark.file.name, offset)
        return None


@define
class Reading:
    """What came of reading the files of a directory.

    Args:
        standing: How far they are read now.
        read: Bytes that had to be read for it.
        unreadable: Files that could not be opened: what stands is without them, and not to be kept.
    """

    standing: Standing
    read: int
    unreadable: list[OSError]


def read_on(
    log: LogDirectory, looked: int, known: Standing | None, fresh: Callable[[], Account]
) -> Reading:
    """Read what is not known yet: only what was added, where what is known is still there as it was.

    Args:
        log: The directory, as it was found.
        looked: When, or a moment before, in nanoseconds since the epoch.
        known: How far it was read before. It is used up.
        fresh: An account of nothing.
    """
    if known is not None:
        try:
            return _read_on(log, looked, known)
        except NotAsKnown:
            pass
    return _read_on(log, looked, Standing(0, [], fresh()))


def _read_on(log: LogDirectory, looked: int, known: Standing) -> Reading:
    marks: list[Mark] = []
    reading = Reading(Standing(looked, marks, known.account), 0, [])
    if [mark.file.name for mark in known.marks] != [
        file.name for file in log.files[: len(known.marks)]
    ]:
        raise NotAsKnown
    for number, found in enumerate(log.files):
        mark = known.marks[number] if number < len(known.marks) else None
        if mark is not None and mark.file == found and not may_be_newer(found, known.looked):
            marks.append(mark)
            continue
        # Of a file before the last one nothing can be added, or it would be read in another order.
        is_last = number >= len(known.marks) - 1
        if mark is not None and not is_last and not mark.offset == mark.file.size == found.size:
            raise NotAsKnown
        try:
            file = open_log(log.path / found.name)
        except OSError as error:
            if mark is not None:
                raise NotAsKnown from None
            if not isinstance(error, FileNotFoundError):
                reading.unreadable.append(error)
            continue
        with file:
            reading.read += _continue(file, found, mark, known.account, marks, goes_on=is_last)
    return reading


def may_be_newer(file: EventFile, looked: int) -> bool:
    """Whether a file may have been changed after it was looked at, without its times saying so."""
    return max(file.modified, file.changed) > looked - _TICK


def _continue(
    file: BinaryIO,
    found: EventFile,
    mark: Mark | None,
    account: Account,
    marks: list[Mark],
    *,
    goes_on: bool,
) -> int:
    """Read a file on from its mark; how many bytes were read."""
    begin, checksum, damage = 0, 0, None
    if mark is not None:
        begin, checksum, damage = mark.offset, mark.checksum, mark.damage
        if not _begins_so(file, begin, checksum):
            raise NotAsKnown
    if not goes_on:
        assert mark is not None
        marks.append(Mark(found, begin, checksum, damage))
        return begin
    scan = Scan(file, begin, checksum)
    account.read(scan, found.name, is_new=mark is None)
    if damage is None or damage[0] >= begin:  # where reading ended is read again
        damage = scan.damage
    marks.append(Mark(found, scan.offset, scan.checksum, damage))
    return scan.offset


def _begins_so(file: BinaryIO, size: int, checksum: int) -> bool:
    """Whether the first bytes of a file are those that were read: crc32c of all of them takes 0.1 s a GB."""
    crc = 0
    for block in _blocks(file, size):
        if not block:
            return False
        crc = extend(crc, block)
    return bool(crc == checksum)


def _blocks(file: BinaryIO, size: int) -> Iterable[bytes]:
    while size:
        block = file.read(min(size, _BLOCK))
        yield block
        size -= len(block)
