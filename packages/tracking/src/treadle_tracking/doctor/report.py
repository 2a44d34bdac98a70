"""What a doctor has found and done, for people and for programs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from treadle_tracking.doctor.finding import bytes_of, counted
from treadle_tracking.doctor.pruning import Pruned
from treadle_tracking.doctor.visit import Outcome
from treadle_tracking.shell import doctor_command

__all__ = ["as_json", "as_text"]


def as_json(
    runs: Sequence[Path], outcomes: Sequence[Outcome], pruned: Sequence[Pruned]
) -> dict[str, Any]:
    """The report as `--json` prints it: `runs`, `findings`, `pruned`."""
    return {
        "runs": [str(run) for run in runs],
        "findings": [
            {
                "directory": str(outcome.finding.directory),
                "kind": outcome.finding.kind,
                "is_problem": outcome.finding.is_problem,
                "sentence": outcome.finding.sentence,
                "remedy": outcome.finding.remedy,
                "done": outcome.done,
                "failed": outcome.failed,
            }
            for outcome in outcomes
        ],
        "pruned": [
            {
                "directory": str(one.directory),
                "mirrors": list(one.mirrors),
                "size": one.size,
                "kept_because": one.kept_because,
            }
            for one in pruned
        ],
    }


def as_text(
    runs: Sequence[Path],
    directories: Sequence[str],
    outcomes: Sequence[Outcome],
    pruned: Sequence[Pruned],
) -> Iterator[str]:
    """The report in lines.

    Args:
        runs: What was looked at.
        directories: What the user has named.
        outcomes: Those of one directory stand together.
        pruned: What was to be removed.
    """
    last = None
    for outcome in outcomes:
        finding = outcome.finding
        if finding.directory != last:
            last = finding.directory
            yield str(last)
        yield f"  {finding.kind}: {finding.sentence}"
        if outcome.done is not None:
            yield f"    mended: {outcome.done}"
        elif outcome.failed is not None:
            yield f"    not mended: {outcome.failed}"
        elif finding.remedy is not None:
            yield f"    with --fix: {finding.remedy}"
    for one in pruned:
        if one.kept_because is None:
            yield f"removed {one.directory} ({bytes_of(one.size)}): it is at {', '.join(one.mirrors)}"
        else:
            yield f"kept {one.directory}: {one.kept_because}"
    left = {outcome.finding.directory for outcome in outcomes if outcome.is_left}
    looked = f"looked at {counted(len(runs), 'run')}"
    if not left:
        yield f"{looked}: nothing is wrong"
        return
    yield f"{looked}: something is wrong with {len(left):,}"
    mendable = any(outcome.finding.mend and outcome.is_left for outcome in outcomes)
    if mendable and not any(outcome.done or outcome.failed for outcome in outcomes):
        places = [Path(directory) for directory in directories]
        yield f"mend it with: {doctor_command(*places, fix=True)}"
