"""The mirror in a process of its own: everything arrives, whichever process dies, and nobody is left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace

import pytest

from treadle_tracking import open_runs, start_run
from treadle_tracking.attempts import cut
from treadle_tracking.entries import Committed, Ended, Scalars, Started, Tags
from treadle_tracking.log import LogWriter, attempt_path
from treadle_tracking.mirrors import follower
from treadle_tracking.mirrors.process import ProcessSender
from treadle_tracking.mirrors.state import load_every

STARTED = Started(wall_time=1000.25, uid="u1", experiment="digits", name="baseline")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """What fails is tried again at once."""
    monkeypatch.setattr("treadle_tracking.mirrors.process.FIRST_PAUSE", 0.001)


def until(condition):
    """Wait for something that another process does."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_gone(pid):
    """Whether there is no such process, not even one that nobody has waited for."""
    return not Path(f"/proc/{pid}").exists()


def steps_at(fake):
    """The steps of every point that the one run there has."""
    [run] = fake.runs.values() or [{"points": set()}]
    return sorted(step for _, step, _, _ in run["points"])


@pytest.fixture
def directory(tmp_path):
    """A run directory without a log."""
    path = tmp_path / "runs" / "digits" / "baseline"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def log(directory):
    """The log of a run that has begun."""
    writer = LogWriter(attempt_path(directory))
    writer.append(STARTED)
    yield writer
    writer.close()


@pytest.fixture
def started(directory, fake_mlflow):
    """A function that starts a sender; all are closed at the end."""
    senders = []

    def start(uri=None, when="logged"):
        sender = ProcessSender(directory, uri or f"mlflow:{fake_mlflow.uri}", when)
        senders.append(sender)
        sender.start()
        until(lambda: sender._child is not None)
        return sender

    start.senders = senders
    yield start
    for sender in senders:
        sender.close(0)


def logged(log, steps):
    for step in steps:
        log.append(Scalars(wall_time=1001.0 + step, step=step, values={"loss": 1 / (step + 1)}))


def test_everything_arrives_and_the_process_ends(started, log, fake_mlflow):
    """What is logged before and after the start is there when `close` returns, and so is the end."""
    logged(log, range(10))
    sender = started()
    child = sender._child.pid
    logged(log, range(10, 20))
    log.close(Ended(wall_time=1100.0, status="FINISHED"))

    left = sender.close(60)

    [run] = fake_mlflow.runs.values()
    assert (None, None) == (left, sender.failure)
    assert (list(range(20)), "FINISHED") == (steps_at(fake_mlflow), run["info"]["status"])
    assert is_gone(child)
    assert None is sender.close(60)


def test_the_log_is_followed_while_the_run_goes_on(started, log, fake_mlflow):
    """Nobody has to wake it."""
    started()

    logged(log, range(3))

    until(lambda: steps_at(fake_mlflow) == [0, 1, 2])


def test_the_process_shows_no_password_and_is_out_of_the_way(
    directory, fake_mlflow, log, started, capfd
):
    """The address is in no list of processes, a terminal's Ctrl-C does not reach it, and it gives way to others."""
    fake_mlflow.authorization = "Basic dXNlcjpzZWNyZXQ="  # user:secret
    sender = started(f"mlflow:{fake_mlflow.uri.replace('//', '//user:secret@')}")
    until(lambda: fake_mlflow.runs)
    child = sender._child.pid
    command = Path(f"/proc/{child}/cmdline").read_bytes()

    assert b"secret" not in command
    assert b"secret" not in b"".join(path.read_bytes() for path in directory.iterdir())
    assert (child, os.getpriority(os.PRIO_PROCESS, 0) + 5) == (
        os.getsid(child),
        os.getpriority(os.PRIO_PROCESS, child),
    )
    assert None is sender.close(60)
    assert ("", "") == capfd.readouterr()


def test_a_process_that_dies_is_replaced(started, log, fake_mlflow, directory, capfd):
    """It is said once, and what it had not sent arrives."""
    sender = started()
    for _ in range(2):
        child = sender._child
        until(lambda: fake_mlflow.runs)
        child.kill()
        until(lambda child=child: sender._child not in (child, None))
    logged(log, range(20))

    assert None is sender.close(60)
    assert list(range(20)) == steps_at(fake_mlflow)
    assert (
        f"treadle: the process that sends the run in {directory} to mlflow:{fake_mlflow.uri} has ended, by the signal "
        f"SIGKILL; the run goes on, and another process is started\n"
    ) == capfd.readouterr().err


