"""The files of artifacts, read from a run's directory and from nowhere else, whatever its log says."""

import os
import shutil
import stat
from pathlib import Path

from treadle_tracking.directory import ARTIFACTS
from treadle_tracking.reading.errors import ArtifactUnreadable

__all__ = ["copy_artifact"]


def copy_artifact(directory: Path, path: str, run: str, target: Path) -> None:
    """Copy the artifact `path` of the run in `directory` to a new file.

    Raises:
        ArtifactUnreadable: it is not there, no file, or not inside the run's directory, where a link may lead.
        OSError: it cannot be read, or `target` cannot be written.
    """
    source = directory / ARTIFACTS / path
    try:
        real = source.resolve(strict=True)
        base = directory.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ArtifactUnreadable(path, run, f"{source}: {reason}") from None
    if not real.is_relative_to(base):
        raise ArtifactUnreadable(
            path, run, f"it is at {real}, outside the run's directory {directory}"
        )
    descriptor = os.open(
        real,
        os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0),
    )
    with open(descriptor, "rb") as file:  # noqa: PTH123 (it is open already)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ArtifactUnreadable(path, run, f"{source} is no file")
        with target.open("xb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)
