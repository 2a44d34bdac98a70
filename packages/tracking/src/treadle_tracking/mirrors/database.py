"""What a database takes before MLflow can open it: a driver, or for sqlite a file, held when it is opened first."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Literal, TypeAlias

from treadle_tracking.errors import InvalidTarget
from treadle_tracking.mirrors.errors import DatabaseUnusable, MissingDriver
from treadle_tracking.mirrors.locking import locked

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["Schema", "check_driver", "check_usable", "held", "schema_of", "unfinished_path"]

Schema: TypeAlias = Literal["none", "same", "older", "newer"]
"""What the tables of a database are, to the MLflow that is installed."""

_PATIENCE = 30.0  # seconds for a transaction of another program

_EXAMPLE = "as in 'mlflow:sqlite:///mlflow.db'"
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
                    raise DatabaseUnusable(
                        path, f"it is a file of another kind. Name another, {_EXAMPLE}"
                    )
        else:
            folder = path.parent if path.parent.exists() else path.parent.parent
            if not folder.exists():
                # Of a slip of the finger, whole trees of folders would be made.
                reason = (
                    f"there is no folder {folder}, and for a database one folder is made, not two"
                )
                raise DatabaseUnusable(path, f"{reason}. Make it, or name another file")
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
            path.parent.mkdir(exist_ok=True)
            stack.enter_context(locked(path.with_name(f"{path.name}.lock")))
            if path.exists():  # it would be made empty, and stay so where this process is killed
                with closing(sqlite3.connect(path, timeout=_PATIENCE)) as connection:
                    connection.execute("PRAGMA schema_version")
        except (OSError, sqlite3.Error) as error:
            raise DatabaseUnusable(path, str(error)) from error
        yield not path.exists() or path.stat().st_size == 0


def unfinished_path(file: Path) -> Path:
    """Where the tables of a new database are made, before it is put in its place."""
    return file.with_name(f".{file.name}.unfinished")


def schema_of(engine: "Engine") -> Schema:
    """Compare the tables of a database with those that the MLflow which is installed has.

    Raises:
        SQLAlchemyError: it cannot be read.
    """
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config, _get_schema_version

    config = _get_alembic_config(db_url="")  # type: ignore[no-untyped-call]
    revisions = ScriptDirectory.from_config(config)
    found = _get_schema_version(engine)  # type: ignore[no-untyped-call]
    if found is None:
        return "none"
    if found == revisions.get_current_head():
        return "same"
    return "older" if found in {one.revision for one in revisions.walk_revisions()} else "newer"
