"""A run's log: its entries in the event files of its directory, one file an attempt, appended to and never changed."""

import errno
import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock

from attrs import frozen

from treadle_tracking.encoding import EntryEncoder, decoded
from treadle_tracking.entries import Entry
from treadle_tracking.errors import CorruptRecord
from treadle_tracking.wire import FrameMismatch, checksum, last_checksum, records

__all__ = [
    "START",
    "LogClosed",
    "LogWriter",
    "Position",
    "attempt_path",
    "attempt_paths",
    "is_in",
    "last_entry",
    "read_entries",
    "read_records",
]

# Bytes of entries that wait for room on the disk: hours of numbers, or a dozen images.
_WAITING_BYTES = 16_000_000
_TAIL = 4


@frozen
class Position:
    """A place between two entries of a run's log."""

    file: str  # the name of an event file in the run directory; "" is before the first
    offset: int  # bytes from its start
    # Of the record before it, by which a place is known to be the same after the file was cut; 0 is not known.
    checksum: int = 0


START = Position("", 0)


def attempt_path(directory: Path, attempt: int = 0) -> Path:
    """The event file of one attempt. TensorBoard wants `tfevents` in the name and reads files in the names' order."""
    return directory / f"events.out.tfevents.{attempt:06}.treadle"


def attempt_paths(directory: Path) -> list[Path]:
    """The event files of a run in the order in which they were written. Other writers' event files are none of it."""
    # A run may be named like that, and then it is a directory; and reading a pipe would wait for ever.
    found = directory.glob("events.out.tfevents.*.treadle")
    return sorted(path for path in found if path.is_file())


class LogClosed(Exception):
    """Something was appended to a log after its last entry."""


class LogWriter:
    """Appends entries to the event file of an attempt. One process writes a run; its threads may share a writer.

    What cannot be written waits in memory, and goes before what is appended later; what there is no memory for either
    is lost, and counted.

    Args:
        path: The file: a new one, or, with `again`, one that ends with a whole record.
        again: Whether the file is there already.
        session_shown: As for `EntryEncoder`.
        strict: Whether what cannot be written is an error instead.

    Raises:
        FileExistsError: the file is there already: another attempt wrote it.
        OSError: it cannot be opened.
    """

    __slots__ = (
        "_descriptor",
        "_encoder",
        "_lock",
        "_path",
        "_strict",
        "_torn",
        "_unreachable",
        "_waiting",
        "_waiting_bytes",
        "gone",
        "lacks_end",
        "lost",
        "trouble",
    )

    def __init__(
        self, path: Path, *, again: bool = False, session_shown: bool = False, strict: bool = False
    ) -> None:
        made = 0 if again else os.O_CREAT | os.O_EXCL
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | made, 0o666)
        self._path = path
        self._encoder = EntryEncoder(session_shown=session_shown)
        self._lock = Lock()
        self._strict = strict
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._torn: int | None = None  # bytes of the file up to a part of a record
        self.trouble: OSError | None = None  # why entries wait
        self.lost = 0  # entries
        self.lacks_end = False  # whether the last entry, which `close` was given, is one of them
        self.gone: OSError | None = None  # why no reader finds the file, as of the last look
        self._unreachable = 0  # entries written since, which are lost unless the file comes back

    @property
    def waiting(self) -> int:
        """How many entries wait to be written."""
        return len(self._waiting)

    def append(self, entry: Entry) -> None:
        """Write one entry with one `os.write`: it survives the process from then on (not a power cut).

        Raises:
            LogClosed: the file is closed.
            OSError: only if `strict`: it could not be written, and nothing of it is in the file.
        """
        record = self._encoder.record(entry)
        with self._lock:
            if self._descriptor < 0:
                raise LogClosed
            self._write(record)

    def retry(self) -> None:
        """Write what waits, as far as that goes."""
        with self._lock:
            if self._descriptor >= 0:
                self._release()

    def position(self) -> Position:
        """The place behind everything that is in the file, of what waits as much as there is room for."""
        with self._lock:
            if self._descriptor < 0:
                raise LogClosed
            self._release()
            size = os.fstat(self._descriptor).st_size
            end = size if self._torn is None else self._torn
        # From the file, and not remembered: an interrupt may come between a write and any note of it.
        with suppress(OSError):
            return Position(self._path.name, end, last_checksum(_tail(self._path, end)))
        return Position(self._path.name, end)

    def look(self) -> OSError | None:
        """Why no reader finds the file any more, as where its directory was deleted or moved; None where it is in place."""
        with self._lock:
            if self._descriptor >= 0:
                self.gone = self._absence()
                if self.gone is None:
                    self._unreachable = 0
            return self.gone

    def _absence(self) -> OSError | None:
        try:
            if os.path.samestat(os.fstat(self._descriptor), self._path.stat()):
                return None
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:  # a file server that does not answer has not lost the file
            return self.gone
        return FileNotFoundError(errno.ENOENT, "it was deleted or moved while the run goes on")

    def sync(self) -> None:
        """Have the operating system write the file to its device, as far as it can."""
        with self._lock:
            if self._descriptor < 0:
                return
            # Of its own, so that no thread that logs meanwhile waits for the device.
            descriptor = os.dup(self._descriptor)
        try:
            with suppress(OSError):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self, last: Entry | None = None) -> None:
        """Write one last entry, which no thread can append to, and close the file. A second call does nothing.

        Of what waits still, what is too large for the room there is is lost.

        Raises:
            OSError: only if `strict`: the entry could not be written. The file is closed.
        """
        with self._lock:
            if self._descriptor < 0:
                return
            lost, is_last_lost = self.lost, False
            try:
                if last is not None:
                    self._write(self._encoder.record(last))
                    is_last_lost = self.lost > lost
            finally:
                while self._waiting:
                    is_written = self._is_written(self._waiting.popleft())
                    self.lost += not is_written
                    is_last_lost |= not (is_written or self._waiting)
                self.lost += self._unreachable
                self.lacks_end = last is not None and is_last_lost
                os.close(self._descriptor)
                self._descriptor = -1

    def _write(self, record: bytes) -> None:
        if self._strict and self.gone is not None:
            raise self.gone
        if self._waiting:
            self._release()
        if not self._waiting and self._is_written(record):
            return
        if self._strict:
            assert self.trouble is not None
            raise self.trouble
        if self._waiting_bytes + len(record) > _WAITING_BYTES:
            self.lost += 1
            return
        self._waiting.append(record)
        self._waiting_bytes += len(record)

    def _release(self) -> None:
        while self._waiting and self._is_written(self._waiting[0]):
            self._waiting_bytes -= len(self._waiting.popleft())

    def _is_written(self, record: bytes) -> bool:
        try:
            if self._torn is not None:
                os.ftruncate(self._descriptor, self._torn)
                self._torn = None
            written = os.write(self._descriptor, record)
            if written != len(record):
                # A full disk takes a part. Left there, it would hide every later record from every reader.
                self._torn = os.fstat(self._descriptor).st_size - written
                os.ftruncate(self._descriptor, self._torn)
                self._torn = None
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301
        except OSError as error:
            self.trouble = error
            return False
        self.trouble = None
        if self.gone is not None:
            self._unreachable += 1
        return True


