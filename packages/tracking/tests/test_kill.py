"""Processes that are killed while they record."""

import json
import os
import random
import signal
import subprocess
import sys

import pytest

from treadle_tracking import open_runs, start_run
from treadle_tracking.entries import Scalars
from treadle_tracking.log import attempt_path, read_entries

pytestmark = pytest.mark.slow

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

SCRIPT = """
import sys
from treadle_tracking import start_run
with start_run("tensorboard:runs", experiment="e", name=sys.argv[1]) as run:
    step = 0
    while True:
        step += 1
        run.log({"loss": 1 / step, "step": step}, step=step)
        print(step, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 10, 333, 2000])
def test_a_kill_loses_nothing_that_log_returned_from(tmp_path, monkeypatch, lines):
    """After SIGKILL every step that the process had reported is in the log, exact, and the log is readable."""
    monkeypatch.chdir(tmp_path)
    reported = killed_after(SCRIPT, lines, str(lines))
    run = open_runs("tensorboard:runs")[str(lines)]
    history = run.history("loss")

    assert ("UNFINISHED", None) == (run.status, run.damage)
    assert reported <= len(history) <= reported + 1
    assert tuple((step, 1 / step) for step in range(1, len(history) + 1)) == history
    assert attempt_path(run.directory).exists()


def killed_after(script, lines, *arguments):
    """The number that the process that runs `script` had reported last when it was killed after so many lines."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    with process:
        reported = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        reported += process.stdout.read().splitlines(keepends=True)
    whole = [line for line in reported if line.endswith("\n")]
    return int(whole[-1]) if whole else 0


# Every child is a process that starts a run, logs, and is killed; only the interpreter and the import are shared.
HUNDRED = """
import os, random, signal, sys
from treadle_tracking import open_runs, start_run
seed = int(sys.argv[1])
choose = random.Random(seed)
lost = []
for number in range(100):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        run = start_run("tensorboard:runs", name=str(number))
        step = 0
        while True:
            step += 1
            run.log({"loss": 1 / step, "step": step}, step=step)
            if step % 7 == 0:
                run.text("note", "x" * 5000, step=step)
            os.write(writing, b"%d\\n" % step)
    os.close(writing)
    wanted = choose.randrange(1, 400)
    with os.fdopen(reading, "rb") as pipe:
        lines = [pipe.readline() for _ in range(wanted)]
        for _ in range(choose.randrange(2000)):
            pass  # some moment between two calls, or in one
        os.kill(child, signal.SIGKILL)
        lines += pipe.read().splitlines(keepends=True)
    os.waitpid(child, 0)
    reported = int([line for line in lines if line.endswith(b"\\n")][-1])
    run = open_runs("tensorboard:runs/default/" + str(number))[str(number)]
    history = run.history("loss")
    expected = tuple((step, 1 / step) for step in range(1, len(history) + 1))
    if not (reported <= len(history) <= reported + 1 and expected == history):
        lost.append((number, reported, len(history)))
    if (run.status, run.damage) != ("UNFINISHED", None):
        lost.append((number, run.status, run.damage))
print(lost)
"""


def test_a_hundred_kills_lose_nothing(tmp_path):
    """Of a hundred processes that are killed at any moment, nothing is lost that `log` had returned from."""
    seed = random.randrange(2**32)
    done = subprocess.run(
        [sys.executable, "-c", HUNDRED, str(seed)],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "[]\n") == (done.returncode, done.stdout), f"seed {seed}: {done.stderr}"


RESUMING = """
import json, sys
from pathlib import Path
from treadle_tracking import start_run
checkpoint = Path("checkpoint.json")
with start_run("tensorboard:runs", name="a", resume="auto") as run:
    state = json.loads(checkpoint.read_text()) if checkpoint.exists() else None
    if state:
        run.load_state_dict(state["run"])
    else:
        run.rewind()
    for step in range(state["step"] + 1 if state else 1, 2001):
        run.log({"loss": 1 / step}, step=step)
        if step % 50 == 0:
            Path("new.json").write_text(json.dumps({"step": step, "run": run.state_dict()}))
            Path("new.json").replace(checkpoint)
            run.commit(step)
        print(step, flush=True)
"""


def test_a_run_that_is_killed_again_and_again_is_one_run(tmp_path, monkeypatch):
    """With checkpoints, kills at any moment leave the very history of a run that was never killed."""
    monkeypatch.chdir(tmp_path)
    choose = random.Random(0)
    for _ in range(12):
        killed_after(RESUMING, choose.choice([0, 1, 2, 30, 75, 120]))
    subprocess.run(
        [sys.executable, "-c", RESUMING], env=ENVIRONMENT, check=True, capture_output=True
    )
    run = open_runs("tensorboard:runs")["a"]

    assert ("FINISHED", None) == (run.status, run.damage)
    assert tuple((step, 1 / step) for step in range(1, 2001)) == run.history("loss")


