"""Which process writes a run, and whether it is still alive: one process at a time, known by a file that it touches."""

import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from attrs import asdict, frozen

from treadle_tracking.atomic import write_file
from treadle_tracking.errors import RunInUse
from treadle_tracking.mirrors.locking import locked

__all__ = ["BEAT_SECONDS", "Ownership", "Writer", "is_alive", "last_beat", "writer_of"]

BEAT_SECONDS = 30.0
# Seconds of silence after which a process on another machine is taken for dead: ten missed beats.
_SILENCE = 300.0

_FILE = ".writer"


@frozen(kw_only=True)
class Writer:
    """A process that writes a run."""

    pid: int
    host: str
    # Where its number means something: two containers of one machine have numbers of their own.
    place: str
    began: str  # tells it from a later process of the same number

    @classmethod
    def this_process(cls) -> "Writer":
        """The process that asks."""
        pid = os.getpid()
        return cls(pid=pid, host=socket.gethostname(), place=_place(), began=_began(pid))


def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115
    except OSError:  # no Linux
        return socket.gethostname()


def _status(pid: int) -> list[str]:
    """What the kernel says of a process from its state on; nothing where it says nothing.

    Source: proc(5), `/proc/pid/stat`, fields 3 and later; the name in field 2 may hold blanks and brackets.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _began(pid: int) -> str:
    """When the process began, in the kernel's own ticks (field 22); empty where that cannot be known."""
    status = _status(pid)
    return status[19] if len(status) > 19 else ""


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    # One that has died and was not waited for, as below a launcher that goes on, writes nothing any more.
    return _status(pid)[:1] not in (["Z"], ["X"])


def writer_of(directory: Path) -> Writer | None:
    """The process that wrote the run last and has not closed it; None where it was closed."""
    try:
        return Writer(**json.loads((directory / _FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def last_beat(directory: Path) -> float | None:
    """When the run's process last said that it lives, in seconds since the epoch; None where it was closed."""
    try:
        return (directory / _FILE).stat().st_mtime
    except OSError:
        return None


def is_alive(directory: Path) -> bool:
    """Whether a process writes this run.

    On this machine the process itself is looked for; on another one, whether it has said so in the last minutes.
    """
    writer, beat = writer_of(directory), last_beat(directory)
    if writer is None or beat is None:
        return False
    if writer.place == _place():
        return _exists(writer.pid) and writer.began in ("", _began(writer.pid))
    return time.time() - beat < _SILENCE


class Ownership:
    """That this process writes the run in `directory`, until it is released.

    Raises:
        RunInUse: a process that is alive writes it; it may be this one.
        OSError: the directory cannot be written to.
    """

    __slots__ = ("_path", "_writer", "directory")

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._path = directory / _FILE
        with locked(directory):
            writer = writer_of(directory)
            if writer is not None and is_alive(directory):
                is_own = writer == Writer.this_process()
                raise RunInUse(directory, writer.pid, writer.host, is_own=is_own)
            self._writer = Writer.this_process()
            write_file(self._path, json.dumps(asdict(self._writer)).encode())

    def beat(self) -> None:
        """Say that the process lives."""
        if self._is_mine():
            with suppress(OSError):
                os.utime(self._path)

    def release(self) -> None:
        """Say that the run is closed."""
        if self._is_mine():
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _is_mine(self) -> bool:
        """Whether nobody has taken this process for dead, and the run for free."""
        return writer_of(self._path.parent) == self._writer
