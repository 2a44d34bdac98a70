"""Runs copied to where mirrors bring them, as to MLflow, without a word in their own directories."""

import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Self

from attrs import evolve, field, frozen

from treadle_tracking.atomic import is_no_room, name_target, write_file
from treadle_tracking.backends import BackendWithoutReader
from treadle_tracking.backends import mirror as make_mirror
from treadle_tracking.backends import reader as make_reader
from treadle_tracking.copying.destination import Addition, Put
from treadle_tracking.copying.errors import NotCopyable
from treadle_tracking.copying.files import UNCOPYABLE, safe_path, why_not
from treadle_tracking.directory import ARTIFACTS, PARAMS
from treadle_tracking.entries import Artifact, Ended, Entry, Image, Started, Tags
from treadle_tracking.errors import CorruptRecord, TrackingError
from treadle_tracking.exact_json import dumps
from treadle_tracking.log import attempt_paths, read_entries
from treadle_tracking.mirrors.abilities import Replaces, SaysWhatItLacks
from treadle_tracking.mirrors.address import parse_address
from treadle_tracking.mirrors.base import Mirror
from treadle_tracking.mirrors.sender import BATCH, FIRST_PAUSE, LAST_ATTEMPTS
from treadle_tracking.reading.errors import ArtifactUnreadable
from treadle_tracking.reading.reader import Reader
from treadle_tracking.reading.record import RunRecord
from treadle_tracking.target import DEFAULT_DIRECTORY

__all__ = ["Mirrored"]


class Mirrored:
    """Runs where a mirror brings them.

    Args:
        target: As `backends.mirror` takes it, secrets and all.

    Raises:
        TrackingError: as `backends.mirror`.
    """

    def __init__(self, target: str) -> None:
        # What is wrong with the address, or not installed, is told before anything is read.
        self.target = make_mirror(target).uri
        self.replaces = False
        self._target = target
        self._reader: Reader | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._reader is not None:
            self._reader.close()

    def runs(self) -> Iterable[RunRecord]:
        """As `Destination` says."""
        if _is_to_be_made(self._target):
            return ()
        try:
            self._reader = make_reader(self._target)
        except BackendWithoutReader:
            return ()
        return self._reader.runs()

    def refused(self, there: RunRecord) -> Collection[str]:
        """As `Destination` says."""
        mirror = make_mirror(self._target)
        try:
            return _refused(mirror, _started(there), there.identity)
        except TrackingError:  # it was not brought there by one of us
            return ()
        finally:
            mirror.close()

    def obstacle(self, there: RunRecord) -> str | None:
        """As `Destination` says."""
        # Who wrote it knows no uid. A mirror would not find it, and make another.
        if there.uid == there.identity:
            return "is another program's, and is left as it is"
        return None

    def put(self, run: RunRecord, experiment: str, addition: Addition | None) -> Put:
        """As `Destination` says."""
        sending = _Sending(run, experiment, addition)
        attempts_left = LAST_ATTEMPTS
        while True:
            attempts_left -= 1
            mirror = make_mirror(self._target)
            try:
                return sending.sent(mirror, self._target)
            except Exception:
                # What takes nothing at all is not asked again. What has failed in the middle may, as one of two runs
                # that two processes have made at once is deleted again.
                if not sending.is_open or attempts_left == 0:
                    raise
                time.sleep(FIRST_PAUSE)
            finally:
                with suppress(Exception):  # what has arrived has been acknowledged
                    mirror.close()


def _is_to_be_made(target: str) -> bool:
    """Whether the target is a database in a file that is not there yet, or empty."""
    scheme, _, address = target.partition(":")
    if scheme != "mlflow":
        return False
    file = parse_address(address).file
    return file is not None and not (file.exists() and file.stat().st_size)


def _home(target: str) -> Path | None:
    """Where to make a directory for a run that has none; None is where temporary files are."""
    scheme, _, address = target.partition(":")
    if scheme == "mlflow":
        where = parse_address(address)
        if where.is_database and where.file is None:
            # Files of a database that is no file are kept beside the directories of the runs.
            home = Path(DEFAULT_DIRECTORY).absolute()
            home.mkdir(parents=True, exist_ok=True)
            return home
    return None


def _started(run: RunRecord) -> Started:
    return Started(
        wall_time=run.started,
        uid=run.uid,
        experiment=run.experiment,
        name=run.name,
        group=run.group,
    )


def _refused(mirror: Mirror, started: Started, identity: str) -> Collection[str]:
    """What a mirror says that it has not taken."""
    return mirror.lacking(started, identity) if isinstance(mirror, SaysWhatItLacks) else ()