def test_what_a_killed_run_gave_up_is_kept(tmp_path, monkeypatch):
    """Every step that was ever logged is in the log or kept aside, whatever was killed meanwhile."""
    from treadle_tracking.encoding import decoded
    from treadle_tracking.wire import records

    monkeypatch.chdir(tmp_path)
    reported = [killed_after(RESUMING, lines) for lines in (120, 75, 30)]
    (directory,) = (tmp_path / "runs" / "default").iterdir()
    with start_run("tensorboard:runs", directory=directory, resume="must") as run:
        run.load_state_dict(json.loads((tmp_path / "checkpoint.json").read_text())["run"])
    entries = [entry for entry, _ in read_entries(directory)]
    for path in (directory / "abandoned").glob("*.records"):
        with path.open("rb") as file:
            entries += [decoded(data) for _, data in records(file, 0)]
    steps = [entry.step for entry in entries if isinstance(entry, Scalars)]

    assert all(steps.count(step) >= 1 for step in range(1, max(reported) + 1))


# The process is killed at its first call that changes the disk, at its second, and so on, until it comes through.
EVERY_CALL = """
import os, signal, sys
from treadle_tracking import open_runs, start_run
from treadle_tracking.clock import milliseconds
from treadle_tracking.encoding import decoded
from treadle_tracking.entries import Rewound, Scalars
from treadle_tracking.log import read_entries
from treadle_tracking.wire import records

how = sys.argv[1]
CALLS = ("open", "write", "mkdir", "fsync", "truncate", "ftruncate", "replace", "rename", "unlink", "utime")


def killed_at(number, done):
    calls = []
    for name in CALLS:
        def call(*arguments, real=getattr(os, name), **options):
            calls.append(1)
            if len(calls) == number and not done:
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                return real(*arguments, **options)
            finally:
                if len(calls) == number:
                    os.kill(os.getpid(), signal.SIGKILL)
        setattr(os, name, call)


def again(name, state):
    run = start_run("tensorboard:runs", name=name, resume="auto", params={"lr": 2})
    if how == "place":
        run.load_state_dict(state)
    elif how == "step":
        run.rewind(3)
    run.log({"loss": -3.0}, step=3)
    return run


for number in range(1, 200):
    for done in (False, True):
        name = f"{number}-{done}"
        with start_run("tensorboard:runs", name=name, params={"lr": 1}) as run:
            run.log({"loss": 1.0}, step=1)
            run.log({"loss": 2.0}, step=2)
            state = run.state_dict()
            run.log({"loss": 3.0}, step=3)
            run.tag({"a": "b"})
            run.log({"loss": 4.0}, step=4)
            run.close("FAILED")
        child = os.fork()
        if child == 0:
            killed_at(number, done)
            again(name, state)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        (read,) = open_runs(f"tensorboard:{run.directory}")
        assert read.damage is None, name
        assert read.status != "RUNNING", (name, read.status)
        again(name, state).close()
        (read,) = open_runs(f"tensorboard:{run.directory}")
        assert read.history("loss") == ((1, 1.0), (2, 2.0), (3, -3.0)), (name, read.metrics)
        assert (read.status, read.params, read.damage) == ("FINISHED", {"lr": 2}, None), name
        kept = [entry for entry, _ in read_entries(run.directory)]
        gone = []
        for path in (run.directory / "abandoned").glob("*.records"):
            with path.open("rb") as file:
                gone += [decoded(data) for _, data in records(file, 0)]
        rewinds = [entry for entry in kept if isinstance(entry, Rewound)]

        def is_cut(point):
            return any(
                milliseconds(point.wall_time) < milliseconds(rewound.began)
                and (
                    point.step >= rewound.step
                    if rewound.after is None
                    else milliseconds(point.wall_time) > milliseconds(rewound.after)
                )
                for rewound in rewinds
            )

        assert {3.0, 4.0} <= {e.values["loss"] for e in gone if isinstance(e, Scalars)}, name
        assert all(is_cut(entry) for entry in gone if isinstance(entry, Scalars)), name
        assert not any(is_cut(entry) for entry in kept if isinstance(entry, Scalars)), name
    if status == 0:
        print("came through at", number)
        break
"""


@pytest.mark.parametrize("how", ["place", "step", "log"])
def test_a_kill_at_any_call_of_a_run_that_goes_on_is_made_up_for(tmp_path, how):
    """Wherever a process dies that goes on with a run and goes back in it, the next one has the run as it should be."""
    done = subprocess.run(
        [sys.executable, "-c", EVERY_CALL, how],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.splitlines()[-1:]

    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("came through at "), last
    assert int(done.stdout.rpartition(" ")[2]) > 10
