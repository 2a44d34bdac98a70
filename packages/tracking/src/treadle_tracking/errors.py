"""What can go wrong when a run is written or read, one class a condition."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

from treadle_tracking.shell import doctor_command

__all__ = [
    "AmbiguousRun",
    "ArtifactInTheWay",
    "CorruptRecord",
    "InvalidBest",
    "InvalidChoice",
    "InvalidMapping",
    "InvalidName",
    "InvalidRank",
    "InvalidState",
    "InvalidStatus",
    "InvalidStep",
    "InvalidTarget",
    "InvalidTensor",
    "InvalidTimeout",
    "InvalidValue",
    "MissingExtra",
    "NoDirectory",
    "NoSuchRun",
    "ParamsChanged",
    "PlaceUnknown",
    "RecordingFailed",
    "RunDirectoryError",
    "RunEnded",
    "RunExists",
    "RunInUse",
    "SeveralRuns",
    "TrackingError",
    "UnknownMetric",
    "UnknownRun",
    "UnsupportedArtifact",
    "UnsupportedFunction",
    "UnsupportedHistogram",
    "UnsupportedImage",
    "UnsupportedParam",
    "UnsupportedTable",
    "WrongRun",
]


def suggestion(given: object, known: Iterable[str]) -> str:
    """A sentence that names what may have been meant, or what there is."""
    names = list(known)
    close = get_close_matches(str(given), names, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    if not names:
        return "There is none."
    return f"There is {_some(repr(_cut(name)) for name in names)}."


def _some(shown: Iterable[str]) -> str:
    """The first ten of a list."""
    ten = list(islice(shown, 11))
    return ", ".join([*ten[:10], *(["…"] if len(ten) > 10 else [])])


def _cut(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


def shortened(text: str, length: int = 300) -> str:
    """Another's text in so many characters, cut between two words."""
    return text if len(text) <= length else f"{text[:length].rsplit(' ', 1)[0]} …"


def seen(given: object) -> str:
    """`given` as a message can show it."""
    return f"{_shown(given)} ({type(given).__name__})"


def _shown(given: object) -> str:
    try:
        return _cut(repr(given))
    except Exception:  # noqa: BLE001  # whatever it is, the message is about something else
        return "an object whose repr fails"


class TrackingError(Exception):
    """The base of every error that this package raises on its own account."""

    def __reduce__(self) -> tuple[Any, ...]:
        # In another process it says the same: an exception's own way is to make one of its message.
        return type(self).__new__, (type(self), *self.args), self.__dict__


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

    def __init__(self, kind: str, given: object, advice: str | None = None) -> None:
        super().__init__(
            f"{kind} is {_shown(given)}; expected a text of at least one character that UTF-8 can write"
            f"{'' if advice is None else f'. {advice}'}"
        )


class InvalidMapping(TrackingError):
    """Metrics, parameters or tags that are no mapping."""

    def __init__(self, kind: str, given: object, example: str) -> None:
        super().__init__(f"{kind} are {seen(given)}; expected a mapping by name, such as {example}")


class InvalidStatus(TrackingError):
    """A status with which no run ends."""

    def __init__(self, given: object) -> None:
        super().__init__(f"a run ends as 'FINISHED', 'FAILED' or 'KILLED', not as {_shown(given)}")


