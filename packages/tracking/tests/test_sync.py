"""Sending what is left of a run."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from treadle_tracking.entries import Artifact, Ended, Params, Scalars, Started
from treadle_tracking.errors import InvalidTarget, RunDirectoryError
from treadle_tracking.log import LogWriter, attempt_path
from treadle_tracking.mirrors.errors import NoMirror, PasswordNeeded, SyncIncomplete
from treadle_tracking.mirrors.sender import Sender
from treadle_tracking.mirrors.state import Sent, save_sent
from treadle_tracking.syncing import sync

STARTED = Started(wall_time=1000.25, uid="u1", experiment="digits", name="baseline")


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
        MLflowMirror(f"sqlite:///{path}")._connected()
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
        f"treadle_tracking.sync({str(directory)!r}, to='mlflow:sqlite:///mlflow.db')"
    ) == str(caught.value)


def test_a_password_is_asked_for(directory):
    """A mirror that was given with a password needs it again."""
    save_sent(directory, Sent(uri="mlflow:http://***@host"))

    with pytest.raises(PasswordNeeded) as caught:
        sync(directory)

    assert (
        f"the run in {directory} is mirrored to mlflow:http://***@host, and its password is not kept. Give the whole "
        f"address: treadle_tracking.sync({str(directory)!r}, to='mlflow:http://USER:PASSWORD@host')"
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
        f"send the rest with: treadle_tracking.sync({str(directory)!r})"
    ) == str(caught.value)
    assert (
        f"treadle: {target} does not take the run ({why}); the run goes on in {directory}, "
        f"and sending is tried again\n"
    ) == capsys.readouterr().err


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
