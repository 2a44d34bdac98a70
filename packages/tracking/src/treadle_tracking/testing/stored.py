"""What a place has of a run, and whether that is what was sent to it."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from attrs import asdict, frozen

from treadle_tracking.entries import (
    Artifact,
    Ended,
    Entry,
    Params,
    ParamValue,
    RunStatus,
    Scalars,
    Tags,
)
from treadle_tracking.params import joined

__all__ = ["StoredRun", "check_same", "check_stored"]

Point: TypeAlias = tuple[int, float, float]
"""The step of a metric, its value, and its time in seconds since the epoch."""


@frozen(kw_only=True)
class StoredRun:
    """A run as the place that it was sent to has it. What the place does not keep is None.

    Attributes:
        uid: The run's own.
        identity: What the mirror called it.
        name: For people.
        experiment: What it belongs to.
        status: How it stands.
        params: By the names that the user gave, nested as they were, with their types.
        tags: By the names that the user gave, without those that the mirror has added.
        metrics: By the names that the user gave: all points, in the order of their times.
        artifacts: What the files hold, by path.
    """

    uid: str
    identity: str
    name: str | None = None
    experiment: str | None = None
    status: RunStatus | None = None
    params: Mapping[str, ParamValue] | None = None
    tags: Mapping[str, str] | None = None
    metrics: Mapping[str, Sequence[Point]] | None = None
    artifacts: Mapping[str, bytes] | None = None


def _shown(value: object) -> str:
    """What is compared: JSON, which tells 1 from 1.0, knows one NaN, and takes mappings in any order."""
    plain = asdict(value) if isinstance(value, StoredRun) else value
    return json.dumps(plain, sort_keys=True, default=repr)


def check_same(claim: str, expected: object, actual: object) -> None:
    """See that two values are the same; `claim` says what is not true otherwise."""
    # Outside of test modules, pytest does not show what was compared.
    if _shown(expected) != _shown(actual):
        raise AssertionError(f"{claim}\nexpected: {_shown(expected)}\nactual:   {_shown(actual)}")


def check_stored(
    run: StoredRun,
    entries: Sequence[Entry],
    directory: Path,
    *,
    number: Callable[[float], float],
    resolution: float,
) -> None:
    """See that a place has of entries what it keeps of them.

    Attributes:
        run: What it has.
        entries: What was sent, in order, none of it taken back.
        directory: The run directory.
        number: What the place makes of a double.
        resolution: Seconds by which a time may differ.

    Raises:
        AssertionError: it has something else.
    """
    metrics: dict[str, list[Point]] = {}
    params: dict[str, ParamValue] = {}
    tags: dict[str, str] = {}
    status: RunStatus = "RUNNING"
    artifacts = {}
    for entry in entries:
        match entry:
            case Scalars():
                for name, value in entry.values.items():
                    point = (entry.step, number(value), entry.wall_time)
                    metrics.setdefault(name, []).append(point)
            case Params():
                params = joined(params, entry.values)
            case Tags():
                tags.update(entry.values)
            case Artifact():
                artifacts[entry.path] = (directory / "artifacts" / entry.path).read_bytes()
            case Ended():
                status = entry.status
            case _:
                pass
    if run.metrics is not None:
        _check_points(run.metrics, metrics, resolution)
    for kind, expected, actual in (
        ("parameters", params, run.params),
        ("tags", tags, run.tags),
        ("status", status, run.status),
    ):
        if actual is not None:
            check_same(f"the {kind} are those that were sent", expected, actual)
    if run.artifacts is not None:
        kept = {path: run.artifacts.get(path) for path in artifacts}
        check_same("the files are those of the run directory", artifacts, kept)


def _check_points(
    stored: Mapping[str, Sequence[Point]], sent: Mapping[str, Sequence[Point]], resolution: float
) -> None:
    check_same("the metrics are those that were sent", sorted(sent), sorted(stored))
    for name, points in sent.items():
        check_same(
            f"the points of the metric {name!r} are those that were sent, in the order of their times",
            [point[:2] for point in points],
            [tuple(point[:2]) for point in stored[name]],
        )
        late = [
            (point[2], kept[2])
            for point, kept in zip(points, stored[name], strict=True)
            if abs(point[2] - kept[2]) > resolution
        ]
        check_same(f"the times of {name!r} are those that were sent", [], late)
