import os
import shutil
import struct
import subprocess
import sys
import tempfile
import tracemalloc
from itertools import count
from pathlib import Path

import pytest

from treadle_tracking import RunDirectoryError, TrackingError, open_runs, start_run
from treadle_tracking.entries import Artifact, Ended, Image, Scalars, Started, Text
from treadle_tracking.log import LogWriter, attempt_path
from treadle_tracking.protos import messages
from treadle_tracking.reading import scanning, standing
from treadle_tracking.wire import framed

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 7, 5)


@pytest.fixture
def root(tmp_path):
    """Where runs are."""
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


def write(directory, *entries, attempt=0):
    """A run's log."""
    directory.mkdir(parents=True, exist_ok=True)
    log = LogWriter(attempt_path(directory, attempt))
    for entry in (
        Started(wall_time=1.0, uid=directory.name, experiment="e", name=directory.name),
        *entries,
    ):
        log.append(entry)
    log.close()
    return attempt_path(directory, attempt)


def scalars(step, **values):
    return Scalars(wall_time=2.0 + step, step=step, values=values)


def read(root):
    """The runs by name, and what could not be read."""
    runs = open_runs(f"tensorboard:{root}")
    return {run.name: run for run in runs}, runs._reader.unreadable


def harm(path, offset):
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def test_a_damaged_record_costs_itself(root):
    """What comes behind it is read, in its file and in later ones, and the message names file and byte."""
    path = write(root / "a", *(scalars(step, loss=float(step)) for step in range(4)))
    write(root / "a", scalars(4, loss=4.0), Ended(wall_time=9.0, status="FINISHED"), attempt=1)
    begin = path.stat().st_size - 2 * (path.stat().st_size - _size_before_last(path))
    harm(path, begin + 20)
    run = read(root)[0]["a"]

    assert ((0, 0.0), (1, 1.0), (3, 3.0), (4, 4.0)) == run.history("loss")
    assert "FINISHED" == run.status
    assert run.damage.startswith(
        f"the record at byte {begin} of {path} does not match its checksum"
    )
    assert 7 == len(list(run.reader.entries(run)))


def _size_before_last(path):
    with path.open("rb") as file:
        ends = [end for end, _ in scanning.Scan(file)]
    return ends[-2]


def test_a_damaged_length_costs_the_rest_of_its_file(root):
    """Nobody knows where the next record begins; the next file is read."""
    path = write(root / "a", *(scalars(step, loss=float(step)) for step in range(4)))
    write(root / "a", scalars(4, loss=4.0), attempt=1)
    begin = _size_before_last(path)
    harm(path, begin)
    run = read(root)[0]["a"]

    assert ((0, 0.0), (1, 1.0), (2, 2.0), (4, 4.0)) == run.history("loss")
    assert f"at byte {begin} of {path}" in run.damage


def test_a_record_that_is_no_event_costs_itself(root):
    """It matches its checksum and is none of ours: the message says so."""
    path = write(root / "a", scalars(1, loss=1.0))
    size = path.stat().st_size
    event = messages().event(wall_time=3.0, entry=b'{"kind":"ended","status":"WHATEVER"}')
    with path.open("ab") as file:
        file.write(framed(event.SerializeToString()))
    run = read(root)[0]["a"]

    assert (
        f"the record at byte {size} of {path} is whole, but holds no event that can be read: another program, or a later "
        f"version of this one, wrote it. Everything else in the file can be read"
    ) == run.damage
    assert ("UNFINISHED", {"loss": 1.0}) == (run.status, run.metrics)


@pytest.mark.parametrize("time", [float("nan"), float("inf"), -1e300, 1e12])
def test_a_time_beyond_the_calendar_is_none(root, time):
    """A point of such a time is damage, whichever way it is read."""
    path = write(root / "a", scalars(1, loss=1.0))
    log = LogWriter(path, again=True)
    log.append(Scalars(wall_time=time, step=2, values={"loss": 2.0}))
    log.close()
    run = read(root)[0]["a"]

    assert ((1, 1.0),) == run.history("loss")
    assert "holds no event" in run.damage