def test_a_scheduler_that_stops_everyone_does_not_stop_it(started, log, fake_mlflow):
    """SIGTERM is for the run, and the mirror ends after it."""
    sender = started()
    until(lambda: fake_mlflow.runs)
    child = sender._child

    os.kill(child.pid, signal.SIGTERM)
    logged(log, range(5))
    log.close(Ended(wall_time=1100.0, status="KILLED"))

    assert None is sender.close(60)
    assert child.returncode == 0
    assert list(range(5)) == steps_at(fake_mlflow)


def test_a_process_that_cannot_begin_is_told_of(
    started, log, directory, tmp_path, monkeypatch, capfd
):
    """The last thing it wrote is the reason, in the sentence at the end, too."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho out of luck\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    sender = ProcessSender(directory, "mlflow:http://127.0.0.1:9")
    sender.start()
    until(lambda: sender._has_said_end)

    left = sender.close(60)

    why = "with the exit code 3: out of luck"
    assert (
        f"1 entry of this run did not reach mlflow:http://127.0.0.1:9 in time (the process that sends it has ended, "
        f"{why}); send the rest with: python -m treadle_tracking sync {directory}"
    ) == left
    assert (
        f"treadle: the process that sends the run in {directory} to mlflow:http://127.0.0.1:9 has ended, {why}; "
        f"the run goes on, and another process is started\n"
    ) == capfd.readouterr().err


def test_a_server_that_is_down_is_said_once(started, log, directory, capfd):
    """The sentences are the thread's own: one when it fails, and one for what is left."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        uri = f"mlflow:http://127.0.0.1:{taken.getsockname()[1]}"
    sender = started(uri)

    left = sender.close(60)

    why = (
        f"ServerUnreachable: {uri} cannot be reached: Connection refused. Is the server running, and is this its "
        f"address?"
    )
    assert (
        f"1 entry of this run did not reach {uri} in time ({why}); "
        f"send the rest with: python -m treadle_tracking sync {directory}"
    ) == left
    assert (
        f"treadle: {uri} does not take the run ({why}); the run goes on in {directory}, and sending is tried again\n"
    ) == capfd.readouterr().err


def test_a_server_that_never_answers_is_given_up(log, started, directory):
    """After the timeout the process is ended, and nothing waits for it any longer."""
    with closing(socket.socket()) as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen()
        uri = f"mlflow:http://127.0.0.1:{hole.getsockname()[1]}"
        sender = started(uri)
        connection, _ = hole.accept()
        child = sender._child.pid

        left = sender.close(0)

        connection.close()
    assert (
        f"1 entry of this run did not reach {uri} in time (it has not answered); "
        f"send the rest with: python -m treadle_tracking sync {directory}"
    ) == left
    assert is_gone(child)


def test_what_is_not_final_is_held_back(started, log, fake_mlflow):
    """With `committed`, only what comes before the last commit is sent."""
    logged(log, range(3))
    log.append(Committed(wall_time=1010.0, step=2))
    logged(log, range(3, 6))
    sender = started(when="committed")

    assert None is sender.close(60)
    assert [0, 1, 2] == steps_at(fake_mlflow)


def test_a_log_that_was_cut_is_read_anew(started, log, fake_mlflow, directory):
    """What is left of a file that is shorter now is sent, though the process had read beyond it."""
    logged(log, range(299))
    started()
    until(lambda: load_every(directory)[0].position.offset == log.position().offset)
    with fake_mlflow.lock:
        logged(log, range(299, 700))
        log.append(Tags(wall_time=2000.0, values={"kept": "yes"}))
        log.close()
        again = LogWriter(attempt_path(directory, 1))
        again.append(STARTED)

        sender = started.senders[0]
        sender.rewind(cut(directory, 1, step=0))
    again.append(Scalars(wall_time=3000.0, step=0, values={"loss": 0.0}))
    again.close()

    assert None is sender.close(60)
    [run] = fake_mlflow.runs.values()
    assert "yes" == run["data"]["tags"]["kept"]
    assert 0.0 in {value for *_, value in run["points"]}


