"""What can go wrong when a run is written or read, one class a condition."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

__all__ = [
    "AmbiguousRun",
    "ArtifactInTheWay",
    "CorruptRecord",
    "InvalidMapping",
    "InvalidName",
    "InvalidStatus",
    "InvalidStep",
    "InvalidTarget",
    "InvalidValue",
    "MissingExtra",
    "NoDirectory",
    "RunDirectoryError",
    "RunEnded",
    "TrackingError",
    "UnknownMetric",
    "UnknownRun",
    "UnsupportedImage",
    "UnsupportedParam",
]


def _suggestion(given: object, known: Iterable[str]) -> str:
    """A sentence that names what may have been meant, or what there is."""
    names = list(known)
    close = get_close_matches(str(given), names, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    if not names:
        return "There is none."
    shown = ", ".join(repr(name) for name in names[:10])
    return f"There is {shown}{', …' if len(names) > 10 else ''}."


def seen(given: object) -> str:
    """`given` as a message can show it."""
    text = repr(given)
    return f"{text if len(text) <= 80 else text[:79] + '…'} ({type(given).__name__})"


class TrackingError(Exception):
    """The base of every error that this package raises on its own account."""


class MissingExtra(TrackingError):
    """An optional part of this package is asked for and not installed."""

    def __init__(self, purpose: str, library: str, extra: str) -> None:
        super().__init__(
            f"{purpose} needs {library}, which is not installed: "
            f"pip install 'treadle-tracking[{extra}]'"
        )


class InvalidTarget(TrackingError):
    """A target that names no place to keep a run, or more than one."""


class RunDirectoryError(TrackingError):
    """A run directory cannot be made or read."""

    def __init__(self, path: Path, reason: str, advice: str) -> None:
        super().__init__(f"{path}: {reason}. {advice}")
        self.path = path


class InvalidName(TrackingError):
    """A name that is empty, or that is no text."""

    def __init__(self, kind: str, given: object) -> None:
        super().__init__(
            f"{kind} is {given!r}; expected a text of at least one character that UTF-8 can write"
        )


class InvalidMapping(TrackingError):
    """Metrics, parameters or tags that are no mapping."""

    def __init__(self, kind: str, given: object, example: str) -> None:
        super().__init__(f"{kind} are {seen(given)}; expected a mapping by name, such as {example}")


class InvalidStatus(TrackingError):
    """A status with which no run ends."""

    def __init__(self, given: object) -> None:
        super().__init__(f"a run ends as 'FINISHED', 'FAILED' or 'KILLED', not as {given!r}")


class InvalidStep(TrackingError):
    """A step that is no 64-bit integer."""

    def __init__(self, given: object) -> None:
        super().__init__(
            f"step is {given!r} ({type(given).__name__}); expected an integer from -2**63 to 2**63 - 1, "
            f"such as the number of optimizer updates so far"
        )


class InvalidValue(TrackingError):
    """A metric's value that is no single real number."""

    def __init__(self, name: str, given: object) -> None:
        super().__init__(
            f"the value of metric {name!r} is {seen(given)}; expected one number: a Python or "
            f"numpy number or a tensor with one element, within the range of a double"
        )


class UnsupportedParam(TrackingError):
    """A parameter, or a value given to `run.json`, that has no exact form in JSON."""

    def __init__(self, kind: str, path: str, problem: str, advice: str) -> None:
        super().__init__(f"{kind} {path!r} {problem}. {advice}")


class ArtifactInTheWay(TrackingError):
    """A name would be a file and a folder at once."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the artifact {name!r} cannot be kept: another artifact is a folder of this name, or a file where this "
            f"one needs a folder. Give it another name"
        )


class UnsupportedImage(TrackingError):
    """Something given as an image that is none."""

    def __init__(self, name: str, problem: str, advice: str) -> None:
        super().__init__(f"image {name!r} {problem}. {advice}")


class RunEnded(TrackingError):
    """Something was recorded in a run that has ended."""

    def __init__(self, name: str, status: str) -> None:
        super().__init__(
            f"the run {name!r} has ended ({status}) and records nothing more: "
            f"record before it is closed, or start another run"
        )


class NoDirectory(TrackingError):
    """The directory of a run that records nothing was asked for."""

    def __init__(self) -> None:
        super().__init__(
            "this run records nothing, so it has no directory: it was started with start_run(None). "
            "Ask `run.recording` first, or give it a target such as 'tensorboard:runs'"
        )


class CorruptRecord(TrackingError):
    """A complete record of an event file does not match its checksum."""

    def __init__(self, path: Path, offset: int) -> None:
        super().__init__(
            f"the record at byte {offset} of {path} does not match its checksum: the file was damaged after it "
            f"was written. What comes before it can be read; keep a copy of the file before you change anything"
        )
        self.path = path
        self.offset = offset  # bytes from the start of the file to the record's header


class UnknownRun(TrackingError):
    """No run of this name or uid is there."""

    def __init__(self, given: str, root: Path, known: Iterable[str]) -> None:
        super().__init__(f"no run {given!r} in {root}. {_suggestion(given, known)}")


class AmbiguousRun(TrackingError):
    """Several runs have this name, or this uid."""

    def __init__(self, given: str, directories: Sequence[Path]) -> None:
        places = ", ".join(str(directory) for directory in directories)
        super().__init__(
            f"several runs are called {given!r}: {places}. Ask for one by a uid that it has alone, or read it by "
            f"itself: open_runs('tensorboard:{directories[0]}')"
        )


class UnknownMetric(TrackingError):
    """A run has no metric of this name."""

    def __init__(self, given: str, run_name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"the run {run_name!r} has no metric {given!r}. {_suggestion(given, known)}"
        )
