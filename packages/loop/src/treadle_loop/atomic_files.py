"""Files that are whole or not there: written beside their place, then renamed into it."""

import errno
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

# Where a temporary's process cannot be looked up, this long after its last write it is abandoned.
ABANDONED_SECONDS = 24 * 3600

_TEMPORARY = re.compile(
    r"\..+\.(?P<machine>[\w-]+)\.(?P<process>\d+)\.(?P<started>\d+)\.[0-9a-f]{8}\.partial"
)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that is `path` once the block is done, and never existed if it fails.

    Its content is on the disk before it gets its name; the name is there once `sync_folder` has
    run. Until then the file is called
    `.<name>.<machine>.<process>.<start of the process>.<random>.partial`, in the same folder.
    """
    temporary = _temporary(path)
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def replace_by_link(path: Path, source: Path) -> None:
    """Make `path` another name of the file `source`, or a copy of it where there are no links."""
    temporary = _temporary(path)
    try:
        os.link(source, temporary)
    except OSError:  # FAT, some network and object stores; what else is wrong, the copy will say
        with source.open("rb") as original, replacing(path) as file:
            shutil.copyfileobj(original, file, 1 << 20)
        return
    try:
        temporary.replace(path)
    finally:
        # A rename between two names of one file leaves both.
        temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make the folder and those above it, and see that they outlast a loss of power."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in reversed(missing):
        sync_folder(made.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on the disk."""
    if os.name == "nt":  # a folder cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # the file system has no such thing
            raise
    finally:
        os.close(descriptor)


def remove_abandoned(folder: Path) -> None:
    """Remove the temporaries in `folder` that nobody is writing any more.

    Those of a process of this machine go when it has ended. Those of another machine, or of another
    container, go a day after they were last written to.
    """
    with suppress(OSError):  # tidying must not keep anyone from saving, or from loading
        for path in folder.iterdir():
            match = _TEMPORARY.fullmatch(path.name)
            if match is not None and _is_abandoned(path, match):
                path.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    process = os.getpid()
    started = _started(process) or "0"
    # Not the random module: its state may be part of what is being saved.
    token = secrets.token_hex(4)
    return path.with_name(f".{path.name}.{_machine()}.{process}.{started}.{token}.partial")


def _is_abandoned(path: Path, match: re.Match[str]) -> bool:
    if match["started"] != "0" and match["machine"] == _machine():
        return match["started"] != _started(int(match["process"]))
    return time.time() - path.stat().st_mtime > ABANDONED_SECONDS


def _machine() -> str:
    """Where a process number means one process: a host, and there a container."""
    host = re.sub(r"[^\w-]", "-", socket.gethostname(), flags=re.ASCII)
    try:
        return f"{host}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return host


def _started(process: int) -> str | None:
    """When a process began, in ticks since boot, so that a number used again is another process.

    None where it has ended, and on systems without /proc. Fields 3 and 22 of /proc/[pid]/stat
    (man 5 proc_pid_stat); the second field, a name, may hold anything, even brackets.
    """
    try:
        fields = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    state, started = fields[0], fields[19]
    return None if state in (b"Z", b"X") else started.decode()