class InvalidStep(TrackingError):
    """A step that is no 64-bit integer."""

    def __init__(self, given: object) -> None:
        super().__init__(
            f"step is {seen(given)}; expected an integer from -2**63 to 2**63 - 1, "
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
        what = f"{kind} {path!r}" if path else f"the mapping of {kind}s"
        super().__init__(f"{what} {problem}. {advice}")


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

    def __init__(self, rank: int | None = None) -> None:
        if rank is None:
            why = (
                "it was started with start_run(None). "
                "Ask `run.recording` first, or give it a target such as 'tensorboard:runs'"
            )
        else:
            why = (
                f"this process is rank {rank}, and rank 0 records. "
                f"Ask `run.recording` first, or, if this is a separate training, say so: start_run(…, rank=0)"
            )
        super().__init__(f"this run records nothing, so it has no directory: {why}")


class CorruptRecord(TrackingError):
    """A complete record of an event file does not match its checksum."""

    def __init__(self, path: Path, offset: int) -> None:
        if path.suffix == ".treadle":
            rest = (
                f"mirrors get what comes before it, and the run cannot go on, until it is set aside, with a copy: "
                f"{doctor_command(path.parent, fix=True)}"
            )
        else:
            rest = "the program that wrote the file may have another copy of it"
        super().__init__(
            f"the record at byte {offset} of {path} does not match its checksum: the file was damaged after it "
            f"was written. Readers skip it, and where its length was hit the rest of that file; {rest}"
        )
        self.path = path
        self.offset = offset  # bytes from the start of the file to the record's header


class UnknownRun(TrackingError):
    """No run of this name or uid is there."""

    def __init__(self, given: object, place: object, known: Iterable[str]) -> None:
        super().__init__(f"no run {_shown(given)} in {place}. {suggestion(given, known)}")


class AmbiguousRun(TrackingError):
    """Several runs have this name, or this uid."""

    def __init__(self, given: str, directories: Sequence[Path | str]) -> None:
        places = _some(str(directory) for directory in directories)
        advice = "Ask for one by a uid no other has"
        if isinstance(directories[0], Path):
            advice += f", or read it by itself: open_runs('tensorboard:{directories[0]}')"
        super().__init__(f"several runs are called {given!r}: {places}. {advice}")


class UnknownMetric(TrackingError):
    """A run has no metric of this name."""

    def __init__(self, given: str, run_name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"the run {run_name!r} has no metric {given!r}. {suggestion(given, known)}"
        )


class ParamsChanged(TrackingError):
    """A run is to go on with other parameters than it had."""

    def __init__(self, directory: Path, changed: Sequence[str]) -> None:
        super().__init__(
            f"the run in {directory} had other parameters: {'; '.join(changed)}. Start another run, or resume this one with "
            f"the new ones: if_changed='record'"
        )
        self.changed = tuple(changed)


class RunInUse(TrackingError):
    """A run is to be written that a living process writes."""

    def __init__(self, directory: Path, pid: int, host: str, *, is_own: bool = False) -> None:
        if is_own:
            super().__init__(
                f"the run in {directory} is being written by this process (number {pid}), where it was started and not "
                f"closed: close it, with `run.close()`, or start another run. Where no name for it is left, as after a "
                f"notebook cell that raised, that exception has held it until this one came: call `gc.collect()`, and "
                f"try again"
            )
            return
        super().__init__(
            f"the run in {directory} is being written by process {pid} on {host}, and one process at a time writes a "
            f"run: close it there, with `run.close()` or by ending that process, or start another run"
        )


class PlaceUnknown(TrackingError):
    """A place in a log is asked for that the log does not have."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"the log of the run in {directory} no longer has this place: the run was rewound to before it, and went "
            f"on from there. Load a checkpoint taken since, or give the step to go back to: run.rewind(step)"
        )


class WrongRun(TrackingError):
    """The state of one run is loaded into another."""

    def __init__(self, given: object, uid: str, name: str) -> None:
        super().__init__(
            f"this state belongs to the run with the uid {given!r}, and this run, {name!r}, has {uid!r}. Resume "
            f"that one, start_run(…, uid={given!r}, resume='must'), however it ended; or, for a new run, move "
            f"the checkpoint away"
        )


class InvalidState(TrackingError):
    """Something is loaded as the state of a run that is none."""

    def __init__(self, shown: str) -> None:
        super().__init__(
            f"the state of the run is {shown}; expected what `run.state_dict()` gave: uid and file, which are texts, "
            f"offset and checksum, which are integers. Of a checkpoint, give the run's part: checkpoint['run']"
        )


class RunExists(TrackingError):
    """A new run was given the uid of one that is there."""

    def __init__(self, uid: str, directory: Path) -> None:
        super().__init__(
            f"a run with the uid {uid!r} is in {directory} already, and a uid is one run's alone: continue that run "
            f"with resume='auto', or leave `uid` out for a new one"
        )


class NoSuchRun(TrackingError):
    """A run was to be continued that is not there, or that is finished and was not named by its uid."""

    def __init__(
        self, wanted: str, root: Path, known: Iterable[str], finished: Sequence[str] = ()
    ) -> None:
        if finished:
            are = "is FINISHED" if len(finished) == 1 else "are FINISHED"
            super().__init__(
                f"no run {wanted} can be continued in {root} without its uid: {_some(map(repr, finished))} {are}. Such a "
                f"run is resumed by its uid, start_run(…, uid={finished[-1]!r}, resume='must'), and "
                f"resume='auto' without it starts a new one"
            )
            return
        super().__init__(
            f"no run {wanted} can be continued in {root}. {suggestion(wanted, known)} "
            f"resume='auto' starts a new one where there is none"
        )


class SeveralRuns(TrackingError):
    """Several runs could be the one to continue."""

    def __init__(self, wanted: str, directories: Sequence[Path]) -> None:
        places = _some(str(directory) for directory in directories)
        super().__init__(
            f"several runs {wanted} could be continued: {places}. Say which by its uid, or by its directory: "
            f"start_run(…, directory={str(directories[-1])!r}, resume='must')"
        )


class RecordingFailed(TrackingError):
    """Something could not be written to the run directory, in a run that was started with `strict=True`."""

    def __init__(self, directory: Path, error: OSError) -> None:
        # There is no room to wait for where the directory itself is gone.
        otherwise = (
            "say so once" if isinstance(error, FileNotFoundError) else "keep what it can in memory"
        )
        super().__init__(
            f"{directory} cannot be written to: {error.strerror or error}. Without `strict=True` the run would "
            f"{otherwise} and go on"
        )


class InvalidChoice(TrackingError):
    """An argument that takes one of a few words was given another."""

    def __init__(self, name: str, given: object, words: Sequence[object]) -> None:
        super().__init__(f"{name} is {seen(given)}; expected {' or '.join(map(repr, words))}")


class InvalidTimeout(TrackingError):
    """A time to wait that is none."""

    def __init__(self, given: object) -> None:
        super().__init__(
            f"timeout is {seen(given)}; expected 0 or more seconds, or None for no limit"
        )


class InvalidTensor(InvalidValue):
    """A metric's value that is a tensor from which no single real number can be read."""

    def __init__(self, name: str, shown: str, advice: str) -> None:
        TrackingError.__init__(self, f"the value of metric {name!r} is {shown}. {advice}")


class InvalidBest(TrackingError):
    """Metrics of which the best value is to be kept, declared in a way that does not say which is best."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"best {problem}; expected a mapping from the names of metrics to 'min' or 'max', such as "
            f"{{'val/loss': 'min'}}"
        )


class InvalidRank(TrackingError):
    """A rank that no process can have."""

    def __init__(self, given: object) -> None:
        super().__init__(
            f"rank is {seen(given)}; expected an integer from 0, such as torch.distributed.get_rank(), "
            f"or None to detect it. Rank 0 records"
        )


class UnsupportedHistogram(TrackingError):
    """Something given as the values of a histogram that are none."""

    def __init__(self, name: str, problem: str, advice: str) -> None:
        super().__init__(f"the histogram {name!r} {problem}. {advice}")


class UnsupportedTable(TrackingError):
    """Something given as a table that is none."""

    def __init__(self, name: str, problem: str, advice: str) -> None:
        super().__init__(f"the table {name!r} {problem}. {advice}")


class UnsupportedFunction(TrackingError):
    """Something given as a function that cannot be called."""

    def __init__(self, name: str, given: object) -> None:
        super().__init__(
            f"the function {name!r} is {seen(given)}; expected a function, a class, or another object that can be "
            f"called. For a value, use `run.json`"
        )


class UnsupportedArtifact(TrackingError):
    """Something given as an artifact that is neither a file nor a folder."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(f"{path} {problem}, and an artifact is a file or a folder")
