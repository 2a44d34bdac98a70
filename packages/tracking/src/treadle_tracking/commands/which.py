"""The run that a call names."""

from collections.abc import Sequence
from pathlib import Path

from treadle_tracking.commands import shown, table
from treadle_tracking.commands.calling import WrongCall
from treadle_tracking.commands.opening import no_run, read
from treadle_tracking.comparing.labels import beginnings
from treadle_tracking.errors import AmbiguousRun, UnknownRun
from treadle_tracking.reading import RunRecord, Runs

__all__ = ["RUN", "only_run", "run_named"]

RUN = "a run: its uid or a beginning of it, its name, or EXPERIMENT/NAME"

_MOST_SHOWN = 10


def run_named(runs: Runs, text: str) -> RunRecord:
    """The run of this uid, else of this name, else of this `EXPERIMENT/NAME`, else whose uid begins so.

    What it is called at its place will do as well: the path of its directory, MLflow's id of it.

    Raises:
        WrongCall: several are called so.
        UnknownRun: none is.
        TrackingError: the place cannot be reached.
    """
    if not text:
        raise WrongCall("'' names no run")
    read(runs)
    try:
        return runs[text]
    except AmbiguousRun:
        found = [run for run in runs if text in {run.uid, run.name}]
    except UnknownRun:
        found = (
            [run for run in runs if f"{run.experiment}/{run.name}" == text]
            or [run for run in runs if run.uid.startswith(text)]
            or _in_directory(runs, text)
        )
        if not found:
            raise
    if len(found) > 1:
        raise _several(text, found)
    return found[0]


def _in_directory(runs: Runs, text: str) -> list[RunRecord]:
    try:
        directory = Path(text).resolve(strict=True)
    except (OSError, ValueError):
        return []
    return [run for run in runs if run.directory and run.directory.resolve() == directory]


def only_run(runs: Runs) -> RunRecord:
    """The one run that there is, where none is named.

    Raises:
        WrongCall: there is none, or there are several.
        TrackingError: the place cannot be reached.
    """
    records = read(runs).records
    if len(records) != 1:
        if not records:
            raise WrongCall(no_run(runs))
        raise WrongCall(
            f"there are {len(records):,} runs in {runs.target}: name one, by its uid or its name"
        )
    return records[0]


def _several(text: str, found: Sequence[RunRecord]) -> WrongCall:
    columns = [table.Column(""), *[table.Column("", can_be_cut=True)] * 2, *[table.Column("")] * 2]
    rows = [
        (
            uid,
            run.experiment,
            run.name,
            shown.moment(run.started),
            str(run.directory or run.identity),
        )
        for uid, run in zip(beginnings([run.uid for run in found]), found, strict=True)
    ]
    lines = list(table.lines(columns, rows[:_MOST_SHOWN], None))[1:]
    more = [f"and {len(rows) - _MOST_SHOWN:,} more"] if len(rows) > _MOST_SHOWN else []
    listed = "".join(f"\n    {line}" for line in [*lines, *more])
    # By its name, a run is found before another by the beginning of its uid.
    are_called = any(text in {run.name, f"{run.experiment}/{run.name}"} for run in found)
    if len({run.uid for run in found}) == 1:
        have, one = "are called", "are"
        if not are_called:
            have = "have the uid" if found[0].uid == text else "have a uid that begins with"
            one = "have"
        return WrongCall(
            f"{len(found):,} runs {have} {text!r}, as copies of one directory {one}. Name one by its place, in the last "
            f"column:{listed}"
        )
    called = (
        f"{len(found):,} runs are called"
        if are_called
        else f"the uids of {len(found):,} runs begin with"
    )
    return WrongCall(f"{called} {text!r}. Name one by its uid:{listed}")
