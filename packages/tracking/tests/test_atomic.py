from hashlib import sha256

import pytest

from treadle_tracking.atomic import Copied, copy_file, write_file


def test_a_file_is_replaced_whole(tmp_path):
    """Writing and copying replace what was there, and leave nothing beside it."""
    path = tmp_path / "a"
    path.write_bytes(b"older")
    write_file(path, b"old")
    before = path.read_bytes()
    (tmp_path / "source").write_bytes(b"new")
    copied = copy_file(tmp_path / "source", path)

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
        lambda path: copy_file(path / "source", path / "way"),
        lambda path: copy_file(path / "missing", path / "way"),
    ],
    ids=["write", "copy", "missing"],
)
def test_what_fails_leaves_nothing(tmp_path, write):
    """Where the last step fails, or the first, the error is raised and no unfinished file is left."""
    (tmp_path / "way" / "full").mkdir(parents=True)
    (tmp_path / "source").write_bytes(b"new")
    with pytest.raises(OSError, match=r"way|missing"):
        write(tmp_path)

    assert ["source", "way"] == sorted(file.name for file in tmp_path.iterdir())
