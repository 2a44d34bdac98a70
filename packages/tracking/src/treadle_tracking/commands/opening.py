"""The runs of the place that a call names."""

import argparse
from functools import partial
from pathlib import Path

from treadle_tracking.commands.calling import WrongCall
from treadle_tracking.doctor.visit import reason
from treadle_tracking.errors import RunDirectoryError
from treadle_tracking.masking import masked
from treadle_tracking.notices import say
from treadle_tracking.progress import Progress
from treadle_tracking.reading import RunRecord, Runs, open_runs
from treadle_tracking.shell import migrate_command
from treadle_tracking.target import is_target
from treadle_tracking.terminal import visible

__all__ = [
    "add_infer_types",
    "add_target",
    "is_place",
    "no_run",
    "opened",
    "read",
    "say_damage",
    "say_unread",
    "target_named",
]

_SQLITE = b"SQLite format 3\0"


def add_target(parser: argparse.ArgumentParser) -> None:
    """Let a place be named as the next argument."""
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="where the runs are: tensorboard:DIR, mlflow:URI, or the path of a directory, which is taken as "
        "tensorboard:PATH",
    )


def add_infer_types(parser: argparse.ArgumentParser) -> None:
    """Offer to read the types of parameters that a place keeps only as text."""
    parser.add_argument(
        "--infer-types",
        action="store_true",
        help="read numbers, True, False and None from parameters that are kept only as text, as MLflow keeps those of "
        "runs that other programs have written",
    )


def is_place(text: str) -> bool:
    """Whether it names one: a target, or a directory."""
    return is_target(text) or Path(text).is_dir()


def target_named(text: str, *, has_to_be_there: bool = True) -> str:
    """A target as it was named, perhaps as the path of a directory.

    Args:
        text: What was given.
        has_to_be_there: Whether what looks like a path of nothing is one that was mistyped.

    Raises:
        WrongCall: it is the path of something else, or of nothing.
    """
    if not text.strip():
        raise WrongCall(
            f"{text!r} names nothing; expected tensorboard:DIR, mlflow:URI or a directory"
        )
    if is_target(text) or ("\0" in text):
        return text
    path = Path(text)
    if path.is_dir():
        return f"tensorboard:{path.absolute()}"
    if path.is_file():
        raise WrongCall(f"{text!r} is a file. {_advice(path)}")
    if ":" not in text and has_to_be_there:
        raise WrongCall(
            f"there is no directory {text!r}; expected one, or a target such as mlflow:http://HOST:5000"
        )
    return text


def _advice(path: Path) -> str:
    if path.name.startswith("events.out.tfevents."):
        return f"Name its directory: {str(path.parent)!r}"
    try:
        with path.open("rb") as file:
            is_database = file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        is_database = False
    if is_database:
        return f"If it is a database of MLflow, name it so: 'mlflow:sqlite:///{path}'"
    return "Name a directory that runs are below"


def opened(text: str, *, infer_types: bool = False) -> Runs:
    """The runs of a place, not read yet; `infer_types` as for `open_runs`.

    Raises:
        WrongCall: there is no such place.
        TrackingError: it cannot be reached.
    """
    try:
        return open_runs(target_named(text), infer_types=infer_types)
    except RunDirectoryError as error:
        raise WrongCall(str(error)) from None


def read(runs: Runs) -> Runs:
    """The same, read by now, with what could not be read named on stderr.

    Raises:
        TrackingError: the place cannot be reached.
    """
    with Progress(partial("reading {}".format, masked(runs.target))):
        _ = runs.records
    say_unread(runs)
    return runs


def no_run(runs: Runs) -> str:
    """The sentence for a place without any; of MLflow's old file store, with what to do with it."""
    sentence = f"there is no run in {masked(runs.target)}"
    scheme, _, path = runs.target.partition(":")
    folder = Path(path)
    if scheme != "tensorboard" or not any(folder.glob("[0-9]*/meta.yaml")):
        return sentence
    return (
        f"{sentence} but those of MLflow's old file store, which MLflow itself no longer opens. They are brought into a "
        f"database by: {migrate_command(folder)}"
    )


def say_unread(runs: Runs) -> None:
    """Name on stderr what could not be looked into when they were read."""
    for error in runs.unreadable:
        say(visible(f"warning: not all could be read: {reason(error)}"))


def say_damage(run: RunRecord) -> None:
    """Name on stderr where a run could be read no further."""
    if run.damage is not None:
        say(visible(f"warning: the run {run.name!r} is not read as a whole: {run.damage}"))