def test_a_log_without_a_readable_beginning_is_named(root):
    """Nobody knows which run it is."""
    path = write(root / "a", scalars(1, loss=1.0))
    harm(path, 60)
    (root / "theirs").mkdir()
    (root / "theirs" / "tfevents.gz").write_bytes(b"\x1f\x8b" + bytes(100))
    runs, unreadable = read(root)

    assert {} == runs
    assert [f"of {path} does", f"of {root}/theirs/tfevents.gz does"] == [
        next(
            part
            for part in (f"of {path} does", f"of {root}/theirs/tfevents.gz does")
            if part in str(one)
        )
        for one in unreadable
    ]


def test_pipes_and_directories_that_are_named_like_event_files_are_passed_over(root):
    """Reading a pipe would never end."""
    write(root / "a", scalars(1, loss=1.0))
    os.mkfifo(root / "a" / "events.out.tfevents.000001.treadle")
    (root / "b").mkdir()
    os.mkfifo(root / "b" / "events.out.tfevents.1")
    (root / "c" / "events.out.tfevents.000001.treadle").mkdir(parents=True)
    (root / "d").mkdir()
    (root / "d" / "tfevents").symlink_to("/dev/zero")
    (root / "d" / "lost.tfevents").symlink_to("nowhere")
    runs, unreadable = read(root)

    assert (["a"], []) == (list(runs), unreadable)
    assert ((1, 1.0),) == runs["a"].history("loss")


def test_links_in_a_ring_end(root):
    """Neither a link to itself nor one to a folder above is followed for ever, and no run is there twice."""
    write(root / "e" / "a", scalars(1, loss=1.0))
    (root / "self").symlink_to("self")
    (root / "e" / "up").symlink_to(root)
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    (root / "other").symlink_to(root / "e")

    assert ["a"] == list(read(root)[0])
    assert 1 == len(open_runs(f"tensorboard:{root}"))


