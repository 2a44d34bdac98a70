"""A training that is stopped, or killed, and goes on in another process."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from treadle_loop import list_checkpoints, load_checkpoint

PARTS = Path(__file__).with_name("conftest.py")
# What a script of a user does: go on where there is something to go on from, save at each update.
SCRIPT = """
import runpy, sys
import torch
from treadle_loop import list_checkpoints, load_checkpoint, save_checkpoint, stop_on_signals

torch.set_num_threads(1)
parts, folder, loader, epochs = sys.argv[1:]
training = runpy.run_path(parts)["Training"](loader=loader, epochs=int(epochs), body="draws")
found = list_checkpoints(folder)
run = training.resume(load_checkpoint(found[-1])) if found else training.begin()
step = int(found[-1].stem[5:]) if found else 0
with stop_on_signals() as stop:
    for update in run.updates(stop=stop):
        step += 1
        save_checkpoint(folder, run.engine.state_dict(), step=step, keep=3)
        print(step, flush=True)
        if stop:
            break
"""


def start(folder, loader, epochs):
    arguments = [sys.executable, "-c", SCRIPT, str(PARTS), str(folder), loader, str(epochs)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def after(requests):
    """A stop that is asked for at that poll, counted from 1."""
    polls = iter(range(1, 1000))
    return lambda: next(polls) >= requests


@pytest.mark.parametrize("polls", [1, 2, 4])
@pytest.mark.parametrize(
    "loader", ["sampler", "seekable", "sized seekable", "stateful", "list", "workers"]
)
def test_a_stop_is_between_two_updates(training, same, reading, loader, polls):
    """The pass ends there, says that it is not complete, and is gone on with exactly."""
    training = training.but(loader=loader, accumulate=3)
    whole = training.begin().finish()
    run = training.begin()

    result = run.engine.train_epoch(run.loader, stop=after(polls))
    used = [len(batch) for batch in run.used]
    finished = training.resume(reading(run.engine.state_dict())).finish()

    steps = min(polls - 1, 3)
    assert steps == result.steps
    assert (len(used), sum(used)) == (result.batches, result.records)
    assert (steps == 3) == result.complete
    assert same({**whole, "used": whole["used"][len(used) :]}, finished)


@pytest.mark.parametrize("loader", ["shuffled", "own generator"])
def test_a_stop_before_the_first_update_changes_nothing(training, same, reading, loader):
    """No loader need seek where nothing was used, and the random numbers are as they were."""
    training = training.but(loader=loader)
    whole = training.begin().finish()
    run = training.begin()

    result = run.engine.train_epoch(run.loader, stop=lambda: True)
    finished = training.resume(reading(run.engine.state_dict())).finish()

    assert not result.complete
    assert 0 == result.batches
    assert same(whole, finished)


def test_a_stopped_engine_goes_on_with_the_next_pass(training):
    """In the same process, the next call is the next pass, as after a break."""
    run = training.begin()
    run.engine.train_epoch(run.loader, stop=after(3))

    assert 0 == run.engine.state_dict()["ranks"][0]["epoch"]
    result = run.engine.train_epoch(run.loader)
    assert (7, True) == (result.batches, result.complete)
    assert 2 == run.engine.state_dict()["ranks"][0]["epoch"]


@pytest.mark.slow
@pytest.mark.parametrize("loader", ["sampler", "persistent", "seekable"])
def test_a_new_process_goes_on(training, same, tmp_path, loader):
    """A real SIGTERM ends a script at an update, and a second process comes to the same end."""
    training = training.but(loader=loader, epochs=12, body="draws")
    with start(tmp_path, loader, 12) as process:
        for line in process.stdout:
            if int(line) == 9:
                process.send_signal(signal.SIGTERM)
    assert 0 == process.returncode
    stopped = load_checkpoint(tmp_path)
    steps = int(list_checkpoints(tmp_path)[-1].stem[5:])
    second = start(tmp_path, loader, 12)
    second.communicate()
    assert 0 == second.returncode
    whole = training.begin()
    whole.finish()

    assert 9 <= steps < 84
    assert steps % 7 == stopped["ranks"][0]["batches"]
    assert same(whole.engine.state_dict()["model"], load_checkpoint(tmp_path)["model"])
    assert same(whole.engine.state_dict()["optimizer"], load_checkpoint(tmp_path)["optimizer"])


@pytest.mark.slow
def test_a_killed_training_comes_to_the_same_end(training, same, tmp_path):
    """Killed five times at any update, and restarted until it is done: the same weights."""
    draw = random.Random(7)
    kills = 0
    while True:
        last = draw.randrange(1, 7) if kills < 5 else 1000
        with start(tmp_path, "sampler", 6) as process:
            for count, _ in enumerate(process.stdout):
                if count == last:
                    os.kill(process.pid, signal.SIGKILL)
        if not process.returncode:
            break
        kills += 1
    whole = training.but(body="draws", epochs=6).begin()
    whole.finish()

    assert 5 == kills
    assert 42 == int(list_checkpoints(tmp_path)[-1].stem[5:])
    for part in ("model", "optimizer", "scheduler", "averages"):
        assert same(whole.engine.state_dict()[part], load_checkpoint(tmp_path)[part])
