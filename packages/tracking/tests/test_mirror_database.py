"""Whether there can be a database where one is named."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from treadle_tracking.mirrors.database import check_usable, held
from treadle_tracking.mirrors.errors import DatabaseUnusable


@pytest.mark.parametrize("place", ["new.db", "new/new.db"])
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

    assert (
        f"the database {path} cannot be used: it is a file of another kind. Name another, as in "
        f"'mlflow:sqlite:///mlflow.db'"
    ) == str(caught.value)


def test_one_folder_is_made_and_not_two(tmp_path):
    """A mistyped path makes no tree of folders: the one that is missing is named."""
    path = tmp_path / "none" / "folder" / "new.db"
    with pytest.raises(DatabaseUnusable) as caught:
        check_usable(path)
    with pytest.raises(DatabaseUnusable), held(path):
        pass

    assert (
        f"the database {path} cannot be used: there is no folder {path.parents[1]}, and for a database one folder is "
        f"made, not two. Make it, or name another file"
    ) == str(caught.value)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("/proc/new.db", "No such file or directory"),
        ("/proc/new/new.db", "No such file or directory"),
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
