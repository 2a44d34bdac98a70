"""Mending the runs that processes which are gone have left behind."""

from collections import Counter
from pathlib import Path

from treadle_tracking.doctor.twins import twin_findings
from treadle_tracking.doctor.visit import Outcome, visit
from treadle_tracking.errors import InvalidTarget
from treadle_tracking.masking import masked
from treadle_tracking.mirrors.errors import MirrorStateDamaged
from treadle_tracking.mirrors.remainder import entries_left
from treadle_tracking.mirrors.state import load_every
from treadle_tracking.reading import RunRecord, open_runs
from treadle_tracking.syncing import check_timeout
from treadle_tracking.target import parse_targets

__all__ = ["mend_runs"]


def mend_runs(target: str, *, uid_prefix: str = "", timeout: float | None = None) -> list[str]:
    """End the runs of processes that are gone, and send what mirrors lack, as at the end of a sweep.

    Each run that is `UNFINISHED`, or of which a mirror lacks something, is mended as `doctor --fix` does: an end is
    recorded, KILLED, at the time when the run was last heard of, and what is wrong with its directory is put right.
    A run that a process writes is left alone.

    Args:
        target: Where the runs are, `tensorboard:DIR`.
        uid_prefix: What the uids of these runs begin with; by default, all of them are meant. Uids are given to
            `start_run`, such as `f"{sweep}/{trial}"`.
        timeout: Seconds for each run and mirror; None for as long as it takes.

    Returns:
        What could not be put right, a sentence each that names the run's directory.

    Raises:
        InvalidTarget: the target is no directory of runs.
        RunDirectoryError: there is no such directory.
        InvalidTimeout: `timeout` is no time.
    """
    check_timeout(timeout)
    if parse_targets(target).mirrors:
        raise InvalidTarget(
            f"{masked(target)!r} is no directory of runs, where they are mended. Name it, as in 'tensorboard:runs'"
        )
    runs = {
        run.directory: run
        for run in open_runs(target)
        if run.directory is not None and run.uid.startswith(uid_prefix)
    }
    times = Counter(run.uid for run in runs.values())
    twins = twin_findings(place for place, run in runs.items() if times[run.uid] > 1)
    return [
        _sentence(outcome)
        for directory, run in runs.items()
        if _wants_mending(run, directory)
        for outcome in visit(directory, fix=True, timeout=timeout, twin=twins.get(directory))
        if outcome.is_left
    ]


def _wants_mending(run: RunRecord, directory: Path) -> bool:
    """Whether it is worth a visit, which reads every artifact."""
    if run.status == "UNFINISHED":
        return True
    try:
        return any(entries_left(directory, sent.position) for sent in load_every(directory))
    except MirrorStateDamaged:
        return True


def _sentence(outcome: Outcome) -> str:
    why = "" if outcome.failed is None else f": {outcome.failed}"
    return f"{outcome.finding.directory} {outcome.finding.sentence}{why}"
