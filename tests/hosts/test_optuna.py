"""The sweep of the page about Optuna, killed in the middle of a trial."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from treadle import open_runs

optuna = pytest.importorskip("optuna", reason="needs the hosts environment: hatch run hosts:test")

pytestmark = pytest.mark.hosts

# The same program, which dies after its fourth checkpoint, in the first trial.
DYING = """
import os, runpy, signal
import treadle.checkpoints as checkpoints

saves, save = [], checkpoints.save_checkpoint

def dying(*arguments, **options):
    save(*arguments, **options)
    saves.append(1)
    if len(saves) == 4:
        os.kill(os.getpid(), signal.SIGKILL)

checkpoints.save_checkpoint = dying
runpy.run_path("sweep.py", run_name="__main__")
"""


def ran(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=home,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Path, Path]:
    page = Path(__file__).parents[2] / "docs/examples/optuna.md"
    found = re.search(
        r'^```python title="sweep.py"\n(.*?)^```$', page.read_text(), re.DOTALL | re.MULTILINE
    )
    assert found is not None
    homes = tmp_path / "whole", tmp_path / "killed"
    for home in homes:
        home.mkdir()
        (home / "sweep.py").write_text(found.group(1))
    return homes


@pytest.mark.timeout(300)
def test_a_killed_trial_goes_on_as_the_same_run(homes: tuple[Path, Path]) -> None:
    """A trial that was killed is tried again as the same run, and ends with the very metrics of an uninterrupted one."""
    whole, killed = homes
    once = ran(whole, "sweep.py")
    first = ran(killed, "-c", DYING)
    again = ran(killed, "sweep.py")
    expected, actual = (open_runs(f"tensorboard:{home / 'runs'}")["sums-0"] for home in homes)
    study = optuna.load_study(study_name="sums", storage=f"sqlite:///{killed / 'study.db'}")
    tried = [trial for trial in study.trials if trial.user_attrs.get("run") == "sums-0"]

    assert (0, -signal.SIGKILL, 0) == (once.returncode, first.returncode, again.returncode)
    assert ("FINISHED", "FINISHED") == (expected.status, actual.status)
    assert {name: expected.history(name) for name in expected.metrics} == {
        name: actual.history(name) for name in actual.metrics
    }
    assert ["FAIL", "COMPLETE"] == [trial.state.name for trial in tried]
    assert max(tried[1].intermediate_values) == 2000
    assert 6 == len({trial.user_attrs["run"] for trial in study.trials})


@pytest.mark.timeout(300)
def test_a_rerun_tries_nothing_more(homes: tuple[Path, Path]) -> None:
    """Once the six trials are there, one of which has diverged, the same command adds none."""
    home, _ = homes
    codes = [ran(home, "sweep.py").returncode for _ in range(2)]
    study = optuna.load_study(study_name="sums", storage=f"sqlite:///{home / 'study.db'}")

    assert [0, 0] == codes
    assert (6, 1) == (
        len(study.trials),
        [trial.state.name for trial in study.trials].count("FAIL"),
    )
