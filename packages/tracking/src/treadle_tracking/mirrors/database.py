"""What a database takes before MLflow can open it: a driver, or for sqlite a file, held when it is opened first."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from treadle_tracking.errors import InvalidTarget
from treadle_tracking.mirrors.errors import DatabaseUnusable, MissingDriver
from treadle_tracking.mirrors.locking import locked

__all__ = ["check_driver", "check_usable", "held"]

_PATIENCE = 30.0  # seconds for a transaction of another program

_HEADER = b"SQLite format 3\0"  # https://www.sqlite.org/fileformat.html, section 1.3.1


def check_driver(uri: str, shown: str, asking: str) -> None:
    """Import the driver of a database that is not sqlite, as SQLAlchemy will; it connects to nothing.

    Args:
        uri: The address of the database.
        shown: The whole target without a password, for messages.
        asking: What needs the driver, for messages.

    Raises:
        MissingDriver: it cannot be imported.
        InvalidTarget: SQLAlchemy cannot read the address, or knows no such driver.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        make_url(uri).get_dialect().import_dbapi()
    except ImportError as error:
        raise MissingDriver(asking, error.name or str(error)) from error
    except (ArgumentError, ValueError):
        # Without its cause, which may show a part of a password.
        raise InvalidTarget(
            f"target {shown!r} is no address of a database that SQLAlchemy knows; "
            f"expected DATABASE+DRIVER://USER:PASSWORD@HOST:PORT/NAME"
        ) from None


def check_usable(path: Path) -> None:
    """Find out, leaving nothing behind, whether a database can be opened or made here: a mistyped path is told at once.

    Raises:
        DatabaseUnusable: it cannot.
    """
    try:
        if path.exists():
            with path.open("rb+") as file:
                if file.read(len(_HEADER)) not in (b"", _HEADER):
                    raise DatabaseUnusable(path, "it is a file of another kind")
        else:
            folder = next(parent for parent in path.parents if parent.exists())
            with TemporaryFile(dir=folder):
                pass
    except OSError as error:
        reason = f"{error.strerror}. Name a file that can be written to"
        raise DatabaseUnusable(path, reason) from error


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold the database for this process alone: of several that make the same tables at once, all but one fail.

    Yields:
        Whether there is nothing in it yet.

    Raises:
        DatabaseUnusable: the file cannot be opened, or made: MLflow would try for a minute and write a page about it.
    """
    with ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(path.with_name(f"{path.name}.lock")))
            with closing(sqlite3.connect(path, timeout=_PATIENCE)) as connection:
                connection.execute("PRAGMA schema_version")
        except (OSError, sqlite3.Error) as error:
            raise DatabaseUnusable(path, str(error)) from error
        yield not path.exists() or path.stat().st_size == 0
