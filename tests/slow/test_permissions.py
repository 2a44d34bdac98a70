"""Where the demo may not write. Root may write anywhere, so these run as nobody, and on a read-only mount."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which("setpriv") or not shutil.which("unshare"),
        reason="needs root, setpriv and unshare, to take rights away",
    ),
]

DEMO = [sys.executable, "-m", "treadle", "demo", "--until", "1 step"]


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """A directory that everybody can look into and only root can write to."""
    for folder in [tmp_path, *list(tmp_path.parents)[:2]]:
        folder.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("track", "named"), [("tensorboard:runs", "runs"), ("mlflow:sqlite:///new.db", "new.db")]
)
def test_a_directory_of_somebody_else_is_one_message(track: str, named: str, others: Path) -> None:
    """As another user, the demo says which path it may not write to and leaves nothing."""
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    done = run([*nobody, *DEMO, "--track", track], others)

    assert (2, "") == (done.returncode, done.stdout)
    assert f"{others / named}" in done.stderr
    assert "Permission denied" in done.stderr
    assert 1 == len(done.stderr.splitlines())
    assert [] == list(others.iterdir())


@pytest.mark.parametrize(
    ("track", "named"), [("tensorboard:runs", "runs"), ("mlflow:sqlite:///new.db", "new.db")]
)
def test_a_read_only_mount_is_one_message(track: str, named: str, tmp_path: Path) -> None:
    """On a read-only file system, the demo says which path cannot be written to."""
    mounted = f'mount -t tmpfs -o ro tmpfs {tmp_path} && cd {tmp_path} && exec "$@"'
    done = run(["unshare", "-m", "sh", "-c", mounted, "sh", *DEMO, "--track", track], tmp_path)

    assert (2, "") == (done.returncode, done.stdout)
    assert f"{tmp_path / named}" in done.stderr
    assert "Read-only file system" in done.stderr
    assert 1 == len(done.stderr.splitlines())
