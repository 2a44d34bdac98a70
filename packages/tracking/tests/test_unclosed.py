"""Runs that nobody closes, that are copied, and whose directory goes while they are written."""

import copy
import gc
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from treadle_tracking import open_runs, start_run, starting
from treadle_tracking.entries import Ended, Scalars
from treadle_tracking.errors import RecordingFailed, RunInUse
from treadle_tracking.log import read_entries
from treadle_tracking.ownership import writer_of

RUNS = "tensorboard:runs"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def ran(script, **options):
    """What a script did that starts a run in `runs` of the current directory."""
    return subprocess.run(
        [sys.executable, "-c", "from treadle_tracking import start_run\n" + script],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
        **options,
    )


def full(*_, **__):
    raise OSError(28, "No space left on device")


class Taking:
    """A mirror that takes everything."""

    uri = "mlflow:taking"
    identity = "r"

    def __init__(self):
        self.sent = []

    def open(self, started, directory):
        pass

    def send(self, sent):
        self.sent += sent

    def close(self):
        pass


# Runs that are let go of


def test_a_run_to_which_nothing_refers_is_let_go_of(capsys):
    """What it recorded is there, it has no end, its directory is free, and `auto` goes on with it."""
    run = start_run(RUNS, name="a")
    run.log({"loss": 1.0}, step=1)
    directory = run.directory
    thread = run._recorder._pulse._thread
    capsys.readouterr()
    del run
    gc.collect()

    assert not thread.is_alive()
    assert writer_of(directory) is None
    assert (
        f"treadle: nothing refers to the run in {directory} any more, and it was not closed: it has no end, and can be "
        f"resumed. Keep it in a variable, or use `with`\n"
    ) == capsys.readouterr().err
    assert ("UNFINISHED", ((1, 1.0),)) == (
        open_runs(RUNS)["a"].status,
        open_runs(RUNS)["a"].history("loss"),
    )
    with start_run(RUNS, name="a", resume="auto") as again:
        assert directory == again.directory


def test_a_run_in_a_cycle_is_let_go_of_by_whichever_thread_collects_it(root):
    """Even a daemon, as the run's own threads are, which may hold a lock just then, sees to it without waiting."""
    run = start_run(RUNS, name="a")
    run.log({"loss": 1.0}, step=1)
    directory, thread = run.directory, run._recorder._pulse._thread
    cycle = [run]
    cycle.append(cycle)
    del run, cycle
    collecting = Thread(target=gc.collect, daemon=True)
    collecting.start()
    collecting.join()
    thread.join(60)

    assert not thread.is_alive()
    assert not [e for e, _ in read_entries(directory) if isinstance(e, Ended)]


def test_a_run_that_is_let_go_of_lets_its_sender_end(monkeypatch):
    """The thread that follows its log sends what is left, and ends."""
    mirror = Taking()
    monkeypatch.setattr(starting, "_mirror", lambda uri: mirror)
    run = start_run([RUNS, "mlflow:sqlite:///a.db"], name="a")
    run.log({"loss": 1.0}, step=1)
    thread = run._senders[0]._thread
    del run
    gc.collect()
    thread.join(60)

    assert not thread.is_alive()
    assert [{"loss": 1.0}] == [e.values for e in mirror.sent if isinstance(e, Scalars)]


def test_a_run_that_this_process_writes_is_in_use_by_it(root):
    """Whoever started a run in this very process and did not close it is told so, with a way out."""
    run = start_run(RUNS, name="a")
    with pytest.raises(RunInUse) as caught:
        start_run(RUNS, name="a", resume="auto")
    run.close()

    assert (
        f"the run in {run.directory} is being written by this process (number {os.getpid()}), where it was started and "
        f"not closed: close it, with `run.close()`, or start another run. Where no name for it is left, as after a "
        f"notebook cell that raised, that exception has held it until this one came: call `gc.collect()`, and try again"
    ) == str(caught.value)


# Programs that end


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", "FINISHED"),
        ("raise ValueError", "FAILED"),
        ("raise KeyboardInterrupt", "KILLED"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "KILLED"),
    ],
)
def test_a_program_ends_the_runs_that_it_leaves_open(end, status):
    """Without `with` or `close`, the run ends as the program does, and no word is said."""
    done = ran(f"run = start_run({RUNS!r}, name='a')\nrun.log({{'loss': 1}}, step=1)\n{end}")

    assert "treadle: " not in done.stderr
    assert status == open_runs(RUNS)["a"].status


