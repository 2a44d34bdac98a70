"""Files that are there as a whole or not at all, whatever happens to the process that writes them."""

import os
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from threading import get_ident
from typing import BinaryIO

from attrs import frozen

__all__ = ["Copied", "copy_file", "write_file"]

_CHUNK = 1 << 20  # bytes


@frozen
class Copied:
    """What was copied."""

    size: int  # bytes
    sha256: str


def _unfinished(path: Path) -> Path:
    name = sha256(path.name.encode()).hexdigest()[:16]
    return path.with_name(f".unfinished-{os.getpid()}-{get_ident()}-{name}")


def copy_file(source: BinaryIO, path: Path) -> Copied:
    """Write what is left of `source` to `path`, replacing what was there. Raises `OSError`, and `path` is as before."""
    digest, size, unfinished = sha256(), 0, _unfinished(path)
    try:
        with unfinished.open("wb") as write:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                write.write(chunk)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return Copied(size=size, sha256=digest.hexdigest())


def write_file(path: Path, data: bytes) -> None:
    """Write `data` to `path`, likewise."""
    copy_file(BytesIO(data), path)
