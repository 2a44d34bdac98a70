"""Workers under torchrun die, or are told to stop: what its launcher does then, and what is left of the training."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from treadle_tracking import open_runs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STEPS = 60
SCRIPT = """
import os
import signal
import socket
from pathlib import Path

import torch
import torch.distributed as dist
from attrs import frozen
from torch import nn

import treadle


@frozen
class Config:
    lr: float = 0.05


def happens(what: str, rank: int) -> None:
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hang":  # as one that saves for long
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        os.kill(os.getppid(), signal.SIGTERM)
        signal.sigwait({signal.SIGUSR2})
    if what.startswith("SIG"):  # the launcher gets it, and this goes on once it is passed on
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno())
        os.kill(os.getppid(), getattr(signal, what))
        ours.recv(1)
    if what == "alone":  # the launcher gets what it does not know, and this goes on
        os.kill(os.getppid(), signal.SIGUSR1)


def main(config: Config, run: treadle.Run) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    torch.manual_seed(0)
    x = torch.randn(200, 8)
    loader = treadle.TensorLoader(x, x.sum(1, keepdim=True), batch_size=8, shuffle=True, seed=0)
    net = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.2), nn.Linear(16, 1))
    model = nn.parallel.DistributedDataParallel(net)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.lr)
    engine = treadle.Engine(
        model,
        treadle.supervised(nn.functional.mse_loss),
        optimizer,
        runtime=treadle.loop.runtimes.ddp(),
    )
    what, who, when = os.environ.get("HAPPENS", "nothing 0 0").split()
    if os.environ["TORCHELASTIC_RESTART_COUNT"] != "0":
        what = "nothing"
    try:
        for moment in treadle.training(
            engine, loader, until="60 steps", log="1 step", checkpoint="7 steps", run=run
        ):
            if (rank, moment.counts.steps) == (int(who), int(when)):
                happens(what, rank)
    finally:
        Path(f"steps-{rank}").write_text(str(moment.counts.steps))
    torch.save(net.state_dict(), f"end-{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    treadle.launch(main)
"""


def launched(
    home: Path, *options: str, happens: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the script on two workers, and wait until nobody is left of it, launcher or not."""
    (home / "script.py").write_text(SCRIPT)
    settings = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", **environment}
    if happens is not None:
        settings["HAPPENS"] = happens
    return subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--local-addr", "127.0.0.1", "--nproc-per-node", "2", *options, "script.py"),
        ],
        cwd=home,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def made(home: Path) -> dict[str, Any]:
    """Its one run, and the weights and steps of each worker, as values that can be compared."""
    [run] = open_runs(f"tensorboard:{home / 'runs'}")
    weights = [torch.load(home / f"end-{rank}.pt", weights_only=True) for rank in (0, 1)]
    return {
        "status": run.status,
        "history": {name: run.history(name) for name in sorted(run.metrics)},
        "steps": [(home / f"steps-{rank}").read_text() for rank in (0, 1)],
        "weights": [
            {name: tensor.tolist() for name, tensor in weight.items()} for weight in weights
        ],
    }


def status(home: Path) -> str:
    [run] = open_runs(f"tensorboard:{home / 'runs'}")
    return str(run.status)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is made where nothing happens."""
    home = tmp_path_factory.mktemp("whole")
    done = launched(home)
    assert 0 == done.returncode, done.stderr
    return made(home)


@pytest.mark.parametrize("worker", [0, 1])
@pytest.mark.parametrize("step", [3, 7, 20, 36, 59])
def test_a_killed_worker_costs_one_restart_and_no_bit(
    tmp_path: Path, whole: dict[str, Any], worker: int, step: int
) -> None:
    """With a store for each attempt, `--max-restarts 1` is enough for `kill -9` of a worker, and the end is the same."""
    done = launched(
        tmp_path,
        *("--max-restarts", "1"),
        happens=f"die {worker} {step}",
        TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1",
    )

    assert 0 == done.returncode, done.stderr
    assert "goes on" in done.stderr  # else nobody has died
    assert whole == made(tmp_path)


@pytest.mark.parametrize(
    ("name", "options"),
    [("SIGTERM", ()), ("SIGUSR1", ("--signals-to-handle", "SIGTERM,SIGUSR1"))],
)
def test_a_signal_to_the_launcher_stops_all_at_one_step(
    tmp_path: Path, whole: dict[str, Any], name: str, options: tuple[str, ...]
) -> None:
    """Both workers save the same step and end, the launcher says 1, and the same command goes on exactly."""
    stopped = launched(tmp_path, *options, happens=f"{name} 0 20")
    steps = [(tmp_path / f"steps-{rank}").read_text() for rank in (0, 1)]
    was = status(tmp_path)
    again = launched(tmp_path)

    assert (1, "KILLED", 1) == (stopped.returncode, was, len(set(steps))), stopped.stderr
    assert 20 <= int(steps[0]) < STEPS
    assert 0 == again.returncode, again.stderr
    assert whole == made(tmp_path)


def test_without_being_told_the_launcher_dies_of_sigusr1_and_the_workers_train_on(
    tmp_path: Path, whole: dict[str, Any]
) -> None:
    """By default SIGUSR1 ends the launcher alone: its workers are nobody's, hear nothing of it, and train to the end."""
    done = launched(tmp_path, happens="alone 0 20")

    assert -signal.SIGUSR1 == done.returncode, done.stderr
    assert whole == made(tmp_path)


def test_a_worker_that_needs_longer_than_the_timeout_is_killed(
    tmp_path: Path, whole: dict[str, Any]
) -> None:
    """After `--shutdown-timeout` nothing more is saved; the same command goes on from the checkpoint before."""
    stopped = launched(tmp_path, "--shutdown-timeout", "1", happens="hang 0 20")
    newest = max(path.name for path in tmp_path.glob("runs/*/*/checkpoints/step-*.pt"))
    again = launched(tmp_path)

    assert (1, "step-00000014.pt") == (stopped.returncode, newest), stopped.stderr
    assert 0 == again.returncode, again.stderr
    assert whole == made(tmp_path)