def test_a_program_that_leaves_a_run_open_waits_for_its_mirrors():
    """As in `close`, mirrors get what they still lack before the process is gone."""
    done = ran(
        "from treadle_tracking import starting\n"
        "class Taking:\n"
        "    uri, identity = 'mlflow:taking', 'r'\n"
        "    def open(self, started, directory): pass\n"
        "    def send(self, sent): print(*(type(e).__name__ for e in sent))\n"
        "    def close(self): pass\n"
        "starting._mirror = lambda uri: Taking()\n"
        f"run = start_run([{RUNS!r}, 'mlflow:sqlite:///a.db'], name='a')\nrun.log({{'loss': 1}}, step=1)\n"
    )

    assert ["Started", "Params", "Scalars", "Ended"] == done.stdout.split()


def test_a_program_that_is_killed_ends_no_run():
    """Where the interpreter has no time to say so, there is no end."""
    done = ran(
        f"import os\nrun = start_run({RUNS!r}, name='a')\nos.kill(os.getpid(), {signal.SIGKILL:d})"
    )

    assert -signal.SIGKILL == done.returncode
    assert "UNFINISHED" == open_runs(RUNS)["a"].status


# Copies


def test_a_copied_run_is_the_run():
    """Whatever holds a run may be copied, deeply too, and records in the same run."""
    with start_run(RUNS, name="a") as run:
        holder = SimpleNamespace(run=run)

        assert run is copy.copy(run)
        assert run is copy.deepcopy(holder).run


def test_a_pickled_run_records_nothing():
    """What is unpickled knows which run it was and does nothing; the run itself is not touched."""
    with start_run(RUNS, name="a") as run:
        other = pickle.loads(pickle.dumps(run))
        other.log({"loss": 1.0}, step=1)
        other.close()

        assert (run.uid, run.directory, False) == (other.uid, other.directory, other.recording)
        assert run.recording
    assert "FINISHED" == open_runs(RUNS)["a"].status
    assert () == tuple(open_runs(RUNS)["a"].metrics)


# Directories that go


def gone(directory):
    return (
        f"treadle: {directory} is gone: it was deleted or moved while the run goes on; training goes on, and what is "
        f"recorded from now on is lost unless the directory is put back\n"
    )


def deleted(directory):
    shutil.rmtree(directory)


def moved(directory):
    directory.rename("elsewhere")


@pytest.mark.parametrize("go", [deleted, moved])
@pytest.mark.parametrize(
    "notice",
    [
        lambda run: run.flush(),
        lambda run: run.commit(1),
        lambda run: run.state_dict(),
        lambda run: run._recorder._beat(),
        lambda run: run.close(),
    ],
    ids=["flush", "commit", "state_dict", "beat", "close"],
)
def test_a_directory_that_goes_is_noticed(notice, go, capsys):
    """It is said once that it is gone, and at the end that something is lost."""
    run = start_run(RUNS, name="a")
    run.log({"loss": 1.0}, step=1)
    capsys.readouterr()
    go(run.directory)
    notice(run)
    said = capsys.readouterr().err
    run.close()
    said += capsys.readouterr().err

    assert said.startswith(gone(run.directory))
    assert 1 == said.count("is gone")
    assert "treadle: at least " in said


def test_what_is_recorded_after_its_directory_went_is_counted(capsys):
    """Each entry since it was noticed is lost, and the end too."""
    run = start_run(RUNS, name="a")
    shutil.rmtree(run.directory)
    run.flush()
    for step in range(3):
        run.log({"loss": 1.0}, step=step)
    run.close()

    assert capsys.readouterr().err.endswith(
        "treadle: at least 4 entries of the run 'a' could not be written and are lost\n"
    )


