"""What a run costs the thread that logs, and what it bears."""

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import pytest

from treadle_tracking import open_runs, start_run, starting
from treadle_tracking.entries import Ended, Params, Rewound, Scalars, Started
from treadle_tracking.errors import RecordingFailed, RunDirectoryError, RunEnded
from treadle_tracking.log import attempt_path, read_entries
from treadle_tracking.ownership import Ownership
from treadle_tracking.pulse import Pulse
from treadle_tracking.recalled import recalled
from treadle_tracking.recorder import Recorder
from treadle_tracking.run import Run

RUNS = "tensorboard:runs"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def entries(run):
    return [entry for entry, _ in read_entries(run.directory)]


class Blocked:
    """A mirror that accepts and never answers, until it is released."""

    uri = "mlflow:blocked"
    identity = "r"

    def __init__(self):
        self.sending, self.released = Event(), Event()

    def open(self, started, directory):
        pass

    def send(self, sent):
        self.sending.set()
        self.released.wait(60)

    def close(self):
        pass


def full(*_, **__):
    raise OSError(28, "No space left on device")


def test_a_log_call_is_one_write(monkeypatch):
    """Whatever is in a call, `log` asks the system for one write and nothing else."""
    with start_run(RUNS) as run:
        run.log({"loss": 1.0}, step=0)
        real, writes = os.write, []
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", lambda *args: (writes.append(1), real(*args))[1])
            for name in ("open", "fsync", "ftruncate", "fstat", "stat", "rename", "utime"):
                patched.setattr(os, name, None)
            for step in range(1, 4):
                run.log({"loss": 1.0, f"new/{step}": step, "nan": float("nan")}, step=step)

    assert 3 == len(writes)


def test_a_log_call_waits_for_no_mirror_and_no_lock(monkeypatch):
    """While a mirror is silent, its note is being written, the pulse is busy and a run goes back, nobody who logs waits."""
    mirror, beating = Blocked(), Event()
    monkeypatch.setattr(starting, "_mirror", lambda uri: mirror)
    monkeypatch.setattr(Pulse, "nudge", lambda self: beating.set())
    run = start_run([RUNS, "mlflow:http://x"])
    mirror.sending.wait(60)
    with monkeypatch.context() as patched:
        for name in ("socket", "create_connection", "getaddrinfo"):
            patched.setattr(socket, name, None)
        done = Event()

        def work():
            for step in range(100):
                run.log({"loss": 1.0}, step=step)
            done.set()

        with run._senders[0]._noting, run._recorder._going_back, run._ending:
            thread = Thread(target=work)
            thread.start()
            logged = done.wait(60)
            thread.join()
    mirror.released.set()
    run.close()

    assert logged
    assert 100 == len(open_runs(RUNS)[run.uid].history("loss"))


def test_a_thread_that_logs_while_the_run_goes_back_is_in_the_new_attempt(monkeypatch):
    """Between finding the log and appending to it the run may have gone back; what is logged is there all the same."""
    run = start_run(RUNS)
    run.log({"loss": 1.0}, step=1)
    log = run._recorder._log
    encoder = log._encoder

    def record(entry):
        if isinstance(entry, Scalars):
            run.rewind(1)  # as another thread may, between any two steps of this one
        return encoder.record(entry)

    log._encoder = SimpleNamespace(record=record)
    run.log({"loss": 2.0}, step=1)
    run.close()

    assert [Started, Params, Started, Rewound, Scalars, Ended] == [type(e) for e in entries(run)]
    assert ((1, 2.0),) == open_runs(RUNS)[run.uid].history("loss")


