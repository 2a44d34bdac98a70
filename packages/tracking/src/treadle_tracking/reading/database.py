"""The file of an sqlite database, before anything reads it: what is wrong with it, and the way out."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from treadle_tracking.mirrors.database import unfinished_path
from treadle_tracking.reading.errors import DatabaseUnreadable
from treadle_tracking.shell import sync_command

__all__ = ["check_database", "is_locked", "locked"]

_PATIENCE = 5.0  # seconds for a transaction of another program; of SQLAlchemy's connections, too
_ANY = Path("DIR")


def check_database(file: Path) -> None:
    """Raise where there is no sqlite database, without making one.

    Raises:
        DatabaseUnreadable: it is not there, is not whole yet, is locked, or is none.
    """
    target = f"mlflow:sqlite:///{file}"
    is_empty = not file.exists() or file.stat().st_size == 0
    if is_empty and unfinished_path(file).exists():
        raise DatabaseUnreadable(
            target,
            "it is being made just now, or its making was interrupted",
            f"Sending a run there makes it: run the program again, or {sync_command(_ANY, to=target)}",
        )
    if not file.exists():
        raise DatabaseUnreadable(target, "there is no such file")
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=_PATIENCE)
        ) as connection:
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    except sqlite3.Error as error:
        raise _unreadable(target, error) from error


def is_locked(error: BaseException) -> bool:
    """Whether it is, by its causes, that another program had a database locked."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, sqlite3.Error):
        cause = cause.__cause__ or cause.__context__
    return cause is not None and _code(cause) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def locked(target: str) -> DatabaseUnreadable:
    """The error of a database that another program has locked."""
    return DatabaseUnreadable(
        target,
        f"another program has locked it, for more than {_PATIENCE:g} s",
        "Try again when that program is done with it",
    )


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest says more of the same


def _unreadable(target: str, error: sqlite3.Error) -> DatabaseUnreadable:
    if is_locked(error):
        return locked(target)
    if _code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return DatabaseUnreadable(
            target,
            str(error),
            f"It is damaged, or another kind of file. Runs that have their directories are sent to a new one by: "
            f"{sync_command(_ANY, to='mlflow:sqlite:///new.db')}",
        )
    if _code(error) == sqlite3.SQLITE_CANTOPEN:
        return DatabaseUnreadable(target, str(error), "Is it a file, and may you read it?")
    return DatabaseUnreadable(target, str(error))
