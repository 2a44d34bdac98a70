"""The runs of the directories that a call names."""

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from treadle_tracking.commands.calling import WrongCall
from treadle_tracking.errors import TrackingError
from treadle_tracking.masking import masked
from treadle_tracking.notices import say
from treadle_tracking.places import runs_below
from treadle_tracking.target import is_target

__all__ = ["Named", "directory_named", "runs_named", "say_unreadable"]


@frozen
class Named:
    """What the directories of a call come to."""

    runs: list[Path]
    unreadable: list[OSError]


def directory_named(text: str) -> str:
    """A directory as it was named, perhaps as the target of its runs."""
    if not text:
        raise WrongCall("'' names nothing; expected a run, or a directory that runs are below")
    scheme, _, rest = text.partition(":")
    if Path(text).exists() or not is_target(text):
        if "://" in text:
            raise WrongCall(f"{masked(text)!r} is no directory: a mirror is named by --to")
        return text
    if scheme != "tensorboard":
        raise WrongCall(f"{masked(text)!r} is no directory: a mirror is named by --to")
    return directory_named(rest)


def runs_named(directories: Sequence[str]) -> Named:
    """The runs in them, each once."""
    runs: dict[Path, None] = {}
    unreadable: list[OSError] = []
    for directory in directories:
        try:
            places = runs_below(Path(directory))
        except TrackingError as error:
            raise WrongCall(str(error)) from None
        runs |= dict.fromkeys(places.runs)
        unreadable += places.unreadable
    return Named(list(runs), unreadable)


def say_unreadable(errors: Sequence[OSError]) -> None:
    """Name the folders that could not be looked into."""
    for error in errors:
        say(f"{error.filename} cannot be read: {error.strerror}")
