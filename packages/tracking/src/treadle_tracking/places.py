"""The runs below directories that somebody names: a run, an experiment, or the root of them all."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import frozen

from treadle_tracking.errors import RunDirectoryError
from treadle_tracking.log import attempt_paths

__all__ = ["Places", "found_below", "runs_below"]


@frozen
class Places:
    """Run directories, and directories that could not be looked into."""

    runs: list[Path]
    unreadable: list[OSError]  # each with its `filename`


def runs_below(directory: Path) -> Places:
    """As `found_below`, where at least one is to be found.

    Raises:
        RunDirectoryError: it is no directory, or there is no run in it.
    """
    directory = directory.absolute()
    advice = "Name the directory of a run, or one that runs are below, such as the one they were started with"
    if not directory.is_dir():
        there = "it is a file" if os.path.lexists(directory) else "there is no such directory"
        raise RunDirectoryError(directory, there, advice)
    found = found_below(directory)
    if not found.runs and not found.unreadable:
        raise RunDirectoryError(directory, "there is no run in it", advice)
    return found


def found_below(directory: Path) -> Places:
    """The runs in a directory, sorted: itself, if it is one. Runs hold no runs.

    A link to a folder of runs, such as an experiment on another disk, stands for that folder; a link to a run is passed
    over, and a run that is reached in several ways is there once.
    """
    runs: dict[str, Path] = {}  # by their real paths
    unreadable: list[OSError] = []
    links: list[Path] = []
    for place, folders, files in os.walk(directory, onerror=unreadable.append):
        if _is_run(place, files):
            folders.clear()
            runs[os.path.realpath(place)] = Path(place)
        links += [path for folder in folders if (path := Path(place, folder)).is_symlink()]
    for link in sorted(links):
        for run in _runs_in(link, unreadable):
            runs.setdefault(os.path.realpath(run), run)
    return Places(runs=sorted(runs.values()), unreadable=unreadable)


def _is_run(place: str | Path, files: Iterable[str]) -> bool:
    # Most folders of a run have many files, and none of these.
    is_likely = any(name.startswith("events.out.tfevents.") for name in files)
    return is_likely and bool(attempt_paths(Path(place)))


def _runs_in(link: Path, unreadable: list[OSError]) -> Iterator[Path]:
    """The runs that are in a folder itself, as they are in an experiment: a link may lead anywhere, as to all of a disk."""
    if attempt_paths(link):
        return
    try:
        inside = [link / one.name for one in os.scandir(link) if one.is_dir(follow_symlinks=False)]
    except OSError as error:
        unreadable.append(error)
        return
    yield from filter(attempt_paths, inside)
