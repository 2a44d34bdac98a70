"""The runs below directories that somebody names: a run, an experiment, or the root of them all."""

import os
import re
import stat
from pathlib import Path

from attrs import field, frozen

from treadle_tracking.errors import RunDirectoryError

__all__ = [
    "WORKSHOP",
    "EventFile",
    "LogDirectory",
    "Logs",
    "Places",
    "found_below",
    "log_in",
    "logs_below",
    "runs_below",
]

# In a root, and empty when nobody copies: who copies there holds its lock, and makes runs in it.
WORKSHOP = ".treadle-copying"

_OWN = re.compile(r"events\.out\.tfevents\..*\.treadle")  # as `attempt_paths` has it


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
    found = logs_below(directory)
    return Places(runs=[log.path for log in found.logs if log.is_own], unreadable=found.unreadable)


@frozen(kw_only=True)
class EventFile:
    """An event file, or another one, as the file system had it. Times are nanoseconds since the epoch."""

    name: str
    size: int  # bytes
    modified: int
    changed: int  # the file or what is known of it: nobody can set this time
    inode: int


@frozen(kw_only=True)
class LogDirectory:
    """A directory with event files: of a run that this package has written, or somebody else."""

    path: Path
    files: tuple[EventFile, ...] = field(repr=False)  # in the order in which they are read
    is_own: bool
    params: EventFile | None = None  # Lightning's `hparams.yaml` beside somebody else's


@frozen
class Logs:
    """Directories with event files, by path, and directories that could not be looked into."""

    logs: list[LogDirectory]
    unreadable: list[OSError]  # each with its `filename`


@frozen
class _Folder:
    log: LogDirectory | None
    folders: list[str]
    links: list[str]  # to folders


def logs_below(directory: Path) -> Logs:
    """As `found_below`, with those that others have written: every directory with an event file that is in no run of ours."""
    found: dict[str, LogDirectory] = {}  # by their real paths
    unreadable: list[OSError] = []
    links: list[str] = []
    _walk(str(directory), found, unreadable, links)
    if links:
        found = {os.path.realpath(path): log for path, log in found.items()}
    for link in sorted(links):
        beyond: dict[str, LogDirectory] = {}
        _below_link(link, beyond, unreadable)
        for path, log in beyond.items():
            found.setdefault(os.path.realpath(path), log)
    return Logs(sorted(found.values(), key=lambda log: log.path), unreadable)


def _walk(
    place: str, found: dict[str, LogDirectory], unreadable: list[OSError], links: list[str]
) -> None:
    folders = [place]
    while folders:
        place = folders.pop()
        folder = _look(place, unreadable)
        if folder.log is not None:
            found[place] = folder.log
            if folder.log.is_own:
                continue
        folders += [inside for inside in folder.folders if not _is_unfinished(inside)]
        links += folder.links


def _is_unfinished(folder: str) -> bool:
    """Whether copies are made there, which are no runs yet."""
    return os.path.basename(folder) == WORKSHOP  # noqa: PTH119  # a text, of thousands


def _below_link(link: str, found: dict[str, LogDirectory], unreadable: list[OSError]) -> None:
    """The runs that are in a folder itself, as they are in an experiment: a link may lead anywhere, as to all of a disk."""
    folder = _look(link, unreadable)
    if folder.log is not None and folder.log.is_own:
        return
    for place in folder.folders:
        inside = _look(place, unreadable)
        if inside.log is None:
            continue
        if inside.log.is_own:
            found[place] = inside.log
        else:
            # What belongs to somebody else's run is below it.
            _walk(place, found, unreadable, [])


def log_in(directory: Path) -> LogDirectory | None:
    """The log in this very directory; None where there is none.

    Raises:
        OSError: it cannot be looked into.
    """
    unreadable: list[OSError] = []
    folder = _look(str(directory), unreadable)
    if unreadable:
        raise unreadable[0]
    return folder.log


def _look(place: str, unreadable: list[OSError]) -> _Folder:
    own: list[EventFile] = []
    others: list[EventFile] = []
    params: EventFile | None = None
    folders: list[str] = []
    links: list[str] = []
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif "tfevents" in entry.name and (file := _event_file(entry)) is not None:
                    (own if _OWN.fullmatch(entry.name) else others).append(file)
                elif entry.name == "hparams.yaml":
                    params = _event_file(entry)
                elif entry.is_symlink() and os.path.isdir(entry.path):  # noqa: PTH112 (a ring of links is none)
                    links.append(entry.path)
    except OSError as error:
        unreadable.append(error)
    files = sorted(own or others, key=lambda file: file.name)
    if not files:
        return _Folder(None, folders, links)
    log = LogDirectory(
        path=Path(place), files=tuple(files), is_own=bool(own), params=None if own else params
    )
    return _Folder(log, folders, links)


def _event_file(entry: "os.DirEntry[str]") -> EventFile | None:
    """None for what is no file, such as a pipe, or one that only says to TensorBoard that there is a profile."""
    try:
        status = entry.stat()
    except OSError:  # a link to nowhere, or gone meanwhile
        return None
    if not stat.S_ISREG(status.st_mode) or entry.name.endswith(".profile-empty"):
        return None
    return EventFile(
        name=entry.name,
        size=status.st_size,
        modified=status.st_mtime_ns,
        changed=status.st_ctime_ns,
        inode=status.st_ino,
    )
