"""Files that are there as a whole or not at all, whatever happens to the process that writes them."""

import os
from errno import EDQUOT, EFBIG, ENOSPC
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from threading import get_ident
from typing import BinaryIO

from attrs import frozen

__all__ = ["Copied", "copy_file", "is_no_room", "name_target", "unfinished", "write_file"]

_CHUNK = 1 << 20  # bytes


@frozen
class Copied:
    """What was copied."""

    size: int  # bytes
    sha256: str


def unfinished(path: Path) -> Path:
    """Where `path` is written until it is whole: beside it, and nobody else's."""
    name = sha256(path.name.encode()).hexdigest()[:16]
    return path.with_name(f".unfinished-{os.getpid()}-{get_ident()}-{name}")


def is_no_room(error: BaseException) -> bool:
    """Whether there is no room left where something is written, or not for a file so large."""
    return isinstance(error, OSError) and error.errno in {EDQUOT, EFBIG, ENOSPC}


def name_target(error: OSError, partial: Path, path: Path) -> None:
    """Let an error say `path`, the name that somebody has given, where it is about `partial` or, for want of room, about
    no file at all.
    """
    if error.filename == str(partial) or (error.filename is None and is_no_room(error)):
        error.filename = str(path)
        del error.filename2  # of a last step that failed


def copy_file(source: BinaryIO, path: Path) -> Copied:
    """Write what is left of `source` to `path`, replacing what was there.

    Raises:
        OSError: it cannot be written, and is as it was before; `filename` is that of `path`.
    """
    digest, size, partial = sha256(), 0, unfinished(path)
    try:
        with partial.open("wb") as write:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                write.write(chunk)
        partial.replace(path)
    except OSError as error:
        name_target(error, partial, path)
        raise
    finally:
        partial.unlink(missing_ok=True)
    return Copied(size=size, sha256=digest.hexdigest())


def write_file(path: Path, data: bytes) -> None:
    """Write `data` to `path`, likewise."""
    copy_file(BytesIO(data), path)
