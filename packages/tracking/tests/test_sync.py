"""Sending what is left of a run."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from treadle_tracking.attempts import cut
from treadle_tracking.entries import Artifact, Committed, Ended, Params, Scalars, Started
from treadle_tracking.errors import InvalidTarget, InvalidTimeout, RunDirectoryError
from treadle_tracking.log import LogWriter, attempt_path
from treadle_tracking.mirrors.errors import (
    NoMirror,
    NotReplaceable,
    PasswordNeeded,
    RunDeleted,
    StillWritten,
    SyncIncomplete,
)
from treadle_tracking.mirrors.sender import Sender
from treadle_tracking.mirrors.state import Sent, load_every, save_sent
from treadle_tracking.ownership import Ownership
from treadle_tracking.syncing import sync

STARTED = Started(wall_time=1000.25, uid="u1", experiment="digits", name="baseline")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """What fails is tried again at once."""
    monkeypatch.setattr("treadle_tracking.mirrors.sender.FIRST_PAUSE", 0.001)


@pytest.fixture
def directory(tmp_path):
    """A run whose process died: no end in its log, and a half-written last record."""
    path = tmp_path / "runs" / "digits" / "baseline"
    (path / "artifacts").mkdir(parents=True)
    (path / "artifacts" / "a.txt").write_text("a")
    log = LogWriter(attempt_path(path))
    log.append(STARTED)
    log.append(Params(wall_time=1000.25, values={"lr": 0.1}))
    log.append(Artifact(wall_time=1000.5, path="a.txt", size=1, sha256=""))
    for step in range(20):
        log.append(Scalars(wall_time=1001.0 + step, step=step, values={"loss": 1 / (step + 1)}))
    log.close()
    with attempt_path(path).open("ab") as file:
        file.write(b"\x20\x00\x00")
    return path


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A database that MLflow has made, which takes seconds; each test has a copy."""
    for module in ("mlflow", "sqlalchemy", "alembic"):
        pytest.importorskip(module, reason="needs the extra treadle-tracking[mlflow]")
    from treadle_tracking.mirrors.mlflow import MLflowMirror

    path = tmp_path_factory.getbasetemp() / "mlflow-template.db"
    if not path.exists():
        MLflowMirror(f"sqlite:///{path}")._store.connect()
    return path


@pytest.fixture
def target(template, tmp_path):
    return f"mlflow:sqlite:///{shutil.copy(template, tmp_path / 'mlflow.db')}"


def points_at(target):
    """The status of the one run, and the points of its loss by step."""
    from mlflow import MlflowClient

    client = MlflowClient(target.removeprefix("mlflow:"))
    [run] = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    points = client.get_metric_history(run.info.run_id, "loss")
    assert len(points) == len({point.step for point in points})
    return run.info.status, {point.step: point.value for point in points}


EXPECTED = {step: 1 / (step + 1) for step in range(20)}


def test_a_run_that_never_had_a_mirror_is_sent_to_one(directory, target):
    """With `to`, any run can be brought to MLflow; without its end it is still running there."""
    actual = sync(directory, to=target)

    assert [target] == actual
    assert ("RUNNING", EXPECTED) == points_at(target)


def test_a_mirror_once_given_is_remembered(directory, target):
    """A second `sync` needs no target, sends what is new, and doubles nothing."""
    sync(directory, to=target)
    (directory / "events.out.tfevents.000001.treadle").touch()
    log = LogWriter(attempt_path(directory, 2))
    log.append(Ended(wall_time=1100.0, status="FAILED"))
    log.close()

    actual = sync(str(directory))

    assert [target] == actual
    assert ("FAILED", EXPECTED) == points_at(target)


def test_what_a_lost_sender_left_is_sent(directory, target):
    """The note that a sender leaves before it sends anything is enough to finish its work."""
    save_sent(directory, Sent(uri=target))

    actual = sync(directory)

    assert [target] == actual
    assert ("RUNNING", EXPECTED) == points_at(target)


def test_a_run_that_is_being_written_can_be_sent_meanwhile(directory, target):
    """Two senders of one run at once leave each point once."""
    from treadle_tracking.mirrors.mlflow import MLflowMirror

    sender = Sender(directory, MLflowMirror(target.removeprefix("mlflow:")))
    sender.start()

    sync(directory)

    assert None is sender.close(None)
    assert ("RUNNING", EXPECTED) == points_at(target)


def test_a_relative_target_is_kept_absolute(directory, target, tmp_path, monkeypatch):
    """A database that was named from one directory is found from another."""
    monkeypatch.chdir(tmp_path)
    sync(directory, to="mlflow:sqlite:///mlflow.db")
    monkeypatch.chdir("/")

    actual = sync(directory)

    assert [target] == actual