@frozen
class _Sending:
    """One run on its way to one mirror, in as many attempts as it takes."""

    run: RunRecord
    experiment: str
    addition: Addition | None
    _opened: list[Mirror] = field(factory=list)

    @property
    def is_open(self) -> bool:
        """Whether a mirror has taken the run on."""
        return bool(self._opened)

    def sent(self, mirror: Mirror, target: str) -> Put:
        """Send everything. Raises if any of it may not have arrived."""
        problems: dict[str, str] = {}
        entries = self._entries()
        started = next(entries, None)
        if not isinstance(started, Started):
            raise NotCopyable(self.run.name, self.run.identity)
        if self.addition is not None and self.addition.difference.reopened:
            started = evolve(started, attempt=max(1, started.attempt))
        with _directory(self.run, _home(target)) as directory:
            self._open(mirror, started, directory, problems)
            mirror.send([started])
            for batch in _batches(entries):
                mirror.send([_at_hand(self.run, entry, directory, problems) for entry in batch])
                # It has arrived, and may be as large as there is room for.
                shutil.rmtree(directory / ARTIFACTS, ignore_errors=True)
            identity = mirror.identity
            assert identity is not None, "open() has returned"
            for name in _refused(mirror, started, identity):
                problems.setdefault(name, f"{name!r} was not taken by {mirror.uri}")
        if self.run.status == "UNFINISHED":
            problems[""] = f"its end is not recorded, so it is RUNNING at {mirror.uri}"
        return Put(identity, tuple(problems.values()))

    def _open(
        self, mirror: Mirror, started: Started, directory: Path, problems: dict[str, str]
    ) -> None:
        abandoned = 0 if self.addition is None else self.addition.difference.abandoned
        # A log of ours says itself what was taken back.
        if abandoned and not _has_log(self.run):
            if isinstance(mirror, Replaces) and not self.is_open:
                mirror.replace(started, directory)
                self._opened.append(mirror)
                return
            if not isinstance(mirror, Replaces):
                problems["points"] = (
                    f"{abandoned} points of an attempt that was taken back stay at {mirror.uri}"
                )
        mirror.open(started, directory)
        self._opened.append(mirror)

    def _entries(self) -> Iterator[Entry]:
        left_out = set() if self.addition is None else set(self.addition.difference.other_tags)
        for entry in _log(self.run):
            match entry:
                case Started():
                    yield evolve(entry, experiment=self.experiment)
                case Tags() if left_out & entry.values.keys():
                    values = {
                        name: text for name, text in entry.values.items() if name not in left_out
                    }
                    if values:
                        yield evolve(entry, values=values)
                case _:
                    yield entry


def _has_log(run: RunRecord) -> bool:
    return run.directory is not None and bool(attempt_paths(run.directory))


def _log(run: RunRecord) -> Iterator[Entry]:
    """The run as a log; one of ours as it is, with the places where attempts went back."""
    if run.directory is None or not _has_log(run):
        yield from run.reader.entries(run)
        return
    with suppress(CorruptRecord):  # the run's `damage` says so
        for entry, _ in read_entries(run.directory):
            yield entry


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Entries in batches, of which each holds one file at most, and the last an end alone."""
    batch: list[Entry] = []
    for entry in entries:
        if isinstance(entry, Ended) and batch:
            yield batch
            batch = []
        batch.append(entry)
        if len(batch) == BATCH or isinstance(entry, Image | Artifact):
            yield batch
            batch = []
    if batch:
        yield batch


@contextmanager
def _directory(run: RunRecord, home: Path | None) -> Iterator[Path]:
    """A directory for a mirror to take files from, and to keep notes in: the run's own is not touched."""
    above = Path(mkdtemp(prefix=".treadle-copying-", dir=home))
    try:
        directory = above / "run"
        directory.mkdir()
        write_file(directory / PARAMS, dumps(run.params, indent=2) + b"\n")
        yield directory
    finally:
        shutil.rmtree(above, ignore_errors=True)


def _at_hand(run: RunRecord, entry: Entry, directory: Path, problems: dict[str, str]) -> Entry:
    """The entry, with its file in `directory` if it is about one."""
    if not isinstance(entry, Artifact):
        return entry
    path = safe_path(entry.path)
    file = directory / ARTIFACTS / path
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if run.directory is None:
            run.reader.download(run, entry.path, file)
        else:
            _link(run, run.directory, entry.path, file)
    except UNCOPYABLE as error:
        if isinstance(error, OSError) and is_no_room(error):
            name_target(error, file, file)
            raise
        # The mirror finds no file, and says so at its place.
        problems[entry.path] = why_not(entry.path, error)
    return evolve(entry, path=path)


def _link(run: RunRecord, directory: Path, path: str, file: Path) -> None:
    """Have a file of the run's own directory elsewhere without copying it."""
    own = directory.resolve()
    source = (own / ARTIFACTS / path).resolve(strict=True)
    if not source.is_relative_to(own):  # a link that somebody has put there
        raise ArtifactUnreadable(path, run.name, "a link leads from it out of the run")
    file.symlink_to(source)
