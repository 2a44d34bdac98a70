"""What a script ran on and in, as far as that is needed to run it again."""

import os
import platform
import socket
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

__all__ = ["environment", "revision"]

_GIT_SECONDS = 5.0
# What decides where a training runs. Others may hold secrets.
_VARIABLES = (
    *("CUDA_VISIBLE_DEVICES", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "OMP_NUM_THREADS"),
    *("SLURM_JOB_ID", "SLURM_JOB_NODELIST", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"),
)


def revision() -> dict[str, str]:
    """The commit of the code that is run, and how many files differ from it; empty where it is in no repository."""
    folder = Path(sys.argv[0]).resolve().parent if sys.argv[0] else Path.cwd()
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return {}
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    said = {"git.commit": commit.strip()}
    if changed is not None:
        said["git.changed_files"] = str(len(changed.splitlines()))
    return said


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  # no shell reads it
            ["git", "-C", str(folder), *arguments],  # noqa: S607  # whichever the user has
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
            # Looking must not take the repository's lock from whoever works in it.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def environment() -> dict[str, Any]:
    """The machine, Python, the installed packages, and the devices that torch sees, if it is loaded."""
    found: dict[str, Any] = {
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "directory": str(Path.cwd()),
        "packages": {one.name: one.version for one in sorted(distributions(), key=_name)},
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
    }
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["devices"] = [
            torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())
        ]
    return found


def _name(distribution: Any) -> str:
    return str(distribution.name).lower()
