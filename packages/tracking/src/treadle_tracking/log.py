"""A run's log: its entries in the event files of its directory, one file an attempt, appended to and never changed."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from attrs import frozen

from treadle_tracking.encoding import EntryEncoder, decoded
from treadle_tracking.entries import Entry
from treadle_tracking.errors import CorruptRecord
from treadle_tracking.wire import FrameMismatch, records

__all__ = [
    "START",
    "LogClosed",
    "LogWriter",
    "Position",
    "attempt_path",
    "attempt_paths",
    "read_entries",
]


@frozen
class Position:
    """A place between two entries of a run's log."""

    file: str  # the name of an event file in the run directory; "" is before the first
    offset: int  # bytes from its start


START = Position("", 0)


def attempt_path(directory: Path, attempt: int = 0) -> Path:
    """The event file of one attempt. TensorBoard wants `tfevents` in the name and reads files in the names' order."""
    return directory / f"events.out.tfevents.{attempt:06}.treadle"


def attempt_paths(directory: Path) -> list[Path]:
    """The event files of a run in the order in which they were written. Other writers' event files are none of it."""
    return sorted(directory.glob("events.out.tfevents.*.treadle"))


class LogClosed(Exception):
    """Something was appended to a log after its last entry."""


class LogWriter:
    """Appends entries to the event file of a new attempt. One process writes a run; its threads may share a writer.

    Raises:
        FileExistsError: the file is there already: another attempt wrote it.
        OSError: it cannot be made.
    """

    __slots__ = ("_descriptor", "_encoder", "_lock")

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        self._encoder = EntryEncoder()
        self._lock = Lock()

    def append(self, entry: Entry) -> None:
        """Write one entry with one `os.write`: it survives the process from then on (not a power cut).

        Raises:
            OSError: it could not be written, and nothing of it is in the file.
            LogClosed: the file is closed.
        """
        record = self._encoder.record(entry)
        with self._lock:
            self._write(record)

    def _write(self, record: bytes) -> None:
        if self._descriptor < 0:
            raise LogClosed
        written = os.write(self._descriptor, record)
        if written != len(record):
            # A full disk takes a part. Left there, it would hide every later record from every reader.
            end = os.fstat(self._descriptor).st_size
            os.ftruncate(self._descriptor, end - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self, last: Entry | None = None) -> None:
        """Write one last entry, which no thread can append to, and close the file. A second call does nothing.

        Raises:
            OSError: the entry could not be written; the file is closed.
        """
        with self._lock:
            if self._descriptor < 0:
                return
            try:
                if last is not None:
                    self._write(self._encoder.record(last))
            finally:
                os.close(self._descriptor)
                self._descriptor = -1


def read_entries(directory: Path, position: Position = START) -> Iterator[tuple[Entry, Position]]:
    """Complete entries of a run's log after `position`, one at a time, each with the position after it.

    A last record that is cut short is left for a later call, since it may still be being written; once a later
    attempt has a file, it is passed over. A log that does not exist yet has no entries.

    Raises:
        CorruptRecord: the next record is damaged.
    """
    for path in attempt_paths(directory):
        if path.name < position.file:
            continue
        begin = position.offset if path.name == position.file else 0
        with path.open("rb") as file:
            try:
                for offset, data in records(file, begin):
                    entry = decoded(data)
                    if entry is not None:
                        yield entry, Position(path.name, offset)
            except FrameMismatch as mismatch:
                raise CorruptRecord(path, mismatch.args[0]) from None
