from errno import EFBIG, EIO, ENOSPC
from hashlib import sha256
from io import BytesIO
from threading import Thread

import pytest

from treadle_tracking.atomic import Copied, copy_file, write_file


def test_a_file_is_replaced_whole(tmp_path):
    """Writing and copying replace what was there, and leave nothing beside it."""
    path = tmp_path / "a"
    path.write_bytes(b"older")
    write_file(path, b"old")
    before = path.read_bytes()
    (tmp_path / "source").write_bytes(b"new")
    with (tmp_path / "source").open("rb") as source:
        copied = copy_file(source, path)

    assert b"old" == before
    assert (b"new", Copied(size=3, sha256=sha256(b"new").hexdigest())) == (
        path.read_bytes(),
        copied,
    )
    assert ["a", "source"] == sorted(file.name for file in tmp_path.iterdir())


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_file(path / "way", b"new"),
        lambda path: write_file(path / "missing" / "way", b"new"),
    ],
    ids=["last", "first"],
)
def test_what_fails_leaves_nothing(tmp_path, write):
    """Where the last step fails, or the first, the error is raised and no unfinished file is left."""
    (tmp_path / "way" / "full").mkdir(parents=True)
    with pytest.raises(OSError, match=r"(way|missing/way)'\Z"):
        write(tmp_path)

    assert ["way"] == sorted(file.name for file in tmp_path.iterdir())


@pytest.mark.parametrize(("number", "named"), [(ENOSPC, "a"), (EFBIG, "a"), (EIO, None)])
def test_no_room_is_no_room_for_a_file(tmp_path, number, named):
    """What the system says of no file is about the one that is written, if it can be about no other."""

    class Full(BytesIO):
        def read(self, size=-1):
            raise OSError(number, "words")

    with pytest.raises(OSError, match="words") as caught:
        copy_file(Full(), tmp_path / "a")

    assert (named and str(tmp_path / named)) == caught.value.filename
    assert [] == [*tmp_path.iterdir()]


def test_threads_that_write_one_file_do_not_mix(tmp_path):
    """A file that another thread replaces meanwhile has the content of one of the two, whole."""
    path = tmp_path / "a"

    class Interrupted(BytesIO):
        def read(self, size=-1):
            other = Thread(target=write_file, args=(path, b"other"))
            other.start()
            other.join()
            return super().read(size)

    copy_file(Interrupted(b"new"), path)

    assert [("a", b"new")] == [(file.name, file.read_bytes()) for file in tmp_path.iterdir()]
