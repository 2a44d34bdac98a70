"""Run directories that need not be kept: everything in them is elsewhere."""

from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

from attrs import frozen

from treadle_tracking.attempts import ABANDONED
from treadle_tracking.backends import mirror as make_mirror
from treadle_tracking.directory import ARTIFACTS, PARAMS
from treadle_tracking.doctor.finding import counted
from treadle_tracking.entries import Artifact, Ended
from treadle_tracking.errors import TrackingError
from treadle_tracking.log import attempt_paths, read_entries
from treadle_tracking.masking import HIDDEN
from treadle_tracking.mirrors.abilities import SaysWhatItLacks
from treadle_tracking.mirrors.remainder import entries_left
from treadle_tracking.mirrors.state import Sent, load_every
from treadle_tracking.ownership import Ownership

__all__ = ["Pruned", "prune"]

# Notes of a run's process, of mirrors, of readers and of a copy, and what was cut out of the run.
_NOTES = (".mirror-", ".writer", ".treadle-index.", ".copied.json", f"{ABANDONED}/")


@frozen(kw_only=True)
class Pruned:
    """What has become of a run directory: removed, or kept for a reason."""

    directory: Path
    mirrors: tuple[str, ...] = ()  # where the run is
    size: int = 0  # bytes
    kept_because: str | None = None


def prune(directory: Path) -> Pruned:
    """Remove a run directory, if the run is finished and every one of its mirrors says that it has it whole.

    Raises:
        OSError: it cannot be removed.
        TrackingError: it cannot be read, or is being written.
    """
    ownership = Ownership(directory)
    try:
        why = _kept_because(directory)
        if why is not None:
            return Pruned(directory=directory, kept_because=why)
        mirrors = tuple(sent.uri for sent in load_every(directory))
        size = sum(path.lstat().st_size for path in directory.rglob("*"))
        rmtree(directory)
    finally:
        ownership.release()
    return Pruned(directory=directory, mirrors=mirrors, size=size)


def _kept_because(directory: Path) -> str | None:
    last, known = None, set()
    for last, _ in read_entries(directory):
        if isinstance(last, Artifact):
            known.add(last.path)
    if not isinstance(last, Ended) or last.status != "FINISHED":
        return "it is not FINISHED"
    notes = load_every(directory)
    if not notes:
        return "it has no mirror"
    for sent in notes:
        if (left := entries_left(directory, sent.position)) is not None:
            return f"{left} not at {sent.uri}"
    own = sorted(_unknown_files(directory, known))
    if own:
        return f"{counted(len(own), 'file')} that no mirror was ever sent, such as {own[0]}"
    for sent in notes:
        if (why := _lacks(sent)) is not None:
            return why
    return None


def _unknown_files(directory: Path, artifacts: set[str]) -> Iterator[str]:
    """Files that are no part of what a run writes itself, or what it is sent from."""
    own = {PARAMS, *(path.name for path in attempt_paths(directory))}
    own |= {f"{ARTIFACTS}/{path}" for path in artifacts}
    for path in directory.rglob("*"):
        name = path.relative_to(directory).as_posix()
        if path.is_dir() and not path.is_symlink():
            continue
        if name not in own and not name.startswith(_NOTES):
            yield name


def _lacks(sent: Sent) -> str | None:
    """Why a mirror cannot be relied upon, though it has acknowledged everything; None if it can."""
    if HIDDEN in sent.uri:
        return f"{sent.uri} cannot be asked whether it has the run: its password is not kept"
    try:
        mirror = make_mirror(sent.uri)
        if not isinstance(mirror, SaysWhatItLacks) or sent.started is None or sent.identity is None:
            return f"{sent.uri} cannot be asked whether it has the run"
        try:
            lacking = mirror.lacking(sent.started, sent.identity)
        finally:
            mirror.close()
    except TrackingError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  # a mirror may raise whatever its client does
        return (
            f"{sent.uri} cannot be asked whether it has the run ({type(error).__name__}: {error})"
        )
    if lacking:
        return (
            f"{sent.uri} did not take {counted(len(lacking), 'part')} of it, such as {lacking[0]!r}"
        )
    return None
