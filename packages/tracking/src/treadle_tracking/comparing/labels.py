"""What compared runs are called in a table: each something else."""

from collections.abc import Sequence

from treadle_tracking.reading.record import RunRecord

__all__ = ["beginnings", "labels"]

_BEGINNING = 8  # characters of a uid, which are enough for those that are made at random


def labels(runs: Sequence[RunRecord]) -> tuple[str, ...]:
    """Their names; behind those that are not one run's alone, the beginning of the uid, the place, or the number."""
    called = [run.name for run in runs]
    for marks in (
        beginnings([run.uid for run in runs]),
        [run.target.partition(":")[0] for run in runs],
        [run.target for run in runs],
    ):
        longer = [f"{run.name} ({mark})" for run, mark in zip(runs, marks, strict=True)]
        called = _told_apart(called, longer)
    while len(set(called)) < len(called):
        called = _told_apart(called, [f"{one} #{number}" for number, one in enumerate(called, 1)])
    return tuple(called)


def beginnings(uids: Sequence[str]) -> list[str]:
    """As much of each as tells them apart."""
    length, distinct = _BEGINNING, len(set(uids))
    while len({uid[:length] for uid in uids}) < distinct:
        length += 1
    return [uid[:length] for uid in uids]


def _told_apart(called: Sequence[str], longer: Sequence[str]) -> list[str]:
    """The longer ones, where they tell apart some that are called the same."""
    same: dict[str, set[str]] = {}
    for one, other in zip(called, longer, strict=True):
        same.setdefault(one, set()).add(other)
    return [other if len(same[one]) > 1 else one for one, other in zip(called, longer, strict=True)]
