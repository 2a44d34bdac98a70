"""Files that are not there, or cannot be opened."""

import os

import pytest

from treadle_config import load


def test_a_missing_file_and_a_directory_are_problems(schemas, written, said, tmp_path):
    """A near name is suggested."""
    written("train.json", "{}")
    (tmp_path / "folder.json").mkdir()

    actual = [said(load, schemas.Holder, name) for name in ("trian.json", "folder.json")]

    assert [
        [
            (
                "file trian.json: expected a readable file, got no such file or directory; "
                "did you mean train.json?"
            )
        ],
        ["file folder.json: expected a readable file, got a directory"],
    ] == actual


@pytest.mark.parametrize("name", ["ünï cödé.yaml", "loop.yaml"])
def test_a_missing_file_is_not_taken_for_just_any_other(schemas, name, written, said, tmp_path):
    """Neither one that shares little but a suffix, nor a link that leads to itself."""
    written("anch.yaml", "")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")

    (actual,) = said(load, schemas.Holder, name)

    assert "" == actual.partition(";")[2]


def test_what_is_no_file_is_refused_before_it_is_opened(schemas, written, said, tmp_path):
    """A pipe would be waited for without end."""
    written("a.json", "{}")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "null.yaml").symlink_to("/dev/null")

    names = ("pipe.json", "null.yaml", "/dev/null")
    actual = [said(load, schemas.Holder, name) for name in names]

    assert [
        [
            (
                f"file {name}: expected a regular file, got a pipe, a socket or a device; "
                "save it to a file first"
            )
        ]
        for name in names
    ] == actual


def test_a_file_that_may_not_be_read_is_a_problem(written, tmp_path, python):
    """Whoever lacks the permission is told so, without a traceback."""
    tmp_path.chmod(0o755)
    (tmp_path / written("a.json", "{}")).chmod(0)
    (tmp_path / written("b.json", '{"include": "a.json"}')).chmod(0o644)
    written("c.json", "{}")
    program = """
import os
from attrs import frozen
from treadle_config import ConfigError, load
@frozen
class C:
    a: int = 0
for name in ("c.json", "missing.json"):
    try:  # what is imported when it is needed is imported now, by who may read it
        load(C, name)
    except ConfigError:
        pass
if os.getuid() == 0:  # who may read everything
    os.setresuid(65534, 65534, 65534)
for name in ("a.json", "b.json"):
    try:
        load(C, name)
    except ConfigError as error:
        print(error)
"""

    actual = python("-c", program)

    printed = (
        "file a.json: expected a readable file, got permission denied\n"
        "include (file b.json:1): expected a readable file, got permission denied at a.json\n"
    )
    assert (0, printed, "") == actual
