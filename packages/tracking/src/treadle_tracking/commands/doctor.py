"""`doctor`: find out what is wrong with runs, and mend it."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from treadle_tracking.commands.answer import tell, tell_json
from treadle_tracking.commands.calling import FINE, LEFT, Commands, seconds
from treadle_tracking.commands.directories import directory_named, runs_named
from treadle_tracking.doctor.copies import unfinished_copies
from treadle_tracking.doctor.finding import Finding
from treadle_tracking.doctor.pruning import Pruned, prune
from treadle_tracking.doctor.report import as_json, as_text
from treadle_tracking.doctor.twins import twin_findings
from treadle_tracking.doctor.visit import Outcome, old_file_store, visit
from treadle_tracking.errors import TrackingError
from treadle_tracking.progress import Progress
from treadle_tracking.target import DEFAULT_DIRECTORY

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Let `doctor` be called."""
    parser = commands.add_parser(
        "doctor",
        help="find out what is wrong with runs, and mend it",
        description="Find out what is wrong with runs: killed ones that have no end, entries that no mirror has, "
        "records that were damaged, files that are left over. Nothing is changed without --fix or --prune, "
        "and nothing of a run that a process is writing.",
        epilog="Exit code: 0 if nothing is wrong or all of it was mended, 1 if something is, 2 if the call is wrong.",
        example="{prog} doctor runs\n{prog} doctor runs/digits --fix",
    )
    parser.add_argument(
        "directories",
        nargs="*",
        metavar="DIR",
        help=f"a run, or a directory that runs are below; {DEFAULT_DIRECTORY} by default",
    )
    parser.add_argument("--fix", action="store_true", help="mend what can be mended")
    parser.add_argument(
        "--prune",
        action="store_true",
        help="remove the directories of runs that are FINISHED and that every one of their mirrors has as a whole",
    )
    parser.add_argument("--json", action="store_true", help="print what is found as JSON")
    parser.add_argument(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="with --fix, for each run and mirror that is sent something; no limit by default",
    )
    parser.set_defaults(do=_doctor, interrupted="nothing is lost, and the same command resumes")


def _doctor(given: argparse.Namespace) -> int:
    directories = [directory_named(text) for text in given.directories] or [DEFAULT_DIRECTORY]
    named = runs_named(directories)
    outcomes = [_unreadable(error) for error in named.unreadable]
    pruned: list[Pruned] = []
    twins = twin_findings(named.runs)
    for number, run in enumerate(named.runs, 1):
        label = f"run {number} of {len(named.runs)}: {run}"
        with Progress(lambda label=label: label):  # type: ignore[misc]
            found = list(visit(run, fix=given.fix, timeout=given.timeout, twin=twins.get(run)))
            if given.prune and not any(outcome.finding.kind == "in use" for outcome in found):
                pruned.append(_pruned(run, found))
        outcomes += found
    outcomes += [Outcome(finding=finding) for finding in _beside_runs(directories)]
    if given.json:
        tell_json(as_json(named.runs, outcomes, pruned))
    else:
        tell(as_text(named.runs, directories, outcomes, pruned))
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


def _beside_runs(directories: Sequence[str]) -> Iterator[Finding]:
    roots = [Path(directory).absolute() for directory in directories]
    for root in roots:
        if (finding := unfinished_copies(root)) is not None:
            yield finding
    folders = [Path.cwd(), *roots, *(root.parent for root in roots)]
    for folder in dict.fromkeys(folders):
        if (finding := old_file_store(folder)) is not None:
            yield finding