def read_entries(directory: Path, position: Position = START) -> Iterator[tuple[Entry, Position]]:
    """Complete entries of a run's log after `position`, one at a time, each with the position after it.

    A last record that is cut short is left for a later call, since it may still be being written; once a later
    attempt has a file, it is passed over. A log that does not exist yet has no entries. Of a file that was cut since
    `position` was true of it, all entries are given.

    Raises:
        CorruptRecord: the next record is damaged.
    """
    for path, offset, data in read_records(directory, position):
        entry = decoded(data)
        if entry is not None:
            yield entry, Position(path.name, offset, checksum(data))


def read_records(directory: Path, position: Position = START) -> Iterator[tuple[Path, int, bytes]]:
    """Records of the log as `read_entries` has entries, each with its file, and where the next one begins."""
    for path in attempt_paths(directory):
        if path.name < position.file:
            continue
        begin = position.offset if path.name == position.file and is_in(path, position) else 0
        try:
            file = path.open("rb")
        except FileNotFoundError:  # cut out meanwhile, all of it
            continue
        with file:
            try:
                for offset, data in records(file, begin):
                    yield path, offset, data
            except FrameMismatch as mismatch:
                raise CorruptRecord(path, mismatch.args[0]) from None


def is_in(path: Path, position: Position) -> bool:
    """Whether this file is still the one, up to `position`, of which that was said."""
    if position.checksum == 0:
        return True
    try:
        return last_checksum(_tail(path, position.offset)) == position.checksum
    except FileNotFoundError:
        return False


def _tail(path: Path, end: int) -> bytes:
    """The four bytes before byte `end` of a file; none where it is shorter."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if not _TAIL <= end <= size:
            return b""
        file.seek(end - _TAIL)
        return file.read(_TAIL)


def last_entry(directory: Path, position: Position = START) -> Entry | None:
    """The last complete entry of a run's log after `position`; None for none. Raises as `read_entries`."""
    # Each is read and checked, and only the last decoded, unless it is none of ours.
    last = deque(read_records(directory, position), maxlen=1)
    if not last or (entry := decoded(last[0][2])) is not None:
        return entry if last else None
    entries = deque(read_entries(directory, position), maxlen=1)
    return entries[0][0] if entries else None
