"""`sync`: send runs to their mirrors."""

import argparse
from pathlib import Path

from treadle_tracking.backends import mirror
from treadle_tracking.commands.answer import tell
from treadle_tracking.commands.calling import FINE, LEFT, Commands, WrongCall, seconds
from treadle_tracking.commands.directories import directory_named, runs_named, say_unreadable
from treadle_tracking.doctor.finding import counted
from treadle_tracking.doctor.visit import reason
from treadle_tracking.errors import TrackingError
from treadle_tracking.log import attempt_paths
from treadle_tracking.masking import masked
from treadle_tracking.mirrors.errors import NoMirror
from treadle_tracking.mirrors.state import load_every
from treadle_tracking.notices import say
from treadle_tracking.progress import Progress
from treadle_tracking.syncing import RunEmpty, checked_mirrors, forget, sync

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Let `sync` be called."""
    parser = commands.add_parser(
        "sync",
        help="send runs to their mirrors",
        description="Send runs to their mirrors, such as MLflow: whatever has not arrived there yet. A run may have "
        "been killed, or still be running. What is sent twice is there once.",
        epilog="Exit code: 0 if everything has arrived, 1 if something is left, 2 if the call is wrong.",
        example="{prog} sync runs\n{prog} sync runs/digits --to mlflow:sqlite:///mlflow.db",
    )
    parser.add_argument(
        "directories", nargs="+", metavar="DIR", help="a run, or a directory that runs are below"
    )
    parser.add_argument(
        "--to",
        metavar="TARGET",
        help="a mirror, such as mlflow:sqlite:///mlflow.db or mlflow:http://HOST:5000, which each run keeps once it "
        "was reached; without it, every mirror that a run has had so far",
    )
    parser.add_argument(
        "--forget",
        metavar="TARGET",
        help="take this mirror away from each run, and send nothing; what is there stays there",
    )
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="delete the run at the mirror, and make it anew from its directory: without points of abandoned attempts",
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="for each run and mirror; no limit by default",
    )
    parser.set_defaults(do=_sync, interrupted="nothing is lost, and the same command resumes")


def _sync(given: argparse.Namespace) -> int:
    if given.forget is not None:
        return _forget(given)
    _check_mirror(given.to)
    named = runs_named([directory_named(directory) for directory in given.directories])
    say_unreadable(named.unreadable)
    code = LEFT if named.unreadable else FINE
    sent, without, empty = 0, 0, 0
    for number, run in enumerate(named.runs, 1):
        try:
            with Progress(lambda number=number, run=run: _how_far(run, number, len(named.runs))):  # type: ignore[misc]
                sync(run, to=given.to, timeout=given.timeout, rebuild=given.rebuild)
        except NoMirror as error:
            if len(named.runs) == 1:
                raise WrongCall(str(error)) from None
            without += 1
        except RunEmpty as error:
            if len(named.runs) == 1:
                raise WrongCall(str(error)) from None
            empty += 1
        except TrackingError as error:
            say(str(error))
            code = LEFT
        except Exception as error:  # noqa: BLE001  # whatever a directory may hold, the other runs are sent
            say(f"the run in {run} cannot be sent: {reason(error)}")
            code = LEFT
        else:
            sent += 1
    if without and without + empty == len(named.runs):
        raise WrongCall(
            f"none of these {without} runs has a mirror. Say where they are to be sent: "
            f"--to mlflow:sqlite:///mlflow.db"
        )
    left = len(named.runs) - sent - without - empty
    tell([_summary(sent, left, without, empty)])
    return code


def _check_mirror(target: str | None) -> None:
    """Say what is wrong with it once, and not of each run."""
    try:
        for uri in checked_mirrors(target) if target is not None else ():
            mirror(uri)
    except TrackingError as error:
        raise WrongCall(str(error)) from None


def _summary(sent: int, left: int, without: int, empty: int) -> str:
    have = "has" if sent == 1 else "have"
    parts = [f"{counted(sent, 'run')} {have} arrived as a whole"]
    if left:
        parts.append(f"{left:,} not")
    if without:
        parts.append(
            f"{without:,} without a mirror {'was' if without == 1 else 'were'} passed over"
        )
    if empty:
        parts.append(f"{counted(empty, 'directory', 'directories')} with a log without an entry")
    return ", ".join(parts)


def _how_far(run: Path, number: int, total: int) -> str:
    """How much of a run's log its slowest mirror has."""
    sizes = [(path.name, path.stat().st_size) for path in attempt_paths(run)]
    whole = sum(size for _, size in sizes) or 1
    done = whole
    for sent in load_every(run):
        position = sent.position
        before = sum(size for name, size in sizes if name < position.file)
        done = min(done, before + position.offset)
    return f"run {number} of {total}, {100 * done // whole:3} %: {run}"


def _forget(given: argparse.Namespace) -> int:
    if given.to is not None or given.rebuild:
        raise WrongCall("--forget stands alone: with --to or --rebuild runs are sent")
    named = runs_named([directory_named(directory) for directory in given.directories])
    say_unreadable(named.unreadable)
    code = LEFT if named.unreadable else FINE
    forgotten = 0
    for run in named.runs:
        try:
            forgotten += forget(run, given.forget)
        except (OSError, TrackingError) as error:
            say(reason(error))
            code = LEFT
    shown = masked(given.forget)
    if not forgotten and code == FINE:
        raise WrongCall(f"{shown!r} is a mirror of none of {counted(len(named.runs), 'run')}")
    tell([f"{shown} is no longer a mirror of {counted(forgotten, 'run')}"])
    return code
