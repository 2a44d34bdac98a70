"""The same script on two processes: one run, one set of checkpoints, and the same exact way on."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from treadle_tracking import open_runs

pytestmark = pytest.mark.slow

SCRIPT = """
import os
import subprocess
import signal

import torch
import torch.distributed as dist
from attrs import frozen
from torch import nn

import treadle


@frozen
class Config:
    lr: float = 0.1


def main(config: Config, run: treadle.Run) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    torch.manual_seed(0)
    x = torch.randn(48, 3)
    model = nn.parallel.DistributedDataParallel(nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.3), nn.Linear(4, 1)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.lr)
    engine = treadle.Engine(model, treadle.supervised(nn.functional.mse_loss), optimizer, runtime=treadle.loop.runtimes.ddp())
    loader = treadle.TensorLoader(x, x.sum(1, keepdim=True), batch_size=4, shuffle=True, seed=0)
    options = OPTIONS
    for moment in treadle.training(engine, loader, {"val": loader}, run=run, **options):
        if moment.counts.steps == int(os.environ.get("STOP_AT", 0)) and rank == 1:
            os.kill(os.getpid(), int(os.environ["SIGNAL"]))
    torch.save(model.module.state_dict(), f"end-{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    treadle.launch(main)
"""


EXACTLY = {
    "until": "5 epochs",
    "log": "1 step",
    "checkpoint": "4 steps",
    "best": "val/loss:min",
}


def written(home: Path, options: Mapping[str, str], before: str = "") -> None:
    """The program with these options, and something that it does before it trains."""
    text = SCRIPT.replace("options = OPTIONS", f"options = {options!r}\n    {before}")
    (home / "script.py").write_text(text)


def launched(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--local-addr", "127.0.0.1", "--nproc-per-node", "2", "script.py"),
        ],
        cwd=home,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("number", [9, 15], ids=["SIGKILL", "SIGTERM"])
def test_two_processes_are_one_run_that_goes_on_exactly(tmp_path: Path, number: int) -> None:
    """One of them is killed, or told to stop: the same command again ends with the weights of an uninterrupted one."""
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    for home in (whole, stopped):
        home.mkdir()
        written(home, EXACTLY)
    once = launched(whole)
    first = launched(stopped, STOP_AT="14", SIGNAL=str(number))
    again = launched(stopped)
    [expected] = open_runs(f"tensorboard:{whole / 'runs'}")
    [actual] = open_runs(f"tensorboard:{stopped / 'runs'}")

    assert 0 == once.returncode, once.stderr
    assert 0 != first.returncode
    assert 0 == again.returncode, again.stderr
    assert ("FINISHED", "FINISHED") == (expected.status, actual.status)
    assert {name: expected.history(name) for name in expected.metrics} == {
        name: actual.history(name) for name in actual.metrics
    }
    for rank in (0, 1):
        weights = torch.load(whole / f"end-{rank}.pt", weights_only=True)
        others = torch.load(stopped / f"end-{rank}.pt", weights_only=True)
        assert all(torch.equal(weights[name], others[name]) for name in weights)


def test_times_are_those_of_the_first_rank(tmp_path: Path) -> None:
    """With clocks that differ, validations and the end come at one step on all ranks, which wait for nobody in vain."""
    options = {
        "until": "1000 epochs | 0.6 s",
        "validate": "0.05 s",
        "log": "0.07 s",
        "checkpoint": "0.2 s",
        "best": "val/loss:min",
        "patience": "1 h",
    }
    written(
        tmp_path,
        options,
        "import time; real = time.monotonic; time.monotonic = lambda: real() * (1 + rank)",
    )
    done = launched(tmp_path)
    [run] = open_runs(f"tensorboard:{tmp_path / 'runs'}")
    first, second = (torch.load(tmp_path / f"end-{rank}.pt", weights_only=True) for rank in (0, 1))

    assert 0 == done.returncode, done.stderr
    assert "FINISHED" == run.status
    assert len(run.history("val/loss")) > 2
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_signal_to_one_rank_is_saved_by_all_without_a_word_about_checkpoints(
    tmp_path: Path,
) -> None:
    """A stop saves where the run is, on every rank, also where nothing else was to be saved; it goes on from there."""
    written(tmp_path, {"until": "5 epochs", "log": "1 step"})
    stopped = launched(tmp_path, STOP_AT="14", SIGNAL="15")
    [killed] = open_runs(f"tensorboard:{tmp_path / 'runs'}")
    again = launched(tmp_path)
    [run] = open_runs(f"tensorboard:{tmp_path / 'runs'}")

    assert 0 != stopped.returncode
    assert "KILLED" == killed.status, stopped.stderr
    assert 0 == again.returncode, again.stderr
    assert list(range(1, 31)) == [step for step, _ in run.history("train/loss")]
