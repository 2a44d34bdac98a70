"""`compare`: runs side by side."""

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from treadle_tracking.commands.answer import tell, tell_json
from treadle_tracking.commands.calling import FINE, Commands, WrongCall
from treadle_tracking.commands.opening import (
    add_infer_types,
    add_target,
    is_place,
    opened,
    read,
    say_damage,
)
from treadle_tracking.commands.which import RUN, only_run, run_named
from treadle_tracking.errors import UnknownRun
from treadle_tracking.reading import RunRecord, Runs
from treadle_tracking.terminal import columns

if TYPE_CHECKING:
    from treadle_tracking.comparing import Comparison

__all__ = ["add"]

_MOST_COLUMNS = 1_000_000  # where nothing limits them: all runs side by side


def add(commands: Commands) -> None:
    """Let `compare` be called."""
    parser = commands.add_parser(
        "compare",
        help="show runs side by side",
        description="Show runs side by side: the parameters and tags that differ, and every metric with how far it is "
        "from the first run's. A run of another place is written TARGET#RUN, or as the path of its directory.",
        example="{prog} compare runs baseline 3f2a91bc\n"
        "{prog} compare runs/digits/baseline runs/digits/wider\n"
        "{prog} compare runs baseline 'mlflow:http://127.0.0.1:5000#baseline' --json",
    )
    add_target(parser)
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help=f"{RUN}. If only one is named, it is compared with the only run of TARGET",
    )
    parser.add_argument(
        "--diff", action="store_true", help="print differing parameters in full, as diff does"
    )
    add_infer_types(parser)
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")
    parser.set_defaults(do=_compare, interrupted=None)


def _compare(given: argparse.Namespace) -> int:
    from treadle_tracking.comparing import compare

    base = opened(given.target, infer_types=given.infer_types)
    named = list(given.runs)
    chosen: list[RunRecord] = []
    if len(named) == 1:
        if len(read(base)) > 1:
            raise WrongCall("a run is compared with another: name two, or more")
        chosen.append(only_run(base))
    chosen += [_run(base, text, infer_types=given.infer_types) for text in named]
    for run in chosen:
        say_damage(run)
    comparison = compare(*chosen)
    if given.json:
        tell_json(_as_json(comparison))
    elif given.diff:
        tell(filter(None, [comparison.config_diff()]))
    else:
        tell([comparison.text(columns() or _MOST_COLUMNS)])
    return FINE


def _run(base: Runs, text: str, *, infer_types: bool) -> RunRecord:
    place, sign, name = text.partition("#")
    if sign and is_place(place):
        elsewhere = opened(place, infer_types=infer_types)
        return run_named(elsewhere, name) if name else only_run(elsewhere)
    try:
        return run_named(base, text)
    except UnknownRun:
        if not is_place(text):
            raise
    return only_run(opened(text, infer_types=infer_types))


def _as_json(comparison: "Comparison") -> dict[str, Any]:
    from treadle_tracking.exporting import plain

    labels = comparison.labels
    return {
        "runs": [
            {
                "label": label,
                "uid": run.uid,
                "name": run.name,
                "experiment": run.experiment,
                "target": run.target,
                "identity": run.identity,
            }
            for label, run in zip(labels, comparison.runs, strict=True)
        ],
        "is_same": comparison.is_same,
        "attributes": plain(_by_label(labels, comparison.attributes)),
        "params": plain(_by_label(labels, comparison.params)),
        "same_params": plain(dict(comparison.same_params)),
        "tags": plain(_by_label(labels, comparison.tags)),
        "metrics": plain(_by_label(labels, comparison.metrics)),
    }


def _by_label(labels: Sequence[str], fields: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """What each run has of each field; a run that has none is not there."""
    from treadle_tracking.comparing import MISSING

    return {
        name: {
            label: value
            for label, value in zip(labels, values, strict=True)
            if value is not MISSING
        }
        for name, values in fields.items()
    }
