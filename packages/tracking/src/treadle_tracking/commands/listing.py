"""`list` and `search`: the runs of a place, or those that meet a filter."""

import argparse
from collections.abc import Iterable, Sequence
from functools import partial

from treadle_tracking.commands.answer import tell, tell_json
from treadle_tracking.commands.calling import FINE, Commands, Parser, count
from treadle_tracking.commands.opening import (
    add_infer_types,
    add_target,
    no_run,
    opened,
    say_damage,
    say_unread,
)
from treadle_tracking.commands.records import runs_json
from treadle_tracking.doctor.finding import counted
from treadle_tracking.errors import suggestion
from treadle_tracking.leaves import leaves
from treadle_tracking.masking import masked
from treadle_tracking.notices import say
from treadle_tracking.progress import Progress
from treadle_tracking.reading import RunRecord, Runs
from treadle_tracking.terminal import columns, visible

__all__ = ["add", "found", "say_why_nothing"]

_ON_A_TERMINAL = 50  # runs; what is more has scrolled away
_NEWEST_FIRST = "started desc"
_SINGULAR = {"param": "parameter", "tag": "tag", "metric": "metric"}


def add(commands: Commands) -> None:
    """Let `list` and `search` be called."""
    listing = commands.add_parser(
        "list",
        help="list runs",
        description="List the runs of a place, the newest first: what tells them apart, how they went, and as many "
        "of their metrics as fit the terminal.",
        example="{prog} list runs\n"
        "{prog} list mlflow:http://127.0.0.1:5000 --experiment digits --limit 10\n"
        "{prog} list runs --columns \"name, params.optim.lr, metrics['val/loss'].min\"",
    )
    add_target(listing)
    listing.add_argument("--experiment", metavar="NAME", help="only the runs of this one")
    _add_options(listing)
    listing.set_defaults(do=_list, interrupted=None)
    searching = commands.add_parser(
        "search",
        help="list the runs that meet a filter",
        description="List the runs that meet a filter, the newest first, as `list` does.",
        example="{prog} search runs 'params.optim.lr > 1e-3 and status = \"FINISHED\"'\n"
        "{prog} search runs \"metrics['val/loss'].min < 0.2\" --order-by metrics.loss --limit 5\n"
        "{prog} search mlflow: \"tags.outcome like 'good%'\" --json",
    )
    add_target(searching)
    searching.add_argument(
        "filter",
        metavar="FILTER",
        help="comparisons of params.NAME, metrics.NAME, tags.NAME and of attributes such as status, name and started, "
        "with and, or, not and parentheses; quote it for the shell",
    )
    _add_options(searching)
    searching.set_defaults(do=_search, interrupted=None)


def _add_options(parser: Parser) -> None:
    parser.add_argument(
        "--order-by",
        action="append",
        metavar="FIELD",
        help="what comes first, such as metrics.loss or 'started desc'; the newest by default",
    )
    parser.add_argument(
        "--limit",
        type=count,
        metavar="N",
        help=f"N runs at most, 0 for all; {_ON_A_TERMINAL} by default in a table on a terminal, else all",
    )
    parser.add_argument(
        "--columns",
        action="append",
        metavar="FIELD,…",
        help="the columns of the table, such as 'name, params.lr, metrics.loss.min'",
    )
    add_infer_types(parser)
    parser.add_argument("--json", action="store_true", help="print everything of the runs as JSON")


def _list(given: argparse.Namespace) -> int:
    if given.experiment is None:
        return _answer(given, "")
    name = given.experiment.replace("'", "''")
    return _answer(given, f"experiment = '{name}'")


def _search(given: argparse.Namespace) -> int:
    return _answer(given, given.filter)


def _answer(given: argparse.Namespace, filter: str) -> int:
    from treadle_tracking.commands import rows

    fields = None if given.columns is None else rows.asked_columns(given.columns)
    runs = opened(given.target, infer_types=given.infer_types)
    records = found(runs, filter, given.order_by).records
    for run in records:
        say_damage(run)
    if not records:
        _say_nothing_is_found(runs, filter, given)
    elif given.order_by is not None:
        _say_unknown_order(given.order_by, records)
    limit = given.limit
    if limit is None and not given.json and columns() is not None:
        limit = _ON_A_TERMINAL
    shown = records[: limit or None]
    if given.json:
        tell_json(runs_json(shown))
        return FINE
    most = columns()
    if fields is None:
        chosen = rows.default_columns(shown, most)
        tell(rows.lines(shown, chosen, in_full=False, most=most))
    else:
        tell(rows.lines(shown, fields, in_full=True, most=most))
    if given.limit is None and len(shown) < len(records):
        say(f"these are {len(shown)} of {len(records):,} runs; --limit 0 shows all")
    return FINE


def found(runs: Runs, filter: str, order_by: Sequence[str] | None = None) -> Runs:
    """The runs that meet a filter, the newest first where nothing else is said; what could not be read is named on stderr.

    Raises:
        SearchError: the filter or the order is none.
        TrackingError: the place cannot be reached.
    """
    with Progress(partial("reading {}".format, masked(runs.target))):
        if filter or order_by:
            searched = runs.search(filter, order_by=list(order_by or [_NEWEST_FIRST]))
        else:
            # Without a parser, which takes longer to be made than most runs to be read.
            searched = runs[::-1]
    say_unread(runs)
    return searched


def _say_nothing_is_found(runs: Runs, filter: str, given: argparse.Namespace) -> None:
    where = masked(runs.target)
    if not runs.records:
        say(visible(no_run(runs)))
    elif not filter:
        say(f"no run is found in {where}")
    elif getattr(given, "experiment", None) is not None:
        say(
            f"no run in {where} is of an experiment {given.experiment!r}. "
            f"{suggestion(given.experiment, runs.experiments)}"
        )
    else:
        say(f"none of {counted(len(runs), 'run')} in {where} meets the filter")
        say_why_nothing(filter, runs, infer_types=given.infer_types)


def say_why_nothing(filter: str, runs: Runs, *, infer_types: bool) -> None:
    """Say why no run meets a filter: there is none, or none has what is asked for, or has it of another type."""
    if not runs.records:
        say(visible(no_run(runs)))
        return
    from treadle_tracking.commands.mistyped import mistyped
    from treadle_tracking.searching import parse

    asked = parse(filter)
    _say_unknown(asked.names, runs)
    for hint in mistyped(asked.conditions, runs, infer_types=infer_types):
        say(visible(hint))


def _say_unknown_order(order_by: Sequence[str] | None, runs: Iterable[RunRecord]) -> None:
    from treadle_tracking.searching import parse_order

    _say_unknown(((field.kind, field.name) for field, _ in parse_order(order_by)), runs)


def _say_unknown(names: Iterable[tuple[str, str]], runs: Iterable[RunRecord]) -> None:
    known: dict[str, dict[str, None]] = {"param": {}, "tag": {}, "metric": {}}
    for run in runs:
        known["param"] |= dict.fromkeys(leaves(run.params))
        known["tag"] |= dict.fromkeys(run.tags)
        known["metric"] |= dict.fromkeys(run.metrics)
    for kind, name in sorted(set(names)):
        if kind in known and name not in known[kind]:
            text = f"no run has a {_SINGULAR[kind]} {name!r}. {suggestion(name, known[kind])}"
            say(visible(text))