def test_a_directory_without_a_run_is_refused(tmp_path):
    """The directory of all runs, or of none, is named."""
    with pytest.raises(RunDirectoryError) as caught:
        sync(tmp_path, to="mlflow:sqlite:///mlflow.db")

    assert (
        f"{tmp_path}: there is no run in it. Name the directory of one run, not of several"
    ) == str(caught.value)


def test_a_run_without_a_mirror_asks_for_one(directory):
    """Without a note and without `to`, the call to make is shown."""
    with pytest.raises(NoMirror) as caught:
        sync(directory)

    assert (
        f"the run in {directory} has no mirror. Say where it is to be sent: "
        f"python -m treadle_tracking sync {directory} --to mlflow:sqlite:///mlflow.db"
    ) == str(caught.value)


def test_a_password_is_asked_for(directory):
    """A mirror that was given with a password needs it again."""
    save_sent(directory, Sent(uri="mlflow:http://***@host"))

    with pytest.raises(PasswordNeeded) as caught:
        sync(directory)

    assert (
        f"the run in {directory} is mirrored to mlflow:http://***@host, and its password is not kept. Give the whole "
        f"address: python -m treadle_tracking sync {directory} --to mlflow:http://USER:PASSWORD@host"
    ) == str(caught.value)


def test_a_place_to_keep_runs_is_no_mirror(directory):
    """A run has one directory already."""
    with pytest.raises(InvalidTarget) as caught:
        sync(directory, to="tensorboard:runs")

    assert ("'tensorboard:runs' is where runs are kept. Name a mirror, as in 'mlflow:URI'") == str(
        caught.value
    )


def test_what_does_not_arrive_is_an_error(directory, target, capsys):
    """`sync` does not return as if all were well, and says why."""
    database = Path(target.removeprefix("mlflow:sqlite:///"))
    database.write_bytes(b"SQLite format 3\0" + b"and then nothing of the kind" * 9)
    why = f"DatabaseUnusable: the database {database} cannot be used: file is not a database"

    with pytest.raises(SyncIncomplete) as caught:
        sync(directory, to=target)

    assert (
        f"23 entries of this run did not reach {target} in time ({why}); "
        f"send the rest with: python -m treadle_tracking sync {directory} --to {target}"
    ) == str(caught.value)
    assert capsys.readouterr().err == ""


def test_a_mirror_that_was_never_reached_is_not_remembered(directory, fake_mlflow):
    """Whoever has mistyped an address is not reminded of it by every later `sync`; one that was reached stays."""
    reached = f"mlflow:{fake_mlflow.uri}"
    sync(directory, to=reached)
    with pytest.raises(SyncIncomplete):
        sync(directory, to="mlflow:http://127.0.0.1:9")

    assert [reached] == [sent.uri for sent in load_every(directory)]


def test_a_mirror_of_a_run_is_kept_though_it_was_never_reached(directory):
    """What the run itself was started with is no slip of `to`."""
    save_sent(directory, Sent(uri="mlflow:http://127.0.0.1:9"))
    with pytest.raises(SyncIncomplete):
        sync(directory, to="mlflow:http://127.0.0.1:9")

    assert ["mlflow:http://127.0.0.1:9"] == [sent.uri for sent in load_every(directory)]


@pytest.mark.parametrize("given", [None, 5, b"runs", "", "a\0b"])
def test_what_is_no_directory_is_an_error(given):
    """Nothing is taken for the current directory."""
    with pytest.raises(InvalidTarget) as caught:
        sync(given)

    assert (
        f"directory is {given!r} ({type(given).__name__}), which names nothing; "
        f"expected the path of a run's directory"
    ) == str(caught.value)


@pytest.mark.parametrize("given", ["x", -1, float("nan"), float("inf"), True])
def test_a_timeout_is_seconds(directory, given):
    """A time that is none is refused before anything is sent."""
    with pytest.raises(InvalidTimeout) as caught:
        sync(directory, to="mlflow:http://127.0.0.1:9", timeout=given)

    assert (
        f"timeout is {given!r} ({type(given).__name__}); expected 0 or more seconds, or None for no limit"
    ) == str(caught.value)


def test_a_log_without_an_entry_is_no_run(tmp_path):
    """Three bytes have not arrived as a whole: there is nothing to send."""
    (tmp_path / "events.out.tfevents.000000.treadle").write_bytes(b"abc")
    with pytest.raises(RunDirectoryError) as caught:
        sync(tmp_path, to="mlflow:http://127.0.0.1:9")

    assert (
        f"{tmp_path}: there is no run in it, only a log without an entry. Delete it if you like"
    ) == str(caught.value)