def test_the_last_of_several_processes_is_told_to_end(started, log, fake_mlflow, monkeypatch):
    """One that died shortly before `close` is replaced by one that sends the rest, and does not wait for more."""
    monkeypatch.setattr("treadle_tracking.mirrors.process.FIRST_PAUSE", 1000.0)
    sender = started()
    sender._child.kill()
    until(lambda: sender._has_said_end)
    logged(log, range(5))

    assert None is sender.close(60)
    assert list(range(5)) == steps_at(fake_mlflow)


def test_a_log_that_is_cut_before_the_start_is_read_anew(log, fake_mlflow, directory):
    """The note itself goes back while there is no process that could."""
    logged(log, range(10))
    sender = ProcessSender(directory, f"mlflow:{fake_mlflow.uri}")
    sender.start()
    sender.close(60)
    log.close()

    again = ProcessSender(directory, f"mlflow:{fake_mlflow.uri}")
    places = cut(directory, 1, step=5)
    again.rewind(places)

    [sent] = load_every(directory)
    assert places == {sent.position.file: sent.position.offset}


def test_a_run_that_never_starts_leaves_no_process(directory, fake_mlflow):
    """Closed before its start, a sender has only left its note."""
    sender = ProcessSender(directory, f"mlflow:{fake_mlflow.uri}")

    assert None is sender.close(0)
    assert [f"mlflow:{fake_mlflow.uri}"] == [sent.uri for sent in load_every(directory)]
    assert {} == fake_mlflow.runs


KILLED = """
import os, signal, sys, time
from pathlib import Path
from treadle_tracking.entries import Scalars, Started
from treadle_tracking.log import LogWriter, attempt_path
from treadle_tracking.mirrors.process import ProcessSender
directory = Path(sys.argv[1])
log = LogWriter(attempt_path(directory))
log.append(Started(wall_time=1000.25, uid="u1", experiment="digits", name="baseline"))
sender = ProcessSender(directory, sys.argv[2])
sender.start()
while sender._child is None:
    time.sleep(0.01)
if sys.argv[3] == "fork" and os.fork() == 0:
    time.sleep(600)  # a worker, which has inherited the pipe
for step in range(2_000):
    log.append(Scalars(wall_time=1001.0 + step, step=step, values={"loss": 1 / (step + 1)}))
print(sender._child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["alone", "fork"])
def test_a_killed_run_is_sent_as_a_whole(directory, fake_mlflow, kind):
    """After a kill -9 the process delivers the rest, then ends, though a forked worker lives on."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(directory), f"mlflow:{fake_mlflow.uri}", kind],
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    try:
        child = int(process.stdout.readline())
        process.wait()

        until(lambda: len(steps_at(fake_mlflow)) == 2_000)
        until(lambda: is_gone(child))
    finally:
        process.stdout.close()
        if kind == "fork":
            os.killpg(process.pid, signal.SIGKILL)
    assert -signal.SIGKILL == process.returncode


def test_a_run_says_where_it_is_mirrored_from(fake_mlflow, tmp_path):
    """With `mirror="process"`, everything that a run records arrives, and the run does not know the difference."""
    (tmp_path / "a.bin").write_bytes(b"a")
    target = [f"tensorboard:{tmp_path / 'runs'}", f"mlflow:{fake_mlflow.uri}"]

    with start_run(target, name="a", mirror="process", params={"lr": 0.1}) as run:
        run.log({"loss": 0.5}, step=1)
        run.text("note", "text", step=1)
        run.artifact(tmp_path / "a.bin")

    [found] = fake_mlflow.runs.values()
    files = {path.rpartition("artifacts/")[2] for path in fake_mlflow.files}
    assert run.mirrors == run.mirrored
    assert ("FINISHED", {"lr": "0.1"}) == (found["info"]["status"], found["data"]["params"])
    assert {"params.json", "texts/note/1.md", "a.bin"} == files
    assert [1] == steps_at(fake_mlflow)


