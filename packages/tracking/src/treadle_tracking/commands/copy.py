"""`copy`: bring runs to another place."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from treadle_tracking.commands import table
from treadle_tracking.commands.answer import tell, tell_json
from treadle_tracking.commands.calling import FINE, LEFT, Commands, WrongCall
from treadle_tracking.commands.listing import found, say_why_nothing
from treadle_tracking.commands.opening import add_infer_types, opened, say_damage, target_named
from treadle_tracking.doctor.finding import counted
from treadle_tracking.errors import InvalidName
from treadle_tracking.masking import masked
from treadle_tracking.notices import say
from treadle_tracking.progress import Progress
from treadle_tracking.terminal import columns, visible

if TYPE_CHECKING:
    from treadle_tracking.copying import Copied

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Let `copy` be called."""
    parser = commands.add_parser(
        "copy",
        help="bring runs to another place",
        description="Bring runs to another place, with all that they have: from directories to MLflow, back, or from one "
        "server to another. A run that is there already is left as it is, or gets what it lacks. The source is "
        "not changed.",
        epilog="Exit code: 0 if all runs are there, 1 if one is not, or not as a whole, 2 if the call is wrong.",
        example="{prog} copy runs mlflow:http://127.0.0.1:5000\n"
        "{prog} copy mlflow:sqlite:///mlflow.db tensorboard:copies --experiment digits\n"
        "{prog} copy runs mlflow: --filter 'status = \"FINISHED\"'",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="where the runs are: tensorboard:DIR, mlflow:URI, or the path of a directory",
    )
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="where they are to be: likewise; a directory that is not there yet is written tensorboard:DIR",
    )
    parser.add_argument(
        "--filter", default="", metavar="FILTER", help="only the runs that meet it, as in search"
    )
    parser.add_argument(
        "--experiment",
        metavar="NAME",
        help="the experiment of new runs there; each its own by default",
    )
    add_infer_types(parser)
    parser.add_argument("--json", action="store_true", help="print what became of each as JSON")
    parser.set_defaults(do=_copy, interrupted="nothing is lost, and the same command resumes")


def _copy(given: argparse.Namespace) -> int:
    from treadle_tracking.copying import CopyIncomplete, copy_runs

    target = target_named(given.target, has_to_be_there=False)
    every = opened(given.source, infer_types=given.infer_types)
    runs = found(every, given.filter, ["started"])
    for run in runs:
        say_damage(run)
    if not runs.records:
        if every.records:
            say(f"none of {counted(len(every), 'run')} in {masked(every.target)} meets the filter")
        say_why_nothing(given.filter, every, infer_types=given.infer_types)
    done = {"runs": 0, "of": len(runs.records)}
    failed: CopyIncomplete | None = None
    try:
        with Progress(lambda: f"copied {done['runs']:,} of {counted(done['of'], 'run')}"):
            copied: Sequence[Copied] = copy_runs(
                runs,
                target,
                experiment=given.experiment,
                progress=lambda number, of: done.update(runs=number, of=of),
            )
    except InvalidName as error:
        raise WrongCall(str(error)) from None
    except CopyIncomplete as error:
        failed, copied = error, error.copied
    if given.json:
        failures = {} if failed is None else failed.failures
        tell_json(_as_json(copied, failures))
    else:
        _tell(copied)
    for one in copied:
        for problem in one.problems:
            say(visible(f"the run {one.name!r} ({one.uid[:8]}): {problem}"))
    if failed is not None:
        say(str(failed))
    return LEFT if failed is not None or any(one.problems for one in copied) else FINE


def _tell(copied: Sequence["Copied"]) -> None:
    heads = [
        table.Column("OUTCOME"),
        *(table.Column(name, can_be_cut=True) for name in ("EXPERIMENT", "NAME")),
        table.Column("WHERE"),
    ]
    rows = [(one.outcome, one.experiment, one.name, one.identity) for one in copied]
    tell(table.lines(heads, rows, columns()))


def _as_json(copied: Sequence["Copied"], failures: dict[str, str]) -> object:
    return {
        "copied": [
            {
                "uid": one.uid,
                "name": one.name,
                "experiment": one.experiment,
                "outcome": one.outcome,
                "identity": one.identity,
                "problems": list(one.problems),
            }
            for one in copied
        ],
        "failed": [{"uid": uid, "reason": reason} for uid, reason in failures.items()],
    }
