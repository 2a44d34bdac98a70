"""What is left of many runs is put right at once, as at the end of a sweep."""

import pytest
from attrs import evolve

from treadle_tracking import InvalidTarget, InvalidTimeout, RunDirectoryError, mend_runs, open_runs
from treadle_tracking.entries import Ended, Scalars, Started
from treadle_tracking.log import LogWriter, attempt_path
from treadle_tracking.mirrors.state import Sent, save_sent
from treadle_tracking.ownership import Ownership

STARTED = Started(wall_time=1000.25, uid="", experiment="digits", name="")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """What fails is tried again at once."""
    monkeypatch.setattr("treadle_tracking.mirrors.sender.FIRST_PAUSE", 0.001)


@pytest.fixture
def make_run(tmp_path):
    """Make a run of one point, whose process is gone."""

    def make(uid, *, status=None, name=None):
        name = name or uid.replace("/", "-")
        path = tmp_path / "runs" / "digits" / name
        path.mkdir(parents=True)
        (path / "params.json").write_text("{}")
        log = LogWriter(attempt_path(path))
        log.append(evolve(STARTED, uid=uid, name=name))
        log.append(Scalars(wall_time=1001.0, step=1, values={"loss": 0.5}))
        if status is not None:
            log.append(Ended(wall_time=1002.0, status=status))
        log.close()
        return path

    return make


@pytest.fixture
def target(tmp_path):
    return f"tensorboard:{tmp_path / 'runs'}"


def test_the_runs_of_dead_processes_are_ended(make_run, target):
    """A run without an end is KILLED when it was last heard of, and one that has an end keeps it."""
    make_run("s/1")
    make_run("s/2", status="FAILED")

    assert [] == mend_runs(target)
    assert [("KILLED", 1001.0), ("FAILED", 1002.0)] == [
        (open_runs(target)[uid].status, open_runs(target)[uid].ended) for uid in ("s/1", "s/2")
    ]


def test_only_the_runs_that_are_meant_are_touched(make_run, target, fake_mlflow):
    """A run whose uid begins otherwise is left as it is: unfinished, and not sent."""
    for uid in ("s/1", "other/1"):
        save_sent(make_run(uid), Sent(uri=f"mlflow:{fake_mlflow.uri}"))

    assert [] == mend_runs(target, uid_prefix="s/")
    assert ["KILLED", "UNFINISHED"] == [open_runs(target)[uid].status for uid in ("s/1", "other/1")]
    assert 1 == len(fake_mlflow.runs)


def test_what_mirrors_lack_is_sent(make_run, target, fake_mlflow):
    """A run that has its end, and has not reached its mirror, is sent as a whole."""
    save_sent(make_run("s/1", status="FINISHED"), Sent(uri=f"mlflow:{fake_mlflow.uri}"))

    assert [] == mend_runs(target)
    [run] = fake_mlflow.runs.values()
    assert ("FINISHED", 1) == (run["info"]["status"], len(run["points"]))


def test_a_run_that_is_written_is_left_alone(make_run, target):
    """A process that writes a run goes on, and nothing is said of it."""
    directory = make_run("s/1")
    ownership = Ownership(directory)
    try:
        told = mend_runs(target)
    finally:
        ownership.release()

    assert [] == told
    assert "UNFINISHED" == open_runs(target)["s/1"].status


def test_the_runs_of_other_programs_are_left_alone(make_run, target, tmp_path):
    """Event files that somebody else writes are read as unfinished runs, and nobody ends them."""
    foreign = tmp_path / "runs" / "theirs" / "events.out.tfevents.1.host"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(attempt_path(make_run("s/1", status="FINISHED")).read_bytes())
    before = foreign.read_bytes()

    assert [] == mend_runs(target)
    assert (before, [foreign]) == (foreign.read_bytes(), [*foreign.parent.iterdir()])


def test_what_is_left_is_a_sentence(make_run, target):
    """What cannot be put right is said with the directory and the reason: a silent server, a password that is not kept."""
    down = make_run("s/1", status="FINISHED")
    save_sent(down, Sent(uri="mlflow:http://127.0.0.1:9"))
    locked = make_run("s/2", status="FINISHED")
    save_sent(locked, Sent(uri="mlflow:http://***@host"))

    unreached, unsent = mend_runs(target, timeout=5)

    assert unreached.startswith(
        f"{down} 3 entries have not reached mlflow:http://127.0.0.1:9: 3 entries of this run did not reach "
    )
    assert unsent.startswith(
        f"{locked} 3 entries have not reached mlflow:http://***@host, and its password is not kept: send them with "
    )


def test_a_damaged_note_of_a_mirror_is_a_sentence(make_run, target):
    """A run of which the mirrors are not known any more is named, and the others are mended."""
    damaged = make_run("s/1", status="FINISHED")
    (damaged / ".mirror-0123456789ab.json").write_text("{")
    make_run("s/2")

    [told] = mend_runs(target)

    assert told.startswith(f"{damaged} ")
    assert "KILLED" == open_runs(target)["s/2"].status


def test_of_two_copies_nothing_is_sent(make_run, target, fake_mlflow):
    """Two directories of one uid and one mirror are both named, and neither is sent."""
    copies = [make_run("s/1", status="FINISHED", name=name) for name in ("a", "b")]
    for copy in copies:
        save_sent(copy, Sent(uri=f"mlflow:{fake_mlflow.uri}"))

    told = mend_runs(target)

    assert [True, True] == [f"{copy} has the uid 's/1' of" in "".join(told) for copy in copies]
    assert {} == fake_mlflow.runs


def test_runs_are_mended_in_their_directory(tmp_path):
    """A mirror, a directory that is not there, and no time to wait are errors."""
    with pytest.raises(InvalidTarget) as mirror:
        mend_runs("mlflow:http://me:secret@host")
    with pytest.raises(RunDirectoryError):
        mend_runs(f"tensorboard:{tmp_path / 'missing'}")
    with pytest.raises(InvalidTimeout):
        mend_runs(f"tensorboard:{tmp_path}", timeout=-1)

    assert (
        "'mlflow:http://***@host' is no directory of runs, where they are mended. Name it, as in 'tensorboard:runs'"
    ) == str(mirror.value)
