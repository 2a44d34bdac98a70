"""The runs below directories that somebody names: a run, an experiment, or the root of them all."""

import os
from pathlib import Path

from attrs import frozen

from treadle_tracking.errors import RunDirectoryError
from treadle_tracking.log import attempt_paths

__all__ = ["Places", "runs_below"]


@frozen
class Places:
    """Run directories, and directories that could not be looked into."""

    runs: list[Path]
    unreadable: list[OSError]  # each with its `filename`


def runs_below(directory: Path) -> Places:
    """The runs in a directory, sorted: itself, if it is one. Links are not followed, and runs hold no runs.

    Raises:
        RunDirectoryError: it is no directory, or there is no run in it.
    """
    directory = directory.absolute()
    advice = "Name the directory of a run, or one that runs are below, such as the one they were started with"
    if not directory.is_dir():
        there = "it is a file" if os.path.lexists(directory) else "there is no such directory"
        raise RunDirectoryError(directory, there, advice)
    runs: list[Path] = []
    unreadable: list[OSError] = []
    for place, folders, files in os.walk(directory, onerror=unreadable.append):
        if any(name.startswith("events.out.tfevents.") for name in files) and attempt_paths(
            Path(place)
        ):
            folders.clear()
            runs.append(Path(place))
    if not runs and not unreadable:
        raise RunDirectoryError(directory, "there is no run in it", advice)
    return Places(runs=sorted(runs), unreadable=unreadable)
