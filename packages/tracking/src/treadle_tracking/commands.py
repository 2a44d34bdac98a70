"""The command line: `python -m treadle_tracking sync` and `… doctor`.

Exit codes: 0 where all is well, 1 where something is left, or was found and not mended, 2 where the call is wrong.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import NoReturn

from attrs import frozen

from treadle_tracking.backends import mirror
from treadle_tracking.doctor.finding import Finding, counted
from treadle_tracking.doctor.pruning import Pruned, prune
from treadle_tracking.doctor.report import as_json, as_text
from treadle_tracking.doctor.visit import Outcome, old_file_store, reason, visit
from treadle_tracking.errors import TrackingError
from treadle_tracking.log import attempt_paths
from treadle_tracking.masking import masked
from treadle_tracking.mirrors.errors import NoMirror
from treadle_tracking.mirrors.state import load_every
from treadle_tracking.notices import say
from treadle_tracking.places import runs_below
from treadle_tracking.progress import Progress
from treadle_tracking.syncing import RunEmpty, checked_mirrors, forget, sync
from treadle_tracking.target import DEFAULT_DIRECTORY, is_target

__all__ = ["main"]

FINE, LEFT, WRONG = 0, 1, 2
_INTERRUPTED = 130  # as a shell gives it for Ctrl-C
_PROGRAM = "python -m treadle_tracking"


class _WrongCall(Exception):
    """The call itself is wrong; `args[0]` says how."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say it in one sentence, without the usage of everything."""
        raise _WrongCall(f"{message}. {self.prog} --help says what can be given")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not isfinite(seconds) or seconds < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog=_PROGRAM, description="Look after runs in their directories.")
    parser.add_argument(
        "--version", action="version", version=f"treadle-tracking {version('treadle-tracking')}"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    syncing = commands.add_parser(
        "sync",
        help="send runs to their mirrors",
        description="Send runs to their mirrors, such as MLflow: whatever has not arrived there yet. A run may have "
        "been killed, or be written still. What is sent twice is there once.",
        epilog="Exit code: 0 if everything has arrived, 1 if something is left, 2 if the call is wrong.",
    )
    syncing.add_argument(
        "directories", nargs="+", metavar="DIR", help="a run, or a directory that runs are below"
    )
    syncing.add_argument(
        "--to",
        metavar="TARGET",
        help="a mirror, such as mlflow:sqlite:///mlflow.db or mlflow:http://HOST:5000, which becomes one of each run's "
        "own once it was reached; without it, every mirror that a run has had so far",
    )
    syncing.add_argument(
        "--forget",
        metavar="TARGET",
        help="take this mirror away from each run, and send nothing; what is there stays there",
    )
    syncing.add_argument(
        "--rebuild",
        action="store_true",
        help="delete the run at the mirror, and make it anew from its directory: without points of abandoned attempts",
    )
    syncing.add_argument(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        help="for each run and mirror; no limit by default",
    )
    doctor = commands.add_parser(
        "doctor",
        help="find out what is wrong with runs, and mend it",
        description="Find out what is wrong with runs: killed ones that have no end, entries that no mirror has, "
        "records that were damaged, files that are left over. Nothing is changed without --fix or --prune, and "
        "nothing of a run that a process is writing.",
        epilog="Exit code: 0 if nothing is wrong or all of it was mended, 1 if something is, 2 if the call is wrong.",
    )
    doctor.add_argument(
        "directories",
        nargs="*",
        metavar="DIR",
        help=f"a run, or a directory that runs are below; {DEFAULT_DIRECTORY} by default",
    )
    doctor.add_argument("--fix", action="store_true", help="mend what can be mended")
    doctor.add_argument(
        "--prune",
        action="store_true",
        help="remove the directories of runs that are FINISHED and that every one of their mirrors has as a whole",
    )
    doctor.add_argument("--json", action="store_true", help="print what is found as JSON")
    doctor.add_argument(
        "--timeout",
        type=_seconds,
        metavar="SECONDS",
        help="with --fix, for each run and mirror that is sent something; no limit by default",
    )
    return parser


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says.

    Args:
        arguments: Without the program's name.

    Returns:
        The exit code.
    """
    try:
        given = _parser().parse_args(arguments)
        code = _sync(given) if given.command == "sync" else _doctor(given)
        sys.stdout.flush()
    except (_WrongCall, TrackingError) as error:
        say(str(error))
        return WRONG
    except KeyboardInterrupt:
        say("interrupted; nothing is lost, and the same command goes on")
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read this has read enough. What is left must not fail again as the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return LEFT
    return code


@frozen
class _Named:
    """What the directories of a call come to."""

    runs: list[Path]
    unreadable: list[OSError]


def _directory(text: str) -> str:
    """A directory as it was named, perhaps as the target of its runs."""
    if not text:
        raise _WrongCall("'' names nothing; expected a run, or a directory that runs are below")
    scheme, _, rest = text.partition(":")
    if Path(text).exists() or not is_target(text):
        if "://" in text:
            raise _WrongCall(f"{masked(text)!r} is no directory: a mirror is named by --to")
        return text
    if scheme != "tensorboard":
        raise _WrongCall(f"{masked(text)!r} is no directory: a mirror is named by --to")
    return _directory(rest)


def _named(directories: Sequence[str]) -> _Named:
    runs: dict[Path, None] = {}
    unreadable: list[OSError] = []
    for directory in directories:
        try:
            places = runs_below(Path(directory))
        except TrackingError as error:
            raise _WrongCall(str(error)) from None
        runs |= dict.fromkeys(places.runs)
        unreadable += places.unreadable
    return _Named(list(runs), unreadable)


def _say_unreadable(errors: Sequence[OSError]) -> None:
    for error in errors:
        say(f"{error.filename} cannot be read: {error.strerror}")


def _forget(given: argparse.Namespace) -> int:
    if given.to is not None or given.rebuild:
        raise _WrongCall("--forget stands alone: with --to or --rebuild runs are sent")
    named = _named([_directory(directory) for directory in given.directories])
    _say_unreadable(named.unreadable)
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
        raise _WrongCall(f"{shown!r} is a mirror of none of {counted(len(named.runs), 'run')}")
    print(f"{shown} is no mirror of {counted(forgotten, 'run')} any more")  # noqa: T201
    return code


def _sync(given: argparse.Namespace) -> int:
    if given.forget is not None:
        return _forget(given)
    for uri in checked_mirrors(given.to) if given.to is not None else ():
        mirror(uri)  # said once, and not of each run
    named = _named([_directory(directory) for directory in given.directories])
    _say_unreadable(named.unreadable)
    code = LEFT if named.unreadable else FINE
    sent, without, empty = 0, 0, 0
    for number, run in enumerate(named.runs, 1):
        try:
            with Progress(lambda number=number, run=run: _how_far(run, number, len(named.runs))):  # type: ignore[misc]
                sync(run, to=given.to, timeout=given.timeout, rebuild=given.rebuild)
        except NoMirror as error:
            if len(named.runs) == 1:
                raise _WrongCall(str(error)) from None
            without += 1
        except RunEmpty as error:
            if len(named.runs) == 1:
                raise _WrongCall(str(error)) from None
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
        raise _WrongCall(
            f"none of these {without} runs has a mirror. Say where they are to be sent: "
            f"--to mlflow:sqlite:///mlflow.db"
        )
    left = len(named.runs) - sent - without - empty
    print(_summary(sent, left, without, empty))  # noqa: T201
    return code


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


def _doctor(given: argparse.Namespace) -> int:
    directories = [_directory(text) for text in given.directories] or [DEFAULT_DIRECTORY]
    named = _named(directories)
    outcomes = [_unreadable(error) for error in named.unreadable]
    pruned: list[Pruned] = []
    for number, run in enumerate(named.runs, 1):
        label = f"run {number} of {len(named.runs)}: {run}"
        with Progress(lambda label=label: label):  # type: ignore[misc]
            found = list(visit(run, fix=given.fix, timeout=given.timeout))
            if given.prune and not any(outcome.finding.kind == "in use" for outcome in found):
                pruned.append(_pruned(run, found))
        outcomes += found
    outcomes += [Outcome(finding=finding) for finding in _old_file_stores(directories)]
    if given.json:
        print(json.dumps(as_json(named.runs, outcomes, pruned), indent=2))  # noqa: T201
    else:
        for line in as_text(named.runs, directories, outcomes, pruned):
            print(line)  # noqa: T201
    return LEFT if any(outcome.is_left for outcome in outcomes) else FINE


def _unreadable(error: OSError) -> Outcome:
    finding = Finding(
        directory=Path(error.filename),
        kind="unreadable",
        sentence=f"cannot be read ({error.strerror})",
    )
    return Outcome(finding=finding)


def _pruned(run: Path, found: Sequence[Outcome]) -> Pruned:
    if any(outcome.is_left for outcome in found):
        return Pruned(directory=run, kept_because="something is wrong with it")
    try:
        return prune(run)
    except (OSError, TrackingError) as error:
        return Pruned(directory=run, kept_because=str(error))


def _old_file_stores(directories: Sequence[str]) -> Iterator[Finding]:
    roots = [Path(directory).absolute() for directory in directories]
    folders = [Path.cwd(), *roots, *(root.parent for root in roots)]
    for folder in dict.fromkeys(folders):
        if (finding := old_file_store(folder)) is not None:
            yield finding
