"""Two machines: two network namespaces on this one, with a cable between them and nothing else."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from treadle_tracking import open_runs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SCRIPT = """
import os
import signal

import torch
import torch.distributed as dist
from attrs import frozen
from torch import nn

import treadle


@frozen
class Config:
    lr: float = 0.05


def main(config: Config, run: treadle.Run) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(0)
    x = torch.randn(200, 8)
    loader = treadle.TensorLoader(
        x, x.sum(1, keepdim=True), batch_size=16 // ranks, shuffle=True, seed=0
    )
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    model = nn.parallel.DistributedDataParallel(net)
    optimizer = torch.optim.SGD(model.parameters(), lr=config.lr)
    engine = treadle.Engine(
        model,
        treadle.supervised(nn.functional.mse_loss),
        optimizer,
        runtime=treadle.loop.runtimes.ddp(),
    )
    dies = os.environ.get("DIES_AT") if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0" else None
    for moment in treadle.training(
        engine, loader, until="3 epochs", log="1 step", checkpoint="7 steps", run=run
    ):
        if dies is not None and rank == 1 and moment.counts.steps == int(dies):
            os.kill(os.getpid(), signal.SIGKILL)
    if rank == 0:
        torch.save(net.state_dict(), "end.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    treadle.launch(main)
"""


def ip(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[str]]:
    """The names of two namespaces, whose ends of the cable are 10.83.0.1 and 10.83.0.2, both called `cable`."""
    if shutil.which("ip") is None:
        pytest.skip("there is no ip: apt-get install iproute2")
    names = [f"treadle-{os.getpid()}-{index}" for index in (1, 2)]
    first, second = names
    orders = [
        *(f"netns add {name}" for name in names),
        f"-n {first} link add cable type veth peer name cable netns {second}",
        *(
            f"-n {name} {rest}"
            for index, name in enumerate(names, 1)
            for rest in (
                f"addr add 10.83.0.{index}/24 dev cable",
                "link set cable up",
                "link set lo up",
            )
        ),
    ]
    try:
        for order in orders:
            done = ip(*order.split())
            if done.returncode:
                pytest.skip(f"no network namespaces can be had here: {done.stderr.strip()}")
        yield names
    finally:
        for name in names:
            ip("netns", "delete", name)


def trained(home: Path, nodes: list[str], **environment: str) -> dict[str, Any]:
    """The script on one worker in each of these namespaces; what it came to."""
    home.mkdir()
    (home / "script.py").write_text(SCRIPT)
    launchers = []
    for index, name in enumerate(nodes, 1):
        command = [
            *("ip", "netns", "exec", name, sys.executable, "-m", "torch.distributed.run"),
            *("--nnodes", str(len(nodes)), "--nproc-per-node", "1", "--max-restarts", "1"),
            *("--rdzv-backend", "c10d", "--rdzv-endpoint", "10.83.0.1:29500", "--rdzv-id", "7"),
            # Both have this machine's name, from which the launcher would tell who the host is.
            *("--rdzv-conf", f"is_host={int(index == 1)}", "--local-addr", f"10.83.0.{index}"),
            "script.py",
        ]
        settings = {
            "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "cable",
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
            **environment,
        }
        with (home / f"said-{index}").open("w") as said:
            launchers.append(
                subprocess.Popen(
                    command, cwd=home, env={**os.environ, **settings}, stdout=said, stderr=said
                )
            )
    try:
        codes = [launcher.wait(200) for launcher in launchers]
    finally:
        for launcher in launchers:
            launcher.terminate()  # and it ends its worker; nothing where it has ended
            launcher.wait(60)
    said = "\n".join((home / f"said-{index}").read_text() for index in range(1, len(nodes) + 1))
    assert [0] * len(nodes) == codes, said
    [run] = open_runs(f"tensorboard:{home / 'runs'}")
    return {
        "status": run.status,
        "losses": run.history("train/loss"),
        "weights": torch.load(home / "end.pt", weights_only=True),
        "said": said,
    }


@pytest.fixture(scope="module")
def apart(nodes: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What two machines make."""
    return trained(tmp_path_factory.mktemp("apart") / "home", nodes)


def test_two_machines_train_as_one(apart: dict[str, Any], nodes: list[str], tmp_path: Path) -> None:
    """Half of each batch on each of two machines gives the losses and weights of whole batches on one."""
    alone = trained(tmp_path / "home", nodes[:1])

    assert ("FINISHED", "FINISHED") == (apart["status"], alone["status"])
    assert [step for step, _ in alone["losses"]] == [step for step, _ in apart["losses"]]
    for (_, expected), (_, actual) in zip(alone["losses"], apart["losses"], strict=True):
        assert expected == pytest.approx(actual, rel=1e-5)
    for name, expected in alone["weights"].items():
        torch.testing.assert_close(apart["weights"][name], expected, rtol=1e-5, atol=1e-6)


def test_a_worker_killed_on_the_second_machine_costs_no_bit(
    apart: dict[str, Any], nodes: list[str], tmp_path: Path
) -> None:
    """After `kill -9` of one worker both machines start again, and end with the same losses and weights."""
    killed = trained(tmp_path / "home", nodes, DIES_AT="17")

    assert "goes on" in killed["said"]
    assert ("FINISHED", apart["losses"]) == (killed["status"], killed["losses"])
    for name, expected in apart["weights"].items():
        assert torch.equal(expected, killed["weights"][name]), name
