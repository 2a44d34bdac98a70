"""Runs as JSON, exactly."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from treadle_tracking import exact_json
from treadle_tracking.attributes import attributes
from treadle_tracking.entries import ParamValue
from treadle_tracking.errors import AmbiguousRun
from treadle_tracking.reading.record import RunRecord

__all__ = ["as_json", "dumps", "params_json", "plain"]


def as_json(runs: Iterable[RunRecord], *, contents: bool = False) -> list[dict[str, Any]]:
    """Everything of each run but its histories, in what JSON has words for.

    They are the fields of a `RunRecord` by their names: `uid`, `name`, `experiment`, `group`, `status`, `started` and
    `ended` (seconds since the epoch, in whole milliseconds), `duration` (seconds), `params`, nested as they were given,
    `tags`, `metrics` (the last value of each), `target`, `identity`, `directory`, `url`, `parent` and `damage`. A float
    that JSON has no word for is `{"$float": "nan"}`, `{"$float": "inf"}` or `{"$float": "-inf"}`, and a name that begins
    with `$` has one more in front.

    Args:
        runs: Of one place or of several.
        contents: Whether to name what they have beside numbers, too: `artifacts`, `images`, `texts`, `histograms`,
            `tables` and `functions`. A server is asked for it run by run.

    Raises:
        TrackingError: a place cannot be reached.
    """
    return [plain({**_fields(run), **(_contents(run) if contents else {})}) for run in runs]


def params_json(runs: Iterable[RunRecord]) -> dict[str, Any]:
    """The parameters of each run by its uid, nested and typed, in what JSON has words for, as `as_json` has them.

    Raises:
        AmbiguousRun: two runs have one uid and different parameters.
    """
    found: dict[str, Any] = {}
    first: dict[str, RunRecord] = {}
    for run in runs:
        params = plain(dict(run.params))
        if found.setdefault(run.uid, params) != params:
            both = first[run.uid], run
            raise AmbiguousRun(run.uid, [one.directory or one.identity for one in both])
        first.setdefault(run.uid, run)
    return found


def dumps(value: Any, *, indent: int | None = None) -> str:
    """The text of what `as_json`, `params_json` and `plain` give: JSON that UTF-8 can write.

    Args:
        value: What they have given.
        indent: Blanks a level, for people; None for one line.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    # A half of a surrogate pair, which UTF-8 has not, stays an escape.
    return text.encode("utf-8", "backslashreplace").decode()


def plain(values: Mapping[str, ParamValue]) -> dict[str, Any]:
    """Values by name in what JSON has words for: NaN is `{"$float": "nan"}`."""
    found: dict[str, Any] = json.loads(exact_json.dumps(values))
    return found


def _fields(run: RunRecord) -> dict[str, ParamValue]:
    return {
        **attributes(run),
        "params": dict(run.params),
        "tags": dict(run.tags),
        "metrics": dict(run.metrics),
        "target": run.target,
        "identity": run.identity,
        "directory": None if run.directory is None else str(run.directory),
        "url": run.url,
        "parent": run.parent,
        "damage": run.damage,
    }


def _contents(run: RunRecord) -> dict[str, ParamValue]:
    contents = run.contents
    return {
        "artifacts": list(contents.artifacts),
        "images": list(contents.images),
        "texts": list(contents.texts),
        "histograms": list(contents.histograms),
        "tables": list(contents.tables),
        "functions": dict(contents.functions),
    }
