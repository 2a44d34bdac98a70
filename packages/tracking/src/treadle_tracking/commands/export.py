"""`export`: runs, or all points of their metrics, as a file for other programs."""

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from treadle_tracking.commands.answer import tell
from treadle_tracking.commands.calling import FINE, Commands, WrongCall, names
from treadle_tracking.commands.delimited import runs_csv
from treadle_tracking.commands.histories import history_csv, history_json_lines
from treadle_tracking.commands.listing import found, say_why_nothing
from treadle_tracking.commands.opening import add_infer_types, add_target, opened, say_damage
from treadle_tracking.commands.output import checked_out, replaced
from treadle_tracking.commands.parquet import write_parquet
from treadle_tracking.commands.records import runs_json_lines
from treadle_tracking.doctor.finding import counted
from treadle_tracking.progress import Progress
from treadle_tracking.reading import RunRecord
from treadle_tracking.terminal import visible

__all__ = ["add"]

Format: TypeAlias = Literal["csv", "json", "parquet"]

_FORMATS: Sequence[Format] = ("csv", "json", "parquet")


def add(commands: Commands) -> None:
    """Let `export` be called."""
    parser = commands.add_parser(
        "export",
        help="write runs, or their histories, as CSV, JSON or Parquet",
        description="Write runs for other programs: a row each, or with --history a row for each point of their metrics. "
        "The file is there as a whole, or not at all.",
        example="{prog} export runs --out runs.csv\n"
        "{prog} export runs 'status = \"FINISHED\"' --out runs.parquet\n"
        "{prog} export runs --history --metrics loss,val/loss --out losses.csv\n"
        "{prog} export mlflow: --out - --format json | jq '.[].metrics'",
    )
    add_target(parser)
    parser.add_argument(
        "filter",
        nargs="?",
        default="",
        metavar="FILTER",
        help="only the runs that meet it, as in search",
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE",
        help="a name that ends in .csv, .json or .parquet; - is stdout, as CSV if nothing else is said",
    )
    parser.add_argument("--format", choices=_FORMATS, help="whatever the name ends in")
    parser.add_argument(
        "--history",
        action="store_true",
        help="every point of every metric, in place of a row a run",
    )
    parser.add_argument(
        "--metrics", action="append", metavar="NAME,…", help="with --history: only these metrics"
    )
    add_infer_types(parser)
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.set_defaults(do=_export, interrupted=None)


def _export(given: argparse.Namespace) -> int:
    form = _format(given)
    path = None if given.out == "-" else checked_out(given.out)
    wanted = names(given.metrics)
    if wanted is not None and not given.history:
        raise WrongCall("--metrics is for --history: without it, every metric has a column")
    if path is None and form == "parquet":
        raise WrongCall("Parquet is no text for stdout: name a file, as in --out runs.parquet")
    if path is not None and path.exists() and not given.force:
        raise WrongCall(f"{given.out!r} is there: give --force if it is to be replaced")
    every = opened(given.target, infer_types=given.infer_types)
    runs = found(every, given.filter, ["started"]).records
    for run in runs:
        say_damage(run)
    if not runs:
        say_why_nothing(given.filter, every, infer_types=given.infer_types)
    if wanted is not None:
        _check_metrics(wanted, runs)
    done = {"runs": 0}
    texts = partial(_texts, form, runs, wanted, history=given.history, done=done)
    if path is None:
        tell(texts())
        return FINE
    with (
        Progress(lambda: f"read {done['runs']:,} of {counted(len(runs), 'run')}"),
        replaced(path) as unfinished,
    ):
        if form == "parquet":
            _write_parquet(unfinished, runs, wanted, history=given.history)
        else:
            with unfinished.open("w", encoding="utf-8", errors="backslashreplace") as file:
                file.writelines(f"{line}\n" for line in texts())
    tell([visible(f"{path}: {counted(len(runs), 'run')}")])
    return FINE


def _format(given: argparse.Namespace) -> Format:
    if given.format is not None:
        form: Format = given.format
        return form
    if given.out == "-":
        return "csv"
    suffix = Path(given.out).suffix.lower().removeprefix(".")
    for known in _FORMATS:
        if suffix == known:
            return known
    raise WrongCall(
        f"--out is {given.out!r}; expected a name that ends in .csv, .json or .parquet, or --format beside it"
    )


def _check_metrics(wanted: Sequence[str], runs: Sequence[RunRecord]) -> None:
    from treadle_tracking.frames import MetricInNoRun

    known = dict.fromkeys(name for run in runs for name in run.metrics)
    for name in wanted:
        if runs and name not in known:
            raise MetricInNoRun(name, len(runs), known)


def _texts(
    form: Format,
    runs: Sequence[RunRecord],
    wanted: Sequence[str] | None,
    *,
    history: bool,
    done: dict[str, int],
) -> Iterator[str]:
    if not history:
        return runs_csv(runs) if form == "csv" else runs_json_lines(runs)
    make = history_csv if form == "csv" else history_json_lines
    return make(runs, wanted, lambda number: done.update(runs=number))


def _write_parquet(
    path: Path, runs: Sequence[RunRecord], wanted: Sequence[str] | None, *, history: bool
) -> None:
    from treadle_tracking import frames

    frame = frames.history(runs, wanted) if history else frames.dataframe(runs)
    write_parquet(frame, path)
