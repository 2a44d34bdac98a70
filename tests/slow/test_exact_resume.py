"""A program that is killed again and again, and started again by the same words, is one that was never killed."""

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from treadle_tracking import open_runs

pytestmark = pytest.mark.slow

SCRIPT = """
import sys, time
import torch
from torch import nn
import treadle

torch.set_num_threads(1)
torch.manual_seed(0)
generator = torch.Generator().manual_seed(1)
x = torch.randn(90, 4, generator=generator)
y = x.sum(1, keepdim=True)
loader = torch.utils.data.DataLoader(
    torch.utils.data.TensorDataset(x, y),
    batch_size=4,
    sampler=treadle.loop.EpochSampler(90, shuffle=True, seed=5),
)
held_out = treadle.TensorLoader(x[:20], y[:20], batch_size=8)
model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
engine = treadle.Engine(
    model,
    treadle.supervised(nn.functional.mse_loss),
    optimizer,
    accumulate=2,
    clip_norm=1.0,
    precision="bf16",
    ema=0.9,
    scheduler=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 240),
)
with treadle.start_run(
    ["tensorboard:runs", "mlflow:sqlite:///mlflow.db"],
    name="a",
    resume="auto",
    mirror_when="committed",
) as run:
    print("begun", flush=True)
    for moment in treadle.training(
        engine,
        loader,
        {"val": held_out},
        until="20 epochs",
        validate="0.5 epochs",
        log="1 step",
        checkpoint="7 steps",
        best="val/loss:min",
        keep=2,
        patience="40 epochs",
        run=run,
    ):
        run.log({"drawn": float(torch.rand(()))}, step=moment.counts.steps)
        time.sleep(float(sys.argv[1]))
    counts = moment.counts
torch.save(
    {
        "weights": model.state_dict(),
        "counts": [counts.records, counts.batches, counts.steps, counts.epochs],
    },
    "end.pt",
)
"""
SLOWLY = 0.01  # seconds a step, so that a kill comes in the middle


def started(home: Path, pause: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "script.py", str(pause)],
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def made(home: Path) -> dict[str, Any]:
    """What is left of the program: weights and counts, the history that readers give, and MLflow's own tables."""
    [run] = open_runs(f"tensorboard:{home / 'runs'}")
    [mirrored] = open_runs(f"mlflow:sqlite:///{home / 'mlflow.db'}")
    with sqlite3.connect(home / "mlflow.db") as database:
        stored = database.execute(
            "select key, step, value from metrics order by key, step, value"
        ).fetchall()
    names = sorted(run.metrics)
    return {
        "end": torch.load(home / "end.pt", weights_only=True),
        "status": (run.status, mirrored.status),
        "history": {name: run.history(name) for name in names},
        "mirrored": {name: mirrored.history(name) for name in names},
        "stored": stored,
    }


def test_a_training_that_is_killed_again_and_again_is_exact(tmp_path: Path) -> None:
    """Weights, counts, history and MLflow's own store are bitwise those of one that ran through, after 20 kills or more."""
    chance = random.Random(0)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for home in (whole, killed):
        home.mkdir()
        (home / "script.py").write_text(SCRIPT)
    once = started(whole, 0.0)
    assert 0 == once.wait(300), once.communicate()
    once.communicate()
    kills = 0
    while True:
        program = started(killed, SLOWLY)
        assert program.stdout is not None
        try:
            if program.stdout.readline():
                # Within the training, at any moment of it; a fifth of the time of all of it at most.
                time.sleep(chance.uniform(0.0, 0.5))
            is_over = program.poll() is not None or (kills >= 20 and program.wait(300) is not None)
        finally:
            program.kill()  # does nothing where it is over
        kills += not is_over
        said = program.communicate(timeout=60)[1]
        if is_over:
            assert 0 == program.returncode, said
            break
    expected, actual = made(whole), made(killed)

    assert kills >= 20
    assert expected["end"]["counts"] == actual["end"]["counts"]
    assert ("FINISHED", "FINISHED") == actual["status"]
    assert expected["history"] == actual["history"]
    assert expected["mirrored"] == actual["mirrored"] == actual["history"]
    assert expected["stored"] == actual["stored"]
    for name, weight in expected["end"]["weights"].items():
        assert torch.equal(weight, actual["end"]["weights"][name]), name