def test_a_run_that_is_closed_while_another_thread_logs_ends_once(monkeypatch):
    """Threads that log until they are told find the run ended; what they logged before is there, and the end is last."""
    run = start_run(RUNS)
    logged = [0] * 4
    begun = Event()

    def log(thread):
        try:
            while True:
                run.log({f"loss/{thread}": logged[thread]}, step=logged[thread])
                logged[thread] += 1
                begun.set()
        except RunEnded:
            pass

    threads = [Thread(target=log, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    begun.wait(60)
    run.close()
    for thread in threads:
        thread.join()
    read = open_runs(RUNS)[run.uid]
    points = [
        len(read.history(name)) if name in read.metrics else 0
        for name in (f"loss/{thread}" for thread in range(4))
    ]

    assert type(entries(run)[-1]) is Ended
    assert logged == points


def test_threads_that_log_as_a_run_goes_on_replace_once(root):
    """Four threads that come first at once go back once, and everything of theirs is behind it."""
    for status in ("KILLED", "FINISHED"):
        run = start_run(RUNS, uid="u", resume="auto")

        def log(thread, run=run):
            for step in range(1, 51):
                run.log({f"loss/{thread}": step}, step=step)

        threads = [Thread(target=log, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        run.close(status)
    (read,) = open_runs(RUNS)

    assert {
        f"loss/{thread}": tuple((step, float(step)) for step in range(1, 51)) for thread in range(4)
    } == {name: read.history(name) for name in read.metrics}
    assert 1 == sum(type(entry) is Rewound for entry in entries(run))


def test_what_waits_for_room_is_written_without_another_call(monkeypatch, capsys):
    """As soon as there is room again, the thread beside the run writes what waits."""
    written = Event()
    monkeypatch.setattr(Pulse, "FLUSH_SECONDS", 0.0)
    real = Recorder._flushed

    def flushed(self):
        waits = real(self)
        if not waits:
            written.set()
        return waits

    monkeypatch.setattr(Recorder, "_flushed", flushed)
    run = start_run(RUNS, name="a")
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        for step in range(5):
            run.log({"loss": float(step)}, step=step)
        meanwhile = open_runs(RUNS)["a"].metrics
    arrived = written.wait(60)
    afterwards = open_runs(RUNS)["a"].history("loss")
    run.close()

    assert ({}, True) == (meanwhile, arrived)
    assert tuple((step, float(step)) for step in range(5)) == afterwards
    assert (
        f"treadle: {run.directory} cannot be written to (No space left on device); training goes on, entries are kept "
        f"in memory as far as that goes and written when there is room\n"
    ) == capsys.readouterr().err


def test_an_end_that_there_is_no_room_for_is_told(monkeypatch, capsys):
    """The run ended, and reads as one that did not: that is said with the number of what is lost."""
    run = start_run(RUNS, name="a")
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        run.close("FAILED")

    assert ("FAILED", "UNFINISHED") == (run.status, open_runs(RUNS)["a"].status)
    assert (
        "treadle: 1 entry of the run 'a' could not be written and is lost; it is the end of the run, which reads as "
        "UNFINISHED, and not as FAILED\n" == capsys.readouterr().err.splitlines(keepends=True)[-1]
    )


def test_what_there_was_never_room_for_is_counted_at_the_end(monkeypatch, capsys):
    """A disk that stays full costs the entries, said once, and counted; nothing is raised."""
    run = start_run(RUNS, name="a")
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        for step in range(5):
            run.log({"loss": float(step)}, step=step)
        run.text("note", "a", step=1)
        run.tag({"a": "b"})
        run.commit(1)
        run.flush()
        run.state_dict()
        run.close()

    assert 9 == run._recorder.lost
    assert (
        "treadle: 9 entries of the run 'a' could not be written and are lost; the end of the run is one of them, which "
        "reads as UNFINISHED, and not as FINISHED\n"
        == (capsys.readouterr().err.splitlines(keepends=True)[-1])
    )
    assert ("UNFINISHED", {}) == (open_runs(RUNS)["a"].status, open_runs(RUNS)["a"].metrics)


def test_a_strict_run_raises(monkeypatch, capsys):
    """With `strict=True` whatever cannot be written is an error, at the call, and nothing of it is there later."""
    run = start_run(RUNS, name="a", strict=True)
    run.log({"loss": 1.0}, step=1)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        for record in (
            lambda: run.log({"loss": 2.0}, step=2),
            lambda: run.text("a", "b", step=2),
            lambda: run.tag({"a": "b"}),
            lambda: run.commit(2),
        ):
            with pytest.raises(RecordingFailed) as caught:
                record()
    run.log({"loss": 3.0}, step=3)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(RecordingFailed):
            run.close()

    assert (
        f"{run.directory} cannot be written to: No space left on device. Without `strict=True` the run would keep what "
        f"it can in memory and go on"
    ) == str(caught.value)
    assert ("UNFINISHED", ((1, 1.0), (3, 3.0))) == (
        open_runs(RUNS)["a"].status,
        open_runs(RUNS)["a"].history("loss"),
    )
    assert not (run.directory / ".writer").exists()
    assert "" == capsys.readouterr().err


def test_a_strict_run_that_goes_on_raises_where_it_cannot_go_back(monkeypatch):
    """The first `log` of it says so, and the log is as it was."""
    run = start_run(RUNS, uid="u")
    run.log({"loss": 1.0}, step=1)
    run.close("FAILED")
    run = start_run(RUNS, uid="u", resume="must", strict=True)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(RecordingFailed):
            run.log({"loss": 2.0}, step=1)
    run.close()

    assert ((1, 1.0),) == open_runs(RUNS)["u"].history("loss")


def test_a_strict_run_that_cannot_write_in_the_background_raises_at_the_next_call(monkeypatch):
    """What the thread beside the run could not write is no traceback there, stays, and is an error where it is asked for."""
    run = start_run(RUNS, name="a", strict=True)
    pending = [Scalars(wall_time=1e10, step=1, values={"loss": 1.0})]

    def deliver(append):
        while pending:
            append(pending[0])
            del pending[0]

    run._recorder._pending = SimpleNamespace(deliver=deliver, lost=0, trouble=None, add=None)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        again = run._recorder._flushed()
        with pytest.raises(RecordingFailed):
            run.flush()
    run.close()

    assert again
    assert ((1, 1.0),) == open_runs(RUNS)["a"].history("loss")


def test_a_start_without_room_leaves_no_run(root, monkeypatch):
    """Where not even who the run is can be written, there is no run."""
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(RunDirectoryError) as caught:
            start_run(RUNS, name="a")

    assert (
        f"{root}/default/a: the run cannot be written here: No space left on device. "
        f"Name a directory that can be written to"
    ) == str(caught.value)
    assert [] == list((root / "default").iterdir())


def test_a_thread_that_cannot_be_started_leaves_no_run(root, monkeypatch):
    """A process that is out of threads is told so, and no file is left or left open."""

    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        start_run(RUNS, name="a")

    assert [] == list((root / "default").iterdir())
    assert [] == [link for link in _open_files() if str(root) in link]


def _open_files():
    """What the files are that this process has open, where the system says so."""
    found = []
    for descriptor in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):  # the one with which they were listed
            found.append(str(descriptor.readlink()))
    return found


def test_a_closed_run_leaves_nothing_behind(root):
    """No thread, no open file, and no note of a writer is left of it."""
    with start_run(RUNS) as run:
        run.log({"loss": 1.0}, step=1)
    thread = run._recorder._pulse._thread

    assert not thread.is_alive()
    assert [] == [link for link in _open_files() if str(root) in link]
    assert ["artifacts", "events.out.tfevents.000000.treadle", "params.json"] == sorted(
        path.name for path in run.directory.iterdir()
    )


FORKED = """
import os
from treadle_tracking import start_run
from treadle_tracking.pending import Pending
run = start_run('tensorboard:runs', name='a')
Pending.deliver = lambda self, append: print(os.getpid(), flush=True)
child = os.fork()
if child == 0:
    run.flush()
    run.close()
    raise SystemExit
os.waitpid(child, 0)
print(os.getpid(), flush=True)
"""


def test_a_forked_process_flushes_nothing_as_it_ends():
    """What was pending when it was forked is the first process's to write."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED],
        check=True,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    itself, at_exit = done.stdout.split()

    assert itself == at_exit


def test_a_log_that_repeats_nothing_goes_on_as_it_is(root):
    """A recorder that is told so replaces nothing, whatever steps come."""
    run = start_run(RUNS, uid="u")
    run.log({"loss": 1.0}, step=1)
    run.close("FAILED")
    before = recalled(run.directory)
    recorder = Recorder(
        run.directory,
        before.started,
        before,
        ownership=Ownership(run.directory),
        repeats=False,
    )
    recorder.mirror([], at_once=True)
    recorder.log({"loss": 2.0}, 1)
    recorder.close(Ended(wall_time=recorder.clock.now(), status="FINISHED"))
    (read,) = open_runs(RUNS)

    assert ("FINISHED", ((1, 1.0), (1, 2.0))) == (read.status, read.history("loss"))


def test_an_interrupt_after_a_write_leaves_a_place_that_is_true(monkeypatch):
    """A checkpoint that is saved on Ctrl-C or SIGTERM can be loaded, wherever in `log` that arrived."""
    run = start_run(RUNS, uid="u")
    real = os.write

    def interrupted(*arguments):
        real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run.log({"loss": 1.0}, step=1)
    state = run.state_dict()
    run.close("KILLED")
    with start_run(RUNS, uid="u", resume="must") as run:
        run.load_state_dict(state)

    assert ((1, 1.0),) == open_runs(RUNS)["u"].history("loss")


def test_a_recorder_that_is_abandoned_leaves_no_file(root):
    """An attempt that was not even begun has none."""
    run = start_run(RUNS, uid="u")
    run.close("FAILED")
    before = recalled(run.directory)
    ownership = Ownership(run.directory)
    recorder = Recorder(run.directory, before.started, before, ownership=ownership)
    there = attempt_path(run.directory, 1).exists()
    recorder.abandon()
    ownership.release()

    assert (True, False) == (there, attempt_path(run.directory, 1).exists())
    assert "FAILED" == open_runs(RUNS)["u"].status


def test_what_is_recalled_is_what_goes_on(root):
    """Of a log a run that goes on knows who it is, its parameters, its artifacts, its last step and its latest time."""
    with start_run(RUNS, uid="u", name="a", params={"lr": 0.1}) as run:
        run.params({"added": 1})
        run.log({"loss": 1.0}, step=7)
        run.text("note", "a", step=9)
        run.json("vocab", {})
    found = recalled(run.directory)
    latest = max(entry.wall_time for entry in entries(run))

    assert ("u", {"lr": 0.1, "added": 1}, 10, latest, True) == (
        found.started.uid,
        found.params,
        found.next_step,
        found.latest,
        found.has_session,
    )
    assert ["vocab.json"] == list(found.artifacts)
    assert (None, {}, 0, 0.0, False) == (
        (empty := recalled(root)).started,
        empty.params,
        empty.next_step,
        empty.latest,
        empty.has_session,
    )


@pytest.mark.parametrize(
    ("step", "is_told"),
    [(2**31 - 1, False), (2**31, True), (-(2**31), False), (-(2**31) - 1, True)],
)
def test_a_step_that_tensorboard_cannot_show_is_told_once(capsys, tmp_path, step, is_told):
    """Its HPARAMS page has 32 bits for a step; all is kept all the same."""
    with start_run(f"tensorboard:{tmp_path}", name="n") as run:
        run.log({"loss": 1.0}, step=step)
        run.log({"loss": 2.0}, step=step)

    assert ((step, 1.0), (step, 2.0)) == open_runs(f"tensorboard:{tmp_path}")["n"].history("loss")
    assert (
        f"treadle: the step {step} does not fit into 32 bits: all is kept, but TensorBoard's HPARAMS page fails for every "
        f"run below the same directory. Count from a smaller number, such as the optimizer updates so far\n"
        if is_told
        else ""
    ) == capsys.readouterr().err


def test_an_interrupt_of_the_last_flush_loses_no_end(monkeypatch):
    """A Ctrl-C while a device is waited for at the end ends the wait, and the log has its end."""
    run = start_run(RUNS, name="a")
    run.log({"loss": 1.0}, step=1)

    def interrupted(recorder):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "flush", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run.close()

    assert isinstance(entries(run)[-1], Ended)
    assert "FINISHED" == open_runs(RUNS)["a"].status


def test_whatever_goes_wrong_with_a_flush_the_thread_that_flushes_lives(monkeypatch, capsys):
    """It also says that the process lives: the error is said once, and it is tried again."""
    flushes, flushed = [], Event()

    def failing(recorder):
        flushes.append(1)
        if len(flushes) == 2:
            flushed.set()
        if len(flushes) <= 2:
            raise ZeroDivisionError("of a device")

    monkeypatch.setattr(Pulse, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(Recorder, "flush", failing)
    with start_run(RUNS, name="a") as run:
        run._recorder._pulse.nudge()

        assert flushed.wait(60)
    assert (
        "treadle: metrics on a device could not be fetched, and it is tried again (ZeroDivisionError: of a device)\n"
        == capsys.readouterr().err
    )


def test_the_last_step_there_is_can_be_gone_back_behind():
    """The step after it would be none, and the run goes on all the same."""
    with start_run(RUNS, name="a") as run:
        run.log({"loss": 1.0}, step=2**63 - 1)
        state = run.state_dict()
        run.log({"loss": 2.0}, step=2**63 - 1)
        run.load_state_dict(state)

    assert ((2**63 - 1, 1.0),) == open_runs(RUNS)["a"].history("loss")
    assert [2**63 - 1] == [entry.step for entry in entries(run) if isinstance(entry, Rewound)]


def test_a_start_that_fails_at_a_function_leaves_no_run_open(root, monkeypatch):
    """The run that was begun for it has failed, and nobody is in it."""

    def failing(run, name, function):
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "function", failing)
    with pytest.raises(KeyboardInterrupt):
        start_run(RUNS, name="a", params={"f": full})

    assert ["FAILED"] == [run.status for run in open_runs(RUNS)]
