"""A training that is interrupted."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from treadle_tracking import open_runs

pytestmark = pytest.mark.slow


def interrupted_demo(home: Path, number: signal.Signals) -> tuple[int, str]:
    """Start the demo, send it a signal once its event file grows, and wait: exit code and what it said on stderr."""
    training = subprocess.Popen(
        [sys.executable, "-m", "treadle", "demo", "--until", "100k epochs", "--log", "1 step"],
        cwd=home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while sum(p.stat().st_size for p in home.glob("runs/digits/*/events*")) < 20_000:
        assert training.poll() is None, training.communicate()[1]
        assert time.monotonic() < deadline, "the demo logged nothing in 60 s"
        time.sleep(0.05)  # between two looks; the size above is what is waited for
    os.kill(training.pid, number)
    said = training.communicate(timeout=120)[1]
    return training.returncode, said


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_an_interrupted_run_is_killed_everywhere(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    """Interrupted, the run is KILLED in its directory and in MLflow, with all points, and there is no traceback."""
    returned, said = interrupted_demo(tmp_path, number)
    [run] = open_runs(f"tensorboard:{tmp_path / 'runs'}")
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        statuses = database.execute("select status from runs").fetchall()
        points = database.execute(
            "select count(*) from metrics where key = 'train/loss'"
        ).fetchone()

    assert "Traceback" not in said
    assert code == returned
    assert "KILLED" == run.status
    assert [("KILLED",)] == statuses
    assert (len(run.history("train/loss")),) == points
