import os
import socket
from hashlib import sha256
from pathlib import Path
from threading import Thread

import pytest

from treadle_tracking import artifacts, start_run
from treadle_tracking.artifacts import PassedOver, Unwritten, checked_source, keep, keep_bytes
from treadle_tracking.entries import Artifact
from treadle_tracking.errors import ArtifactInTheWay, InvalidName, UnsupportedArtifact


def entry(path, data):
    return Artifact(wall_time=1.0, path=path, size=len(data), sha256=sha256(data).hexdigest())


@pytest.fixture
def kept(tmp_path):
    """Keeps a source, and is a list of what was said of it."""
    own = tmp_path / "run" / "artifacts"
    own.mkdir(parents=True)
    known = {}

    def call(source, name):
        return list(keep(Path(source), name, own, known, lambda: 1.0))

    call.directory, call.known = own, known
    return call


@pytest.fixture
def copies(monkeypatch):
    """The names of what is copied."""
    found = []
    copy = artifacts.copy_file

    def counted(source, path):
        found.append(path.name)
        return copy(source, path)

    monkeypatch.setattr(artifacts, "copy_file", counted)
    return found


def files(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_a_file_is_kept_with_its_size_and_digest(kept, tmp_path):
    """The entry describes what is there."""
    source = tmp_path / "model.pt"
    source.write_bytes(b"weights")

    assert [entry("models/last.pt", b"weights")] == kept(source, "models/last.pt")
    assert {"models/last.pt": b"weights"} == files(kept.directory)


def test_what_has_not_changed_is_not_copied_again(kept, tmp_path, copies):
    """The same content is neither written nor said again, also under a new time, and by a run that goes on."""
    source = tmp_path / "model.pt"
    source.write_bytes(b"weights")
    kept(source, "m")
    os.utime(source, (1, 1))

    assert [] == kept(source, "m")
    assert {"m": (7, sha256(b"weights").hexdigest())} == kept.known
    assert ["m"] == copies


def test_what_has_changed_is_copied_again(kept, tmp_path, copies):
    """Other content, of the same size or not, replaces; so does a file that is not there any more."""
    source = tmp_path / "model.pt"
    contents = [b"one", b"two", b"longer"]
    said = []
    for content in contents:
        source.write_bytes(content)
        said += kept(source, "m")
    (kept.directory / "m").unlink()
    said += kept(source, "m")

    assert [entry("m", content) for content in [*contents, b"longer"]] == said
    assert ["m"] * 4 == copies


def test_what_is_not_what_is_known_is_copied_again(kept, tmp_path):
    """Where something else of the same size has taken a kept file's place, it is not taken for kept."""
    source = tmp_path / "source"
    source.write_bytes(b"one")
    kept(source, "m")
    said = list(keep_bytes(b"v", "v", kept.directory, kept.known, lambda: 1.0))
    (kept.directory / "m").write_bytes(b"two")
    (kept.directory / "v").write_bytes(b"w")
    said += kept(source, "m")
    said += keep_bytes(b"v", "v", kept.directory, kept.known, lambda: 1.0)

    assert [entry("v", b"v"), entry("m", b"one"), entry("v", b"v")] == said
    assert {"m": b"one", "v": b"v"} == files(kept.directory)


def test_a_folder_is_all_its_files(kept, tmp_path, copies):
    """Files of a folder are kept below its name, in order; of a second time, those that changed."""
    folder = tmp_path / "logs"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.txt").write_bytes(b"b")
    (folder / "deep" / "a.txt").write_bytes(b"a")
    first = kept(folder, "logs")
    (folder / "b.txt").write_bytes(b"B")

    assert [entry("logs/b.txt", b"b"), entry("logs/deep/a.txt", b"a")] == first
    assert [entry("logs/b.txt", b"B")] == kept(folder, "logs")
    assert ["b.txt", "a.txt", "b.txt"] == copies


def test_links_to_files_are_files(kept, tmp_path):
    """A link to a file is kept as the file, wherever that is; one to a folder, or to nothing, is passed over."""
    (tmp_path / "blob").write_bytes(b"x")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").symlink_to(tmp_path / "blob")
    (folder / "around").symlink_to(folder)
    (folder / "gone").symlink_to(tmp_path / "nothing")
    (tmp_path / "link").symlink_to(folder)

    assert [
        PassedOver(tmp_path / "link/around", "is a link to a folder: give that folder by itself"),
        PassedOver(tmp_path / "link/gone", "is a link to nothing that is there"),
        entry("f/file", b"x"),
    ] == kept(tmp_path / "link", "f")


def test_pipes_and_sockets_are_passed_over(kept, tmp_path):
    """What would wait for ever when it is read is not opened."""
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
        said = kept(folder, "f")
    with pytest.raises(UnsupportedArtifact) as caught:
        kept(folder / "pipe", "p")

    assert [
        f"{folder / name} is a pipe, a socket or a device" for name in ("pipe", "socket")
    ] == list(map(str, said))
    assert (
        f"{folder / 'pipe'} is a pipe, a socket or a device, and an artifact is a file or a folder"
    ) == str(caught.value)


def test_a_file_that_became_a_pipe_is_not_waited_for(tmp_path):
    """A pipe that takes a file's place just before it is opened is an error, and nobody hangs."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(artifacts._Unreadable) as caught:
        artifacts._Source(tmp_path / "pipe")

    assert "it is no file any more" == caught.value.error.strerror


def test_a_folder_without_files_is_said(kept, tmp_path):
    """Nothing can be kept of an empty folder, wherever it is."""
    (tmp_path / "folder" / "inner").mkdir(parents=True)

    assert [PassedOver(tmp_path / "folder/inner", "is a folder without files")] == kept(
        tmp_path / "folder", "f"
    )


def test_a_folder_around_the_run_does_not_hold_it(kept, tmp_path):
    """The run's own directory is passed over; a folder of its artifacts is not, nor copied into itself for ever."""
    (tmp_path / "notes").write_bytes(b"n")
    (tmp_path / "run" / "events").write_bytes(b"e")
    said = kept(tmp_path, "all")
    own = PassedOver(tmp_path / "run", "is this run's own directory")

    assert [own, entry("all/notes", b"n")] == said
    assert [own] == kept(tmp_path / "run", "run")
    assert [entry("again/all/notes", b"n")] == kept(kept.directory, "again")


def test_what_is_not_there_is_an_error(kept, tmp_path, monkeypatch):
    """The operating system's own error names the file as it was given, and from where it was looked for."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as absolute:
        kept(tmp_path / "nothing", "n")
    with pytest.raises(FileNotFoundError) as relative:
        kept(Path("a/nothing"), "n")

    assert (
        f"[Errno 2] there is no file or folder to keep as an artifact: '{tmp_path}/nothing'"
        == str(absolute.value)
    )
    assert (
        f"[Errno 2] there is no file or folder to keep as an artifact, seen from {tmp_path}: 'a/nothing'"
        == str(relative.value)
    )


def test_names_never_leave_the_directory(kept, tmp_path):
    """What is not safe in a name is escaped, in the names of a folder's files too, and no name is none."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a:b\n").write_bytes(b"1")
    Path(os.fsdecode(bytes(folder) + b"/\xff")).write_bytes(b"2")
    said = kept(folder, "../x/")
    with pytest.raises(InvalidName):
        kept(folder / "a:b\n", "/")

    assert [entry("%2E%2E/x/a%3Ab%0A", b"1"), entry("%2E%2E/x/%5Cxff", b"2")] == said


def test_a_name_in_the_way_is_an_error(kept, tmp_path):
    """A file where a folder is needed, and the other way round, is named."""
    source = tmp_path / "source"
    source.write_bytes(b"x")
    kept(source, "a")
    kept(source, "b/c")
    messages = []
    for name in ("a/b", "b"):
        with pytest.raises(ArtifactInTheWay) as caught:
            kept(source, name)
        messages.append(str(caught.value).partition(" cannot")[0])

    assert ["the artifact 'a/b'", "the artifact 'b'"] == messages


def test_names_that_differ_only_in_case_are_two(kept, tmp_path):
    """Where the file system tells them apart, both are kept; where it does not, the second is an error."""
    source = tmp_path / "source"
    source.write_bytes(b"x")
    kept(source, "model")
    said = kept(source, "Model")
    # A file system that takes both names for one file shows the first under the second's name.
    os.link(kept.directory / "model", kept.directory / "MODEL")
    with pytest.raises(ArtifactInTheWay):
        kept(source, "MODEL")

    assert [entry("Model", b"x")] == said


class Busy:
    """Stands for a file's writer: changes it each time it is read, as often as it is told."""

    def __init__(self, monkeypatch, path, times):
        self.path, self.times, self.content = path, times, 0
        read = artifacts._Source.read

        def changed(source, size):
            data = read(source, size)
            if data and self.times:
                self.times -= 1
                self.content += 1
                with path.open("ab") as file:
                    file.write(b"+")
                os.utime(path, ns=(self.content, self.content))
            return data

        monkeypatch.setattr(artifacts._Source, "read", changed)


def test_a_file_that_changes_is_read_again(kept, tmp_path, monkeypatch):
    """One change while it is copied costs a second copy, and what is kept is the whole."""
    source = tmp_path / "log"
    source.write_bytes(b"x")
    Busy(monkeypatch, source, 1)

    assert [entry("log", b"x+")] == kept(source, "log")


def test_a_file_that_keeps_changing_is_kept_as_it_was(kept, tmp_path, monkeypatch):
    """After three times it is taken as it was read, which is said, and a growing file has an end."""
    source = tmp_path / "log"
    source.write_bytes(b"x")
    Busy(monkeypatch, source, 100)
    said = kept(source, "log")

    assert [
        entry("log", b"x++"),
        PassedOver(source, "changed while it was copied, and is kept as it was read"),
    ] == said


def test_what_cannot_be_written_is_said_and_the_rest_is_kept(kept, tmp_path, monkeypatch):
    """A disk without room for one file is told of that file, which is not known as kept."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_bytes(name.encode())
    copy = artifacts.copy_file

    def full(source, path):
        if path.name == "b":
            raise OSError(28, "No space left on device")
        return copy(source, path)

    monkeypatch.setattr(artifacts, "copy_file", full)
    said = kept(folder, "f")

    assert [entry("f/a", b"a"), entry("f/c", b"c")] == [said[0], said[2]]
    assert isinstance(said[1], Unwritten)
    assert ("f/b", 28) == (said[1].path, said[1].error.errno)
    assert {"f/a", "f/c"} == kept.known.keys()


def test_every_file_that_can_be_read_is_kept_before_the_error(kept, tmp_path, monkeypatch):
    """A file and a folder that may not be read do not keep the others from being kept, and are then the error."""
    folder = tmp_path / "folder"
    (folder / "locked").mkdir(parents=True)
    for name in ("a", "b", "locked/c"):
        (folder / name).write_bytes(b"x")
    refused = {str(folder / "a"), str(folder / "locked")}

    def refusing(call):
        def checked(path, *arguments):
            if str(path) in refused:
                raise PermissionError(13, "Permission denied", str(path))
            return call(path, *arguments)

        return checked

    monkeypatch.setattr(artifacts.os, "open", refusing(os.open))
    monkeypatch.setattr(artifacts.os, "scandir", refusing(os.scandir))
    said = []
    with pytest.raises(PermissionError) as caught:
        said.extend(keep(folder, "f", kept.directory, kept.known, lambda: 1.0))
    refused.remove(str(folder / "locked"))
    with pytest.raises(PermissionError) as second:
        kept(folder, "f")
    with pytest.raises(PermissionError):
        kept(folder / "a", "a")

    assert [str(folder / "locked"), str(folder / "a")] == [
        caught.value.filename,
        second.value.filename,
    ]
    assert {"f/b": b"x", "f/locked/c": b"x"} == files(kept.directory)


def test_bytes_are_kept_likewise(kept, copies):
    """What is made in memory is kept under the same rules."""
    said = [
        one
        for data in (b"1", b"1", b"2", b"33")
        for one in keep_bytes(data, "v.json", kept.directory, kept.known, lambda: 1.0)
    ]

    assert [entry("v.json", data) for data in (b"1", b"2", b"33")] == said
    assert ["v.json"] * 3 == copies


def test_threads_keep_different_files_at_once(kept, tmp_path):
    """Several threads that keep files lose none."""
    for index in range(20):
        (tmp_path / f"s{index}").write_bytes(str(index).encode())

    def work(numbers):
        for index in numbers:
            kept(tmp_path / f"s{index}", f"d/{index}")

    threads = [Thread(target=work, args=(range(part, 20, 4),)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {f"d/{index}": str(index).encode() for index in range(20)} == files(kept.directory)
    assert 20 == len(kept.known)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "'' names nothing"),
        (None, "None (NoneType) is no path"),
        (5, "5 (int) is no path"),
        (b"", "b'' (bytes) is no path"),
        ("a\0b", "'a\\x00b' (str) is no path"),
    ],
)
def test_what_names_nothing_is_not_the_current_directory(path, problem):
    """An empty variable does not copy whatever is there."""
    with pytest.raises(UnsupportedArtifact) as caught:
        checked_source(path)

    assert f"{problem}, and an artifact is a file or a folder" == str(caught.value)


def test_a_run_keeps_nothing_of_an_empty_path(tmp_path, monkeypatch):
    """What is in the current directory stays where it is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "private.txt").write_text("mine")
    with start_run("tensorboard:runs", name="a") as run, pytest.raises(UnsupportedArtifact):
        run.artifact("")

    assert [] == list((run.directory / "artifacts").iterdir())