def test_a_run_that_is_written_is_not_made_anew(directory):
    """Its own sender would be sending to what is deleted."""
    ownership = Ownership(directory)
    with pytest.raises(StillWritten) as caught:
        sync(directory, to="mlflow:http://127.0.0.1:9", rebuild=True)
    ownership.release()

    assert (
        f"the run in {directory} is being written by process {os.getpid()} on {socket.gethostname()}, and it is made "
        f"anew at a mirror only when it has ended"
    ) == str(caught.value)


@pytest.mark.parametrize(("to", "why"), [("foo", "'foo' is no mirror."), (5, "to is 5 (int);")])
def test_what_is_no_mirror_is_not_taken_for_a_directory(directory, to, why):
    """No hint leads to what is refused next."""
    with pytest.raises(InvalidTarget) as caught:
        sync(directory, to=to)

    assert str(caught.value).startswith(why)
    assert "tensorboard" not in str(caught.value)


def active_at(fake):
    """The runs that are not deleted, and the points of each as (step, value)."""
    return {
        identity: sorted((step, value) for _, step, _, value in run["points"])
        for identity, run in fake.runs.items()
        if run["info"]["lifecycle_stage"] == "active"
    }


def test_a_run_is_made_anew_without_what_was_cut_out(directory, fake_mlflow):
    """`rebuild` deletes the run, points of an abandoned attempt and all, and sends the log to another one."""
    target = f"mlflow:{fake_mlflow.uri}"
    sync(directory, to=target)
    [before] = active_at(fake_mlflow)
    cut(directory, 1, step=10)
    log = LogWriter(attempt_path(directory, 1))
    log.append(Scalars(wall_time=2000.0, step=10, values={"loss": 0.0}))
    log.close(Ended(wall_time=2001.0, status="FINISHED"))

    actual = sync(directory, rebuild=True)

    [(after, points)] = active_at(fake_mlflow).items()
    assert [target] == actual
    assert before != after
    assert [*list(EXPECTED.items())[:10], (10, 0.0)] == points
    assert "FINISHED" == fake_mlflow.runs[after]["info"]["status"]
    assert [after] == [sent.identity for sent in load_every(directory)]


def test_a_run_that_was_deleted_is_made_anew(directory, fake_mlflow):
    """Without `rebuild` it is an error that names the run; with it, there is another."""
    target = f"mlflow:{fake_mlflow.uri}"
    sync(directory, to=target)
    [before] = fake_mlflow.runs
    fake_mlflow.runs_delete({"run_id": before})
    save_sent(directory, Sent(uri=target))

    with pytest.raises(SyncIncomplete, match=RunDeleted.__name__):
        sync(directory)
    sync(directory, rebuild=True)

    [(after, points)] = active_at(fake_mlflow).items()
    assert before != after
    assert list(EXPECTED.items()) == points


def test_what_is_held_back_is_sent(directory, fake_mlflow):
    """A run that sends only what is committed has all of it sent by `sync`."""
    target = f"mlflow:{fake_mlflow.uri}"
    log = LogWriter(attempt_path(directory, 1))
    log.append(Committed(wall_time=1500.0, step=20))
    log.append(Scalars(wall_time=1501.0, step=20, values={"loss": 0.0}))
    log.close()
    from treadle_tracking.backends import mirror

    sender = Sender(directory, mirror(target), "committed")
    sender.start()
    sender.close(60)
    [held] = active_at(fake_mlflow).values()

    sync(directory)

    [points] = active_at(fake_mlflow).values()
    assert list(EXPECTED.items()) == held
    assert [*EXPECTED.items(), (20, 0.0)] == points


def test_a_mirror_that_cannot_be_reached_does_not_keep_others_waiting(directory, fake_mlflow):
    """One needs its password; the other has everything all the same."""
    save_sent(directory, Sent(uri="mlflow:http://***@host"))
    save_sent(directory, Sent(uri=f"mlflow:{fake_mlflow.uri}"))

    with pytest.raises(SyncIncomplete) as caught:
        sync(directory)

    assert [list(EXPECTED.items())] == list(active_at(fake_mlflow).values())
    assert (
        f"the run in {directory} is mirrored to mlflow:http://***@host, and its password is not kept. Give the whole "
        f"address: python -m treadle_tracking sync {directory} --to mlflow:http://USER:PASSWORD@host"
    ) == str(caught.value)


