"""Whether there can be a database where one is named."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from treadle_tracking.mirrors.database import check_usable
from treadle_tracking.mirrors.errors import DatabaseUnusable


@pytest.mark.parametrize("place", ["new.db", "new/folder/new.db"])
def test_a_new_database_can_be_made_and_is_not(tmp_path, place):
    """A place that can be written to is fine, and looking leaves nothing there."""
    check_usable(tmp_path / place)

    assert [] == list(tmp_path.iterdir())


def test_a_database_that_is_there_is_fine(tmp_path):
    """A database of sqlite's passes, and so does the empty file that sqlite itself makes."""
    (tmp_path / "empty.db").touch()
    with closing(sqlite3.connect(tmp_path / "full.db")) as connection:
        connection.execute("create table t (c)")

    check_usable(tmp_path / "empty.db")
    check_usable(tmp_path / "full.db")


def test_another_file_is_refused(tmp_path):
    """A file that is no database is not written over."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all")
    with pytest.raises(DatabaseUnusable) as caught:
        check_usable(path)

    assert f"the database {path} cannot be used: it is a file of another kind" == str(caught.value)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("/proc/new.db", "No such file or directory"),
        ("/proc/new/folder/new.db", "No such file or directory"),
        ("FOLDER", "Is a directory"),
        ("FILE/new.db", "Not a directory"),
    ],
)
def test_an_impossible_place_is_refused(tmp_path, place, reason):
    """Where no file can be made the error names the database and the reason."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    path = Path(place.replace("FOLDER", f"{tmp_path}/folder").replace("FILE", f"{tmp_path}/file"))
    with pytest.raises(DatabaseUnusable) as caught:
        check_usable(path)

    assert (
        f"the database {path} cannot be used: {reason}. Name a file that can be written to"
        == str(caught.value)
    )
