"""Runs copied to run directories: each is made apart, and put in its place when it is whole."""

import json
import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import file_digest
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Any, Self

from attrs import evolve

from treadle_tracking.atomic import is_no_room, write_file
from treadle_tracking.copying.destination import Addition, Put
from treadle_tracking.copying.errors import NotCopyable, TargetIsRun
from treadle_tracking.copying.files import UNCOPYABLE, safe_path, why_not
from treadle_tracking.directory import (
    ARTIFACTS,
    PARAMS,
    make_run_directory,
    safe_name,
)
from treadle_tracking.entries import Artifact, Ended, Entry, Params, ParamValue, Started
from treadle_tracking.errors import ArtifactInTheWay, RunDirectoryError
from treadle_tracking.exact_json import dumps
from treadle_tracking.log import LogWriter, attempt_path, attempt_paths
from treadle_tracking.mirrors.locking import locked
from treadle_tracking.ownership import Ownership
from treadle_tracking.params import joined
from treadle_tracking.places import WORKSHOP
from treadle_tracking.reading.directories import DirectoryReader
from treadle_tracking.reading.record import RunRecord

__all__ = ["Directories"]

# A log under this name is no run yet, to TensorBoard neither.
_LOG = "log.unfinished"
# In a run that was made by a copy: where from, and what could not be brought along.
_NOTE = ".copied.json"