def test_a_file_that_grows_or_shrinks_meanwhile_is_read_as_far_as_it_goes(root, monkeypatch):
    """Whatever becomes of it between two blocks, the records that were whole are there."""
    monkeypatch.setattr("treadle_tracking.wire._FIRST_BLOCK", 64)
    monkeypatch.setattr("treadle_tracking.wire._LARGEST_BLOCK", 64)
    path = write(root / "a", *(scalars(step, loss=1.0) for step in range(20)))
    size = path.stat().st_size
    number = count()
    scan = scanning.Scan.__iter__

    def changing(self):
        for each in scan(self):
            if next(number) == 5:
                os.truncate(path, size // 2)
            yield each

    monkeypatch.setattr(standing.Scan, "__iter__", changing, raising=False)
    run = read(root)[0]["a"]

    assert (None, {"loss": 1.0}) == (run.damage, run.metrics)


def test_a_large_log_is_listed_in_little_memory(root):
    """Of 64 MB of images, no more than a few are in memory while a run is listed and its numbers are read."""
    image = PNG + bytes(1_000_000)
    write(
        root / "a",
        *(
            entry
            for step in range(64)
            for entry in (
                Image(wall_time=2.0, step=step, name="big", png=image, width=7, height=5),
                scalars(step, loss=1.0),
            )
        ),
        Text(wall_time=3.0, step=0, name="long", text="x" * 1_000_000),
    )
    tracemalloc.start()
    run = read(root)[0]["a"]
    history = run.history("loss")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (64, ("big",), ("long",)) == (len(history), run.images, run.texts)
    assert peak < 24_000_000


def test_histories_are_of_the_names_that_are_asked_for(root):
    """All of a run's metrics without names; a run that has none of them is not there."""
    write(root / "a", scalars(1, loss=1.0, acc=0.5))
    write(root / "b", scalars(1, acc=0.25))
    runs = open_runs(f"tensorboard:{root}")
    reader = runs._reader

    assert [("a", "loss", [(1, 3000, 1.0)])] == [
        (run.name, name, list(points)) for run, name, points in reader.histories(runs, ["loss"])
    ]
    assert [("a", "acc"), ("a", "loss"), ("b", "acc")] == sorted(
        (run.name, name) for run, name, _ in reader.histories(runs)
    )


def test_a_run_that_is_gone_is_an_error_of_this_package(root):
    """What is asked of it after it was listed says where it was."""
    path = write(root / "a", scalars(1, loss=1.0))
    run = read(root)[0]["a"]
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(RunDirectoryError) as caught:
        run.history("loss")

    assert (
        f"{path.parent}: the run cannot be read any more: No such file or directory. List the runs again"
        == str(caught.value)
    )


def test_an_artifact_is_downloaded(root, tmp_path):
    """Its bytes are those of the run's file."""
    with start_run(f"tensorboard:{root}", name="a") as run:
        run.json("vocab", {"a": 1})
    record = read(root)[0]["a"]
    record.reader.download(record, "vocab.json", tmp_path / "copy")

    assert (run.directory / "artifacts" / "vocab.json").read_bytes() == (
        tmp_path / "copy"
    ).read_bytes()


@pytest.mark.parametrize(
    "path", ["../../secret", "{}/secret", "link", "away/secret", "gone", "pipe", "a\0b"]
)
def test_nothing_outside_a_run_is_downloaded(root, tmp_path, path):
    """Neither its log nor a link among its artifacts leads out of its directory, and a pipe is not waited for."""
    (tmp_path / "secret").write_text("secret")
    (root / "secret").write_text("secret")
    path = path.format(tmp_path)
    write(root / "a", Artifact(wall_time=2.0, path=path, size=6, sha256="0"))
    artifacts = root / "a" / "artifacts"
    artifacts.mkdir()
    (artifacts / "link").symlink_to(tmp_path / "secret")
    (artifacts / "away").symlink_to(tmp_path)
    os.mkfifo(artifacts / "pipe")
    run = read(root)[0]["a"]
    with pytest.raises(TrackingError) as caught:
        run.reader.download(run, path, tmp_path / "copy")

    assert str(caught.value).startswith(f"the artifact {path!r} of the run 'a' cannot be read: ")
    assert not (tmp_path / "copy").exists()


@pytest.mark.slow
def test_what_nobody_may_look_into_is_named(tmp_path):
    """Directories and files without permission are told, and everything else is listed, without an index."""
    if shutil.which("setpriv") is None or os.geteuid() != 0:
        pytest.skip("needs setpriv and root, to be somebody else")
    with tempfile.TemporaryDirectory() as place:  # where somebody else may look
        Path(place).chmod(0o755)
        root = Path(place) / "runs"
        write(root / "a", scalars(1, loss=1.0))
        path = write(root / "b", scalars(1, loss=1.0))
        write(root / "closed" / "c", scalars(1, loss=1.0))
        path.chmod(0)
        (root / "closed").chmod(0)
        script = (
            "import sys; from treadle_tracking import open_runs; from treadle_tracking.reading import listing;"
            "listing._WORTH_KEEPING = -1; runs = open_runs('tensorboard:' + sys.argv[1]);"
            "print([run.name for run in runs], sorted(one.filename for one in runs._reader.unreadable))"
        )
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        done = subprocess.run(
            [*nobody, sys.executable, "-B", "-c", script, str(root)],
            capture_output=True,
            text=True,
            check=True,
        )

        assert f"['a'] ['{path}', '{root}/closed']\n" == done.stdout
        assert ["a", "b", "closed"] == sorted(one.name for one in root.iterdir())


def test_what_is_being_copied_is_no_run(tmp_path):
    """Files that copies leave in their workshop are nobody's runs, whatever they are called."""
    with start_run(f"tensorboard:{tmp_path}", name="a"):
        pass
    unfinished = tmp_path / ".treadle-copying" / "x" / "artifacts"
    unfinished.mkdir(parents=True)
    (unfinished / "events.out.tfevents.1.host").write_bytes(b"")

    assert ["a"] == [run.name for run in open_runs(f"tensorboard:{tmp_path}")]
