"""What can go wrong when runs are copied, one class a condition."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from treadle_tracking.copying.copied import Copied
from treadle_tracking.errors import InvalidTarget, TrackingError

__all__ = ["CopyIncomplete", "NotCopyable", "SamePlace", "TargetIsRun"]


class SamePlace(InvalidTarget):
    """Runs are to be copied to where they are."""

    def __init__(self, source: str, target: str) -> None:
        super().__init__(
            f"the source {source!r} and the target {target!r} are one place, or one is within the other. Name another "
            f"place"
        )


class NotCopyable(TrackingError):
    """A run has no log that could be copied."""

    def __init__(self, name: str, identity: str) -> None:
        super().__init__(
            f"the run {name!r} ({identity}) has nothing that says how it began, and cannot be copied"
        )


class CopyIncomplete(TrackingError):
    """Some runs could not be copied; all others were.

    Attributes:
        copied: Those that are at the target.
        failures: Why each of the others is not, in a sentence, by its uid.
    """

    def __init__(
        self,
        target: str,
        copied: Sequence[Copied],
        failures: Mapping[str, str],
        names: Mapping[str, str],
        untried: int,
    ) -> None:
        lines = [f"{names[uid]!r} ({uid}): {why}" for uid, why in islice(failures.items(), 10)]
        if len(failures) > 10:
            lines.append(f"… and {len(failures) - 10} more")
        if untried:
            lines.append(
                f"{_runs(untried)} more, which {'was' if untried == 1 else 'were'} not tried"
            )
        super().__init__(
            f"{_runs(len(failures) + untried)} did not reach {target}, and {len(copied)} did; copy again to bring what "
            f"is missing:\n" + "\n".join(f"  {line}" for line in lines)
        )
        self.copied = tuple(copied)
        self.failures = dict(failures)


class TargetIsRun(InvalidTarget):
    """Runs are to be copied below a run."""

    def __init__(self, root: Path) -> None:
        super().__init__(
            f"{root} is itself a run, and no run can be kept below it. Name the directory that runs are below"
        )


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"
