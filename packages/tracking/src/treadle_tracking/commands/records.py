"""Runs as `--json` has them."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import indent
from typing import Any

from treadle_tracking.commands.answer import as_json as as_json_text
from treadle_tracking.commands.answer import instant
from treadle_tracking.exporting import as_json, plain
from treadle_tracking.reading import RunRecord

__all__ = ["run_json", "runs_json", "runs_json_lines"]


def runs_json(runs: Sequence[RunRecord], *, contents: bool = False) -> list[dict[str, Any]]:
    """Everything of each run but its histories, as `Runs.json` has it, with times as in ISO 8601.

    Args:
        runs: Of one place or of several.
        contents: Whether to name what they have beside numbers, too.

    Raises:
        TrackingError: a place cannot be reached.
    """
    return [
        {**values, "started": instant(run.started), "ended": instant(run.ended)}
        for run, values in zip(runs, as_json(runs, contents=contents), strict=True)
    ]


def run_json(run: RunRecord, extremes: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    """Everything of one run, with what it has beside numbers, and the `min` and the `max` of each metric.

    Raises:
        TrackingError: the place cannot be reached.
    """
    [values] = runs_json([run], contents=True)
    for number, kind in enumerate(("min", "max")):
        values[kind] = plain({name: both[number] for name, both in extremes.items()})
    return values


def runs_json_lines(runs: Sequence[RunRecord]) -> Iterator[str]:
    """The list of `runs_json` as text, made run by run.

    Raises:
        TrackingError: a place cannot be reached.
    """
    yield "["
    for number, run in enumerate(runs, 1):
        [values] = runs_json([run])
        yield indent(as_json_text(values), "  ") + ("," if number < len(runs) else "")
    yield "]"
