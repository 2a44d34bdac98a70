"""The recipe for Ray Train, and a worker of it that is killed."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from treadle_loop import load_checkpoint
from treadle_tracking import open_runs

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.timeout(300),
    # Ray copies its own settings for data, and warns of those that it has deprecated.
    pytest.mark.filterwarnings(r"ignore:.*deprecated:Warning:ray\.data\.context"),
]
pytest.importorskip("ray", reason="needs the hosts environment: hatch run hosts:test")

# The second worker dies when Ray has taken its second report, and before the next checkpoint.
DYING = """
def dying(config):
    import os, signal
    import torch.distributed as dist

    report = ray.train.report

    def reported(said, **options):
        report(said, **options)
        once = Path(config["target"].removeprefix("tensorboard:") + "-died")
        if dist.get_rank() == 1 and said["records"] == 640 and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    ray.train.report = reported
    train(config)
"""

# The same function, where nobody takes reports and nobody dies.
UNDER_TORCHRUN = """
import sys

import ray.train
import torch
import torch.distributed as dist

from train import train

torch.set_num_threads(1)
ray.train.report = lambda said, checkpoint=None: None
dist.init_process_group("gloo")
train({"lr": 0.05, "until": "3 epochs", "target": sys.argv[1]})
dist.destroy_process_group()
"""


@pytest.fixture
def program(root: Path) -> str:
    """The script of the page."""
    page = (root / "docs" / "examples" / "ray-train.md").read_text()
    [script] = re.findall(r'```python title="train.py"\n(.*?)```', page, re.DOTALL)
    return str(script)


def made(folder: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    [run] = open_runs(f"tensorboard:{folder}")
    assert run.directory is not None
    weights = load_checkpoint(run.directory / "checkpoints")["engine"]["model"]
    return run.status, {name: run.history(name) for name in sorted(run.metrics)}, weights


def test_a_killed_worker_costs_no_bit(ray_address: str, program: str, tmp_path: Path) -> None:
    """After `kill -9` of one worker the run goes on from its checkpoint, to what the same function makes undisturbed."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    (tmp_path / "train.py").write_text(program)
    (tmp_path / "under_torchrun.py").write_text(UNDER_TORCHRUN)
    undisturbed = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--local-addr", "127.0.0.1", "--nproc-per-node", "2"),
            *("under_torchrun.py", f"tensorboard:{tmp_path / 'whole'}"),
        ],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert 0 == undisturbed.returncode, undisturbed.stderr
    # Under a name that no module has, so that its functions are sent to the workers whole.
    names = {"__name__": "recipe"}
    exec(program + DYING, names)
    result = TorchTrainer(
        names["dying"],
        train_loop_config={
            "lr": 0.05,
            "until": "3 epochs",
            "target": f"tensorboard:{tmp_path / 'killed'}",
        },
        scaling_config=ScalingConfig(num_workers=2),
        run_config=RunConfig(
            storage_path=str(tmp_path / "ray"), failure_config=FailureConfig(max_failures=1)
        ),
    ).fit()
    expected, actual = made(tmp_path / "whole"), made(tmp_path / "killed")

    assert (tmp_path / "killed-died").exists()
    assert ("FINISHED", expected[1]) == actual[:2]
    for name, weight in expected[2].items():
        assert torch.equal(weight, actual[2][name]), name
    assert 960 == result.metrics["records"]
