"""Run directories of one uid, as `cp -r` makes them: to a mirror they are one run."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen

from treadle_tracking.doctor.finding import Finding
from treadle_tracking.entries import Started
from treadle_tracking.errors import TrackingError
from treadle_tracking.log import read_entries
from treadle_tracking.mirrors.state import load_every
from treadle_tracking.shell import forget_command

__all__ = ["twin_findings"]


@frozen
class _Known:
    directory: Path
    mirrors: frozenset[str]


def twin_findings(directories: Iterable[Path]) -> dict[Path, Finding]:
    """What is to be said of those of these run directories that have the uid of another, by directory.

    It is a problem where they are sent to one mirror. Which of them is to be the run, only the user knows.
    """
    known: defaultdict[str, list[_Known]] = defaultdict(list)
    for directory in directories:
        if (uid := _uid(directory)) is not None:
            known[uid].append(_Known(directory, _mirrors(directory)))
    return {
        one.directory: _finding(uid, one, [other for other in twins if other is not one])
        for uid, twins in known.items()
        if len(twins) > 1
        for one in twins
    }


def _uid(directory: Path) -> str | None:
    """None where there is none, or it cannot be read: that is told by who looks at the run itself."""
    try:
        first = next((entry for entry, _ in read_entries(directory)), None)
    except Exception:  # noqa: BLE001  # whatever a file may hold, other runs are looked at
        return None
    return first.uid if isinstance(first, Started) else None


def _mirrors(directory: Path) -> frozenset[str]:
    try:
        return frozenset(sent.uri for sent in load_every(directory))
    except (OSError, TrackingError):
        return frozenset()


def _finding(uid: str, one: _Known, others: list[_Known]) -> Finding:
    shared = sorted(
        one.mirrors.intersection(*[frozenset().union(*(other.mirrors for other in others))])
    )
    partners = [other for other in others if not shared or shared[0] in other.mirrors]
    more = f" and {len(partners) - 1} more" if len(partners) > 1 else ""
    same = f"has the uid {uid!r} of {partners[0].directory}{more}"
    if not shared:
        return Finding(
            directory=one.directory,
            kind="same uid",
            sentence=f"{same}, as a copy has: readers list each of them, and none is found by its uid alone. "
            f"Move the one that is not the run out of the directory where runs are, or delete it",
            is_problem=False,
        )
    forget = forget_command(one.directory, shared[0])
    return Finding(
        directory=one.directory,
        kind="same uid",
        sentence=f"{same}, as a copy has, and both are sent to {shared[0]}, where they are one run: what either records "
        f"joins the other's, so nothing is sent now. If this is not the one that is to be there: {forget}",
    )
