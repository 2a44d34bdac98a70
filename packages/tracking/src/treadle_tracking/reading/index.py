"""A cache of what the logs below a directory come to. It is never wrong: what it says is looked at before it is believed.

An entry says of each event file how large it was, when it was changed and which one it was, how far it was read and the
checksum of as much; `treadle_tracking.reading.standing` goes on from there, or reads anew. Every row has a checksum of
its own, since neither sqlite nor a disk promises that it is as it was written. Whatever is wrong with the file, it is as
if there were none.
"""

import os
import sqlite3
import stat
from collections.abc import Collection, Mapping
from contextlib import closing, suppress
from pathlib import Path

from google_crc32c import value as crc32c

__all__ = ["FILE", "Index"]

FILE = ".treadle-index.sqlite3"

# Of what the rows hold. A row of another version is none: to be counted up with every change of what is kept of a log,
# or of what is made of one.
_VERSION = 1
_PATIENCE = 0.5  # seconds to wait for another process
_CHECKSUM_SIZE = 4  # bytes


class Index:
    """The cache of one directory, which may not be there.

    Args:
        root: The directory. A row is known by its path from there.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / FILE
        self._is_damaged = False

    def load(self) -> dict[str, bytes]:
        """JSON by path; nothing where there is no index that can be read."""
        if not self._is_there():
            return {}
        try:
            with closing(self._connected("ro")) as connection:
                if not _is_current(connection):
                    return {}
                rows = connection.execute("SELECT path, content FROM logs").fetchall()
            return {
                os.fsdecode(path): content[_CHECKSUM_SIZE:]
                for path, content in rows
                if _is_whole(path, content)
            }
        except sqlite3.Error as error:
            self._is_damaged = _is_of_the_file(error)
        except (OSError, TypeError):
            self._is_damaged = True
        return {}

    def save(self, changed: Mapping[str, bytes], gone: Collection[str]) -> None:
        """Keep these rows and drop those; or do not, where that cannot be done."""
        with suppress(sqlite3.Error, OSError):
            if os.path.lexists(self._path) and not self._is_there():
                return
            if self._is_damaged:
                self._remove()
            try:
                self._save(changed, gone)
            except sqlite3.Error as error:
                if _is_of_the_file(error):
                    self._remove()
                    self._save(changed, gone)

    def _remove(self) -> None:
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    def _save(self, changed: Mapping[str, bytes], gone: Collection[str]) -> None:
        rows = []
        for path, content in changed.items():
            key = os.fsencode(path)
            rows.append((key, _checksum(key, content) + content))
        with closing(self._connected("rwc")) as connection:
            # What is lost with the machine's power is read anew.
            connection.execute("PRAGMA synchronous = OFF")
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                if not _is_current(connection):
                    connection.execute("DROP TABLE IF EXISTS logs")
                    connection.execute("CREATE TABLE logs (path BLOB PRIMARY KEY, content BLOB)")
                    connection.execute(f"PRAGMA user_version = {_VERSION}")
                connection.executemany("INSERT OR REPLACE INTO logs VALUES (?, ?)", rows)
                connection.executemany(
                    "DELETE FROM logs WHERE path = ?", [(os.fsencode(path),) for path in gone]
                )

    def _is_there(self) -> bool:
        """Whether it is a file, and no link that leads somebody's writes elsewhere."""
        try:
            return stat.S_ISREG(self._path.lstat().st_mode)
        except OSError:
            return False

    def _connected(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=_PATIENCE,
            isolation_level=None,
        )


def _is_of_the_file(error: sqlite3.Error) -> bool:
    """Whether the file is to blame: it is none of sqlite's, damaged, or has other tables; and not locked, say, or full."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    return code in {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def _is_current(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA user_version").fetchone() == (_VERSION,))


def _checksum(path: bytes, content: bytes) -> bytes:
    return int(crc32c(path + b"\0" + content)).to_bytes(_CHECKSUM_SIZE, "big")


def _is_whole(path: bytes, content: bytes) -> bool:
    return content[:_CHECKSUM_SIZE] == _checksum(path, content[_CHECKSUM_SIZE:])
