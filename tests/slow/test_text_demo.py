"""The demo on text, as a program that is killed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from treadle_tracking import RunRecord, open_runs

pytestmark = pytest.mark.slow

# Small enough that a step takes milliseconds.
WORDS = [
    *(
        "--model.layers",
        "1",
        "--model.width",
        "16",
        "--model.block",
        "32",
        "--model.dropout",
        "0.1",
    ),
    *("--until", "600k tokens", "--validate", "200 steps", "--log", "1 step"),
    *("--checkpoint", "50 steps", "--sample.characters", "40", "--device", "cpu"),
    *("--run.target", "tensorboard:runs"),
]
COMMAND = [sys.executable, "-W", "error", "-m", "treadle", "demo", "text", *WORDS]


def logged(home: Path) -> int:
    return sum(path.stat().st_size for path in home.glob("runs/text/*/events*"))


def left_by(number: signal.Signals, home: Path) -> tuple[int, str]:
    """Start the demo, send it a signal once it has logged some 100 steps, and wait: exit code and what it said on stderr."""
    before = logged(home)
    training = subprocess.Popen(
        COMMAND, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while logged(home) < before + 25_000:
        assert training.poll() is None, training.communicate()[1]
        assert time.monotonic() < deadline, "the demo logged nothing in 120 s"
        time.sleep(0.02)  # between two looks; the size above is what is waited for
    os.kill(training.pid, number)
    said = training.communicate(timeout=120)[1]
    return training.returncode, said


def histories(record: RunRecord) -> dict[str, tuple[tuple[int, float], ...]]:
    return {name: record.history(name) for name in record.metrics}


def test_the_same_command_again_goes_on(tmp_path: Path) -> None:
    """Killed twice and told to stop in between, it is one run in the end, with the history and the words of a whole one."""
    ends = [
        left_by(number, tmp_path) for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)
    ]
    again, whole = (
        subprocess.run([*COMMAND, *more], cwd=tmp_path, capture_output=True, text=True, check=False)
        for more in ([], ["--run.name", "whole"])
    )
    runs = open_runs(f"tensorboard:{tmp_path / 'runs'}")
    [record] = [run for run in runs if run.name != "whole"]
    written = [
        re.findall(r"It writes:\n\n(.*?)\n\nrun ", one.stdout, re.DOTALL) for one in (again, whole)
    ]

    assert [-9, 143, -9] == [code for code, _ in ends]
    assert ("", True) == (ends[0][1], ends[2][1].endswith(f"/{record.name} goes on\n"))
    assert "treadle demo text: stopped; the run is KILLED; to resume it: " in ends[1][1]
    assert "Traceback" not in ends[1][1]
    assert (0, 0, "") == (again.returncode, whole.returncode, whole.stderr)
    assert again.stderr == ends[2][1]
    assert 2 == len(runs)
    assert ("FINISHED", "text") == (record.status, record.experiment)
    assert 587 == len(
        record.history("train/loss")
    )  # of 1024 tokens, and a shorter one at the end of a pass
    assert histories(runs["whole"]) == histories(record)
    assert 1 == len(written[0])
    assert written[0] == written[1]
    assert "artifacts/vocabulary.json" in again.stdout
    assert shutil.which("tensorboard") is None or "tensorboard --logdir" in again.stdout
