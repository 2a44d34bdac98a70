"""What copies of runs have left that did not come to their end."""

from pathlib import Path

from treadle_tracking.doctor.finding import Finding, bytes_of, counted
from treadle_tracking.places import WORKSHOP

__all__ = ["unfinished_copies"]


def unfinished_copies(root: Path) -> Finding | None:
    """That runs which were being copied to this directory are not whole. No reader takes them for runs.

    It is no problem: the next copy begins by removing them, and one that goes on just now has some, too.
    """
    workshop = root / WORKSHOP
    try:
        left = [path for path in workshop.iterdir() if path.is_dir()]
    except OSError:
        return None
    if not left:
        return None
    size = sum(path.lstat().st_size for path in workshop.rglob("*") if not path.is_dir())
    return Finding(
        directory=root,
        kind="leftover",
        sentence=f"{counted(len(left), 'run')} in {WORKSHOP} that a copy has not finished, {bytes_of(size)} in all: the "
        f"next copy to this directory removes what is there. If none is running, it can be deleted",
        is_problem=False,
    )