class Directories:
    """Runs below a directory, as `start_run` makes them. One that is added to is made anew as a whole.

    Args:
        root: It is made where it is not there.

    Raises:
        TargetIsRun: it is one.
    """

    def __init__(self, root: Path) -> None:
        if root.is_dir() and attempt_paths(root):
            raise TargetIsRun(root)
        self.target = f"tensorboard:{root}"
        self.replaces = True
        self._root = root
        self._workshop = root / WORKSHOP
        self._held = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._workshop.mkdir(parents=True, exist_ok=True)
            # Of two processes that copy at once, the later waits, and then finds what the earlier has brought.
            self._held.enter_context(locked(self._workshop))
            for left in self._workshop.iterdir():
                shutil.rmtree(left)
        except OSError as error:
            self._held.close()
            raise RunDirectoryError(
                self._root,
                f"no run can be copied here: {error.strerror or error} ({error.filename})",
                "Name a directory that can be written to",
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._held.close()

    def runs(self) -> Iterable[RunRecord]:
        """As `Destination` says."""
        return DirectoryReader(self._root).runs()

    def refused(self, there: RunRecord) -> Collection[str]:
        """As `Destination` says."""
        return list(_note(Path(there.identity)).get("missing", ()))

    def obstacle(self, there: RunRecord) -> str | None:
        """As `Destination` says."""
        directory = Path(there.identity)
        if not _note(directory):
            return "was not made by a copy, and is left as it is"
        if attempt_paths(directory) != [attempt_path(directory)]:
            return "has been continued since it was copied, and is left as it is"
        return None

    def put(self, run: RunRecord, experiment: str, addition: Addition | None) -> Put:
        """As `Destination` says."""
        try:
            with self._made(run, experiment) as (made, problems):
                if addition is None:
                    directory = self._placed(made, experiment, run)
                else:
                    directory = Path(addition.there.identity)
                    _renew(directory, made)
        except OSError as error:
            if is_no_room(error):
                # Of which file, says nothing: that of one that is taken away again.
                raise RunDirectoryError(
                    self._root, (error.strerror or str(error)).lower(), "Make room, and copy again"
                ) from error
            raise
        return Put(str(directory), tuple(problems.values()))

    @contextmanager
    def _made(self, run: RunRecord, experiment: str) -> Iterator[tuple[Path, dict[str, str]]]:
        """The run made apart, all but the name of its log, and what it lacks."""
        made = Path(mkdtemp(dir=self._workshop))
        try:
            made.chmod(self._workshop.stat().st_mode)  # as `mkdir` would have made it
            (made / ARTIFACTS).mkdir()
            problems = _write(run, experiment, made)
            note = {
                "source": run.target,
                "identity": run.identity,
                "uid": run.uid,
                "missing": [safe_path(path) for path in problems],
            }
            write_file(made / _NOTE, json.dumps(note).encode())
            yield made, problems
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def _placed(self, made: Path, experiment: str, run: RunRecord) -> Path:
        """Put a run where it belongs; until the last line, nobody takes it for one."""
        self._clear(experiment, run)
        directory = make_run_directory(self._root, experiment, run.name)
        made.rename(directory)
        (directory / _LOG).rename(attempt_path(directory))
        return directory

    def _clear(self, experiment: str, run: RunRecord) -> None:
        """Remove what a copy that was killed between those two lines has left of the same run."""
        parent, name = self._root / safe_name(experiment), safe_name(run.name)
        for number in count(1):
            place = parent / (name if number == 1 else f"{name}-{number}")
            if not place.exists():
                return
            if (
                (place / _LOG).exists()
                and not attempt_paths(place)
                and _note(place).get("uid") == run.uid
            ):
                shutil.rmtree(place)
                return


def _note(directory: Path) -> dict[str, Any]:
    """What a copy has noted in a run that it has made; nothing where none has."""
    try:
        note = json.loads((directory / _NOTE).read_bytes())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _renew(directory: Path, made: Path) -> None:
    """Put what was made in the place of what is there, file by file, the log last: that is what makes the run.

    Files that somebody has put beside them, and what is noted about mirrors, stay.

    Raises:
        RunInUse: a process has gone on with the run meanwhile.
    """
    ownership = Ownership(directory)
    try:
        for path in sorted((made / ARTIFACTS).rglob("*")):
            if path.is_file():
                place = directory / path.relative_to(made)
                place.parent.mkdir(parents=True, exist_ok=True)
                path.replace(place)
        for name in (PARAMS, _NOTE):
            (made / name).replace(directory / name)
        (made / _LOG).replace(attempt_path(directory))
    finally:
        ownership.release()


def _write(run: RunRecord, experiment: str, made: Path) -> dict[str, str]:
    """Write the log, the artifacts and the parameters of a run; a sentence for each artifact that is not there."""
    params: dict[str, ParamValue] = {}
    files = _Files(run, made / ARTIFACTS)
    writer = LogWriter(made / _LOG, strict=True)
    try:
        for entry in _entries(run, experiment):
            kept: Entry | None = entry
            if isinstance(entry, Artifact):
                kept = files.kept(entry)
            elif isinstance(entry, Params):
                params = joined(params, entry.values)
            if kept is not None:
                writer.append(kept)
        writer.sync()
    finally:
        writer.close()
    write_file(made / PARAMS, dumps(params, indent=2) + b"\n")
    return files.problems


def _entries(run: RunRecord, experiment: str) -> Iterator[Entry]:
    """The run as the log of a single attempt, at the end of which it may have ended."""
    entries = iter(run.reader.entries(run))
    started = next(entries, None)
    if not isinstance(started, Started):
        raise NotCopyable(run.name, run.identity)
    yield evolve(started, experiment=experiment, attempt=0)
    following = next(entries, None)
    if not isinstance(following, Params):
        # Without any, TensorBoard's HPARAMS page would not list the run.
        yield Params(wall_time=started.wall_time)
    ended: Ended | None = None
    while following is not None:
        if isinstance(following, Started | Ended):
            ended = following if isinstance(following, Ended) else None
        else:
            yield following
        following = next(entries, None)
    if ended is not None:
        yield ended


class _Files:
    """The artifacts of a run, each fetched once, however often it was recorded."""

    def __init__(self, run: RunRecord, directory: Path) -> None:
        self.problems: dict[str, str] = {}  # by path
        self._run = run
        self._directory = directory
        self._kept: dict[str, Artifact] = {}

    def kept(self, entry: Artifact) -> Artifact | None:
        """The entry as it is true of the copy; None where there is no file."""
        if entry.path in self.problems:
            return None
        kept = self._kept.get(entry.path)
        if kept is None:
            try:
                kept = self._kept[entry.path] = self._fetched(entry)
            except UNCOPYABLE as error:
                if is_no_room(error):  # for what comes after it neither
                    raise
                self.problems[entry.path] = why_not(entry.path, error)
                return None
        return evolve(kept, wall_time=entry.wall_time)

    def _fetched(self, entry: Artifact) -> Artifact:
        path = safe_path(entry.path)
        file = self._directory / path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise ArtifactInTheWay(entry.path) from None
        if os.path.lexists(file):
            raise ArtifactInTheWay(entry.path)
        self._run.reader.download(self._run, entry.path, file)
        with file.open("rb") as read:
            digest = file_digest(read, "sha256").hexdigest()
            return evolve(entry, path=path, size=os.fstat(read.fileno()).st_size, sha256=digest)