class Plain:
    """A mirror that can do nothing but take entries."""

    uri = "plain:there"
    identity = None

    def open(self, started, directory):
        pass

    def send(self, entries):
        pass

    def close(self):
        pass


def test_a_mirror_that_cannot_make_a_run_anew_says_so(directory, monkeypatch):
    """A run is not taken for rebuilt where it is not."""
    monkeypatch.setattr("treadle_tracking.syncing.make_mirror", lambda uri: Plain())
    save_sent(directory, Sent(uri="plain:there"))

    with pytest.raises(NotReplaceable) as caught:
        sync(directory, rebuild=True)

    assert (
        "the mirror plain:there cannot make a run anew in place of the one that it has: leave out `rebuild`, or remove "
        "the run there and send it again"
    ) == str(caught.value)


KILLED = """
import os, signal, sys
from treadle_tracking import start_run
run = start_run(["tensorboard:runs", "mlflow:sqlite:///mlflow.db"], experiment="digits", name="killed")
for step in range(int(sys.argv[1])):
    run.log({"loss": 1 / (step + 1)}, step=step)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 500, 20_000])
def test_a_killed_run_is_finished_by_sync(target, tmp_path, steps):
    """Everything that `log` had returned from before a kill -9 arrives, once."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(steps)], cwd=tmp_path, capture_output=True, check=False
    )
    directory = tmp_path / "runs" / "digits" / "killed"

    sync(directory)

    assert -signal.SIGKILL == done.returncode
    assert ("RUNNING", {step: 1 / (step + 1) for step in range(steps)}) == points_at(target)


SYNC = [sys.executable, "-m", "treadle_tracking", "sync"]


def written(path, steps):
    """A run of so many points that has ended."""
    (path / "artifacts").mkdir(parents=True)
    (path / "artifacts" / "a.txt").write_text("a")
    log = LogWriter(attempt_path(path))
    log.append(STARTED)
    log.append(Params(wall_time=1000.25, values={"lr": 0.1}))
    for step in range(steps):
        log.append(Scalars(wall_time=1001.0 + step, step=step, values={"loss": 1 / (step + 1)}))
    log.append(Artifact(wall_time=20_000.0, path="a.txt", size=1, sha256=""))
    log.close(Ended(wall_time=20_001.0, status="FINISHED"))
    return path


def whole(steps):
    return ("FINISHED", {step: 1 / (step + 1) for step in range(steps)})


def active_runs(target):
    from mlflow import MlflowClient

    client = MlflowClient(target.removeprefix("mlflow:"))
    return client.search_runs([client.get_experiment_by_name("digits").experiment_id])


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--rebuild"]])
def test_a_sync_that_is_killed_again_and_again_gets_there(tmp_path, target, more):
    """Wherever a kill -9 hits it, the next one goes on, and in the end everything is there once."""
    chance = random.Random(f"{more}")
    command = [*SYNC, str(written(tmp_path / "run", 10_000)), "--to", target, *more]
    killed = 0
    for _ in range(8):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            process.wait(chance.uniform(0.8, 3.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (0, "1 run has arrived as a whole\n", "") == (done.returncode, done.stdout, done.stderr)
    assert killed > 2
    assert whole(10_000) == points_at(target)


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--rebuild"]])
def test_syncs_at_once_leave_one_run(tmp_path, target, more):
    """Two processes that send the same run, or both make it anew, end with one of it, as a whole."""
    directory = written(tmp_path / "run", 2_000)
    command = [*SYNC, str(directory), "--to", target, *more]
    processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]

    codes = [process.wait() for process in processes]

    assert 0 in codes
    subprocess.run([*SYNC, str(directory)], check=True)
    assert 1 == len(active_runs(target))
    assert whole(2_000) == points_at(target)


WRITING = """
import sys, time
from treadle_tracking import start_run
with start_run("tensorboard:runs", experiment="digits", name="written") as run:
    print(run.directory, flush=True)
    for step in range(10_000):
        run.log({"loss": 1 / (step + 1)}, step=step)
        time.sleep(0.0005)
"""


@pytest.mark.slow
def test_a_run_is_sent_while_another_process_writes_it(target, tmp_path):
    """Each `sync` sends what is there, and the last one the rest."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITING], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    directory = process.stdout.readline().strip()
    counts = []
    while process.poll() is None:
        sync(directory, to=target)
        counts.append(len(points_at(target)[1]))
    process.stdout.close()

    sync(directory)

    assert counts == sorted(counts)
    assert whole(10_000) == points_at(target)