def test_a_directory_that_is_put_back_has_lost_nothing(capsys):
    """What was recorded meanwhile is in the file, which only had another name."""
    run = start_run(RUNS, name="a")
    run.directory.rename("elsewhere")
    run.flush()
    run.log({"loss": 1.0}, step=1)
    Path("elsewhere").rename(run.directory)
    run.close()

    assert gone(run.directory) == capsys.readouterr().err
    assert ((1, 1.0),) == open_runs(RUNS)["a"].history("loss")


def test_a_strict_run_raises_when_its_directory_is_gone():
    """Whatever notices it raises, and so does what would record after that."""
    run = start_run(RUNS, name="a", strict=True)
    shutil.rmtree(run.directory)
    sentence = (
        f"{run.directory} cannot be written to: it was deleted or moved while the run goes on. Without `strict=True` the "
        f"run would say so once and go on"
    )
    for recording in (
        run.flush,
        run.state_dict,
        lambda: run.commit(1),
        lambda: run.log({"loss": 1.0}, step=1),
        run.close,
    ):
        with pytest.raises(RecordingFailed) as caught:
            recording()

        assert sentence == str(caught.value)
    assert "FINISHED" == run.status


@pytest.mark.parametrize("again", [False, True])
def test_a_mirror_does_not_have_what_went_with_the_directory(again, monkeypatch, capsys):
    """It is not said to have everything, were a directory of the name there again, and no missing file is spoken of."""
    mirror = Taking()
    monkeypatch.setattr(starting, "_mirror", lambda uri: mirror)
    run = start_run([RUNS, "mlflow:sqlite:///a.db"], name="a")
    run.directory.rename("elsewhere")
    shutil.rmtree("elsewhere", ignore_errors=True)
    for step in range(100):
        run.log({"loss": 1.0}, step=step)
    if again:
        run.json("late", 1)
    run.close()
    said = capsys.readouterr().err

    assert () == run.mirrored
    assert (
        f" did not get all of this run, and will not get the rest: {run.directory} was deleted or moved while the run went "
        f"on\n"
    ) in said
    assert "FileNotFoundError" not in said


# Disks that are full


@pytest.mark.parametrize(
    ("checkpoint", "waiting"),
    [
        (lambda run: run.state_dict(), "1 entry waits"),
        (lambda run: run.commit(1), "2 entries wait"),
    ],
    ids=["state_dict", "commit"],
)
def test_a_checkpoint_while_the_disk_is_full_is_said_to_lack_something(
    checkpoint, waiting, monkeypatch, capsys
):
    """Entries that wait in memory are not what a checkpoint says that it covers, and the user is told, once."""
    run = start_run(RUNS, name="a")
    capsys.readouterr()
    with monkeypatch.context() as patched:
        patched.setattr("treadle_tracking.log.os.write", full)
        run.log({"loss": 1.0}, step=1)
        capsys.readouterr()
        checkpoint(run)
        said = capsys.readouterr().err
        checkpoint(run)
        assert "" == capsys.readouterr().err
    run.close()

    them = "it" if waiting.startswith("1") else "them"
    assert (
        f"treadle: {waiting} for room in {run.directory}: a checkpoint that is taken now does not cover {them}. Make room, "
        f"and take another\n"
    ) == said


def test_a_checkpoint_of_a_strict_run_raises_while_the_disk_is_full(monkeypatch):
    """A strict run keeps nothing in memory, and says so where it is to be final."""
    run = start_run(RUNS, name="a", strict=True)
    with monkeypatch.context() as patched:
        patched.setattr("treadle_tracking.log.os.write", full)
        with pytest.raises(RecordingFailed):
            run.commit(1)
    run.close()

    assert "FINISHED" == open_runs(RUNS)["a"].status


def test_a_file_that_there_is_no_room_for_is_named(monkeypatch, capsys):
    """The first that cannot be kept is said, with its name and why; the end counts them all."""
    run = start_run(RUNS, name="a")
    capsys.readouterr()
    with monkeypatch.context() as patched:
        patched.setattr("treadle_tracking.artifacts.copy_file", full)
        run.json("first", 1)
        run.json("second", 2)
    run.close()

    assert (
        f"treadle: artifacts/first.json could not be kept in {run.directory} (No space left on device), and is lost, as is "
        f"any later file that there is no room for; training goes on\n"
        "treadle: 2 entries of the run 'a' could not be written and are lost\n"
    ) == capsys.readouterr().err