def test_a_run_goes_back_and_on(fake_mlflow, tmp_path):
    """A resume and a rewind reach the process, so that what is repeated arrives."""
    target = [f"tensorboard:{tmp_path / 'runs'}", f"mlflow:{fake_mlflow.uri}"]
    for attempt in range(3):
        with start_run(target, uid="u", resume="auto", mirror="process") as run:
            for step in range(10 * attempt, 10 * attempt + 20):
                run.log({"loss": float(attempt)}, step=step)
            run.rewind(10 * attempt + 15)
            run.log({"loss": attempt + 0.5}, step=10 * attempt + 15)

    [history] = [one.history("loss") for one in open_runs(target[0])]
    [found] = fake_mlflow.runs.values()
    assert run.mirrors == run.mirrored
    assert set(history) <= {(step, value) for _, step, _, value in found["points"]}


def test_two_runs_of_one_program_have_a_process_each(fake_mlflow, tmp_path):
    """Nothing is shared between them."""
    target = [f"tensorboard:{tmp_path / 'runs'}", f"mlflow:{fake_mlflow.uri}"]
    runs = [start_run(target, mirror="process") for _ in range(2)]
    for number, run in enumerate(runs):
        run.log({"loss": 1.0}, step=number)
    for run in runs:
        run.close()

    assert [run.mirrors for run in runs] == [run.mirrored for run in runs]
    assert [{0}, {1}] == sorted(
        ({step for _, step, _, _ in one["points"]} for one in fake_mlflow.runs.values()), key=min
    )


LIGHT = """
import sys
from treadle_tracking import start_run
with start_run(["tensorboard:runs", "mlflow:sqlite:///mlflow.db"], mirror="process") as run:
    run.log({"loss": 1.0}, step=1)
print(run.mirrored == run.mirrors, sorted({"mlflow", "sqlalchemy", "alembic"} & set(sys.modules)))
"""


@pytest.mark.slow
def test_the_program_that_trains_loads_no_client(tmp_path):
    """What a database takes is imported in the other process alone."""
    for module in ("mlflow", "sqlalchemy", "alembic"):
        pytest.importorskip(module, reason="needs the extra treadle-tracking[mlflow]")

    done = subprocess.run(
        [sys.executable, "-c", LIGHT], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert "True []\n" == done.stdout


@pytest.mark.parametrize(("looks", "expected"), [(True, True), (False, False)])
def test_a_process_that_waits_for_what_is_final_does_not_look(
    directory, log, monkeypatch, looks, expected
):
    """It would read everything since the last commit, again and again: it is told instead."""
    looked, woken = [], []
    parents = iter([7, 7, 7, 7, 8])
    monkeypatch.setattr(follower, "os", SimpleNamespace(getppid=lambda: next(parents)))
    monkeypatch.setattr(follower, "SHORTEST_PAUSE", 0.0)
    monkeypatch.setattr(follower, "LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(follower, "_lines", lambda _: SimpleQueue())
    monkeypatch.setattr(follower, "_state", lambda _: looked.append(1) or looked[:])
    sender = SimpleNamespace(wake=lambda: woken.append(1))

    assert [] == list(follower._orders(None, 7, directory, sender, looks=looks))
    assert (expected, expected) == (bool(looked), bool(woken))


def test_a_process_is_told_what_is_final(started, log, fake_mlflow):
    """What is woken for a commit sends up to it, and what comes after waits for the next."""
    sender = started(when="committed")
    until(lambda: fake_mlflow.runs)
    logged(log, range(3))
    log.append(Committed(wall_time=1010.0, step=3))
    logged(log, range(3, 5))
    sender.wake()
    until(lambda: steps_at(fake_mlflow))
    first = steps_at(fake_mlflow)
    log.append(Committed(wall_time=1020.0, step=5))
    sender.wake()
    until(lambda: len(steps_at(fake_mlflow)) == 5)

    assert [0, 1, 2] == first


def test_a_process_that_is_told_to_hurry_ends_before_it_is_waited_for(started, log, fake_mlflow):
    """`hurry` waits for nothing, and all that is left arrives meanwhile."""
    sender = started()
    logged(log, range(5))
    sender.hurry()
    sender._thread.join(60)

    assert ([0, 1, 2, 3, 4], None) == (steps_at(fake_mlflow), sender.close(0))
