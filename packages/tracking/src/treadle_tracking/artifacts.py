"""Files that a run keeps: copied into its `artifacts/` when they are new or have changed, and only then."""

import errno
import os
import stat
import unicodedata
from collections.abc import Callable, Iterator
from hashlib import file_digest, sha256
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Self, cast

from attrs import frozen

from treadle_tracking.atomic import copy_file
from treadle_tracking.directory import artifact_path
from treadle_tracking.entries import Artifact
from treadle_tracking.errors import ArtifactInTheWay, UnsupportedArtifact, seen

__all__ = ["Kept", "PassedOver", "Unwritten", "checked_source", "keep", "keep_bytes"]

_CHUNK = 1 << 20  # bytes
_TRIES = 3


@frozen
class PassedOver:
    """Something within a folder that is not kept, or not as a whole, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path} {self.reason}"


@frozen
class Unwritten:
    """A file that could not be written to the run directory."""

    path: str  # relative to `artifacts/`
    error: OSError


Kept = Artifact | PassedOver | Unwritten
Known = dict[str, tuple[int, str]]  # size and SHA-256 by path


@frozen
class _Found:
    source: Path
    path: PurePosixPath


def checked_source(path: object) -> Path:
    """The path of what is to be kept.

    Raises:
        UnsupportedArtifact: it is empty, which would be the current directory, or is no path.
    """
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str) or "\0" in text:
        raise UnsupportedArtifact(seen(path), "is no path")
    if not text:
        raise UnsupportedArtifact(repr(text), "names nothing")
    return Path(text)


def keep(
    source: Path, name: str, directory: Path, known: Known, now: Callable[[], float]
) -> Iterator[Kept]:
    """Keep a file, or all files of a folder, under `name` below `directory`, and say so of each that is new or changed.

    A file whose content is what `known` has of it, and what is there, is read and not written, and nothing is said. A
    file is there as a whole or as it was before. One that somebody writes to meanwhile is read again, three times at most; a log
    that keeps growing is kept as it was at the last of them.

    Of a folder, all files are kept, in the order of their names. A link to a file is the file; a link to a folder, a
    link to nothing, a folder without files, a pipe, socket or device, and the run's own directory are passed over. Every
    file that can be read is kept before the error of one that cannot is raised.

    Args:
        source: A file or folder, or a link to one.
        name: What it is called, with `/` between parts; escaped as in `artifact_path`.
        directory: `artifacts/` in the run's own directory.
        known: Size and SHA-256 by path of what is there already; what is kept joins it.
        now: The time of an entry.

    Yields:
        An `Artifact` for each file that is now there, as soon as it is; what is passed over, and what could not be
        written.

    Raises:
        UnsupportedArtifact: the source is a pipe, a socket or a device.
        ArtifactInTheWay: a name is another artifact's folder, or the other way round, or differs from another's only in
            the case of its letters where the file system does not tell them apart.
        OSError: a file or folder cannot be read.
    """
    mode = _mode(source)
    if stat.S_ISREG(mode):
        try:
            yield from _keep_file(_Found(source, artifact_path(name)), directory, known, now)
        except _Unreadable as unreadable:
            raise unreadable.error from None
        return
    if not stat.S_ISDIR(mode):
        raise UnsupportedArtifact(source, "is a pipe, a socket or a device")
    listing = _Listing(directory.parent)
    listing.enter(source, name)
    yield from listing.passed_over
    for found in listing.files:
        try:
            yield from _keep_file(found, directory, known, now)
        except _Unreadable as unreadable:
            listing.errors.append(unreadable.error)
    if listing.errors:
        raise listing.errors[0]


def _mode(source: Path) -> int:
    try:
        return source.stat().st_mode
    except FileNotFoundError as error:
        seen_from = "" if source.is_absolute() else f", seen from {Path.cwd()}"
        raise FileNotFoundError(
            error.errno,
            f"there is no file or folder to keep as an artifact{seen_from}",
            str(source),
        ) from None


class _Unreadable(Exception):
    """Between here and the caller: a source that cannot be read."""

    def __init__(self, error: OSError) -> None:
        self.error = error


class _Listing:
    """The files below a folder, all of them known before the first is copied, which may be into that folder."""

    def __init__(self, own: Path) -> None:
        self.files: list[_Found] = []
        self.passed_over: list[PassedOver] = []
        self.errors: list[OSError] = []
        self._own = own

    def enter(self, folder: Path, name: str) -> None:
        """Add what is below `folder`, under `name`."""
        try:
            if folder.samefile(self._own):
                # TensorBoard would take a copy of the event file for another run.
                self._pass_over(folder, "is this run's own directory")
                return
            inside = sorted(os.scandir(folder), key=lambda one: one.name)
        except OSError as error:
            self.errors.append(error)
            return
        before = len(self.files), len(self.passed_over), len(self.errors)
        for one in inside:
            self._add(Path(one.path), f"{name}/{_text(one.name)}", is_link=one.is_symlink())
        if before == (len(self.files), len(self.passed_over), len(self.errors)):
            self._pass_over(folder, "is a folder without files")

    def _add(self, path: Path, name: str, *, is_link: bool) -> None:
        try:
            mode = path.stat().st_mode
        except OSError as error:
            if is_link:
                self._pass_over(path, "is a link to nothing that is there")
            else:
                self.errors.append(error)
            return
        if stat.S_ISREG(mode):
            self.files.append(_Found(path, artifact_path(name)))
        elif not stat.S_ISDIR(mode):
            self._pass_over(path, "is a pipe, a socket or a device")
        elif is_link:
            self._pass_over(path, "is a link to a folder: give that folder by itself")
        else:
            self.enter(path, name)

    def _pass_over(self, path: Path, reason: str) -> None:
        self.passed_over.append(PassedOver(path, reason))


def _text(name: str) -> str:
    """A file's name as text: of bytes that are no UTF-8, their escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def keep_bytes(
    data: bytes, name: str, directory: Path, known: Known, now: Callable[[], float]
) -> Iterator[Kept]:
    """Keep `data` as a file, likewise."""
    path = artifact_path(name)
    digest = sha256(data).hexdigest()
    is_kept = _is_kept(path, len(data), directory, known) and known[str(path)][1] == digest
    if not is_kept or _digest(directory / path) != digest:
        yield _written(path, BytesIO(data), directory, known, now)


def _is_kept(path: PurePosixPath, size: int, directory: Path, known: Known) -> bool:
    """Whether a file of this name and size is there, as far as the file system knows."""
    if known.get(str(path), (-1, ""))[0] != size:
        return False
    try:
        return (directory / path).stat().st_size == size
    except OSError:
        return False


def _digest(path: Path) -> str | None:
    """That of a file which this run has written: a later attempt may have replaced it, before it was cut from the log."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _keep_file(
    found: _Found, directory: Path, known: Known, now: Callable[[], float]
) -> Iterator[Kept]:
    for _ in range(_TRIES):
        with _Source(found.source) as source:
            if _is_kept(found.path, source.size, directory, known):
                if _digest(directory / found.path) == source.digest() == known[str(found.path)][1]:
                    return
                source.rewind()
            kept = _written(found.path, cast("BinaryIO", source), directory, known, now)
            changed = source.has_changed()
        if isinstance(kept, Unwritten) or not changed:
            break
    yield kept
    if changed:
        yield PassedOver(found.source, "changed while it was copied, and is kept as it was read")


def _written(
    path: PurePosixPath,
    source: BinaryIO,
    directory: Path,
    known: Known,
    now: Callable[[], float],
) -> Artifact | Unwritten:
    target = directory / path
    try:
        _check_case(path, directory, known)
        target.parent.mkdir(parents=True, exist_ok=True)
        copied = copy_file(source, target)
    except (FileExistsError, IsADirectoryError, NotADirectoryError):
        raise ArtifactInTheWay(str(path)) from None
    except OSError as error:
        return Unwritten(str(path), error)
    known[str(path)] = copied.size, copied.sha256
    return Artifact(wall_time=now(), path=str(path), size=copied.size, sha256=copied.sha256)


def _check_case(path: PurePosixPath, directory: Path, known: Known) -> None:
    """Raise where a file of another name is there that the file system takes for the same."""
    if str(path) in known or not (directory / path).exists():
        return
    folded = _folded(str(path))
    for other in known:
        if _folded(other) == folded and (directory / path).samefile(directory / other):
            raise ArtifactInTheWay(str(path))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


class _Source:
    """A regular file, read as far as it was long when it was opened, so that one that grows has an end.

    Raises:
        _Unreadable: it cannot be opened or read, or is no regular file any more.
    """

    def __init__(self, path: Path) -> None:
        try:
            # A pipe that has taken the file's place would wait for somebody to write into it.
            waiting = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
            self._descriptor = os.open(path, os.O_RDONLY | waiting)
        except OSError as error:
            raise _Unreadable(error) from None
        self._opened = os.fstat(self._descriptor)
        if not stat.S_ISREG(self._opened.st_mode):
            os.close(self._descriptor)
            raise _Unreadable(OSError(errno.EINVAL, "it is no file any more", str(path)))
        self.size = self._opened.st_size  # bytes
        self._left = self.size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`."""
        try:
            data = os.read(self._descriptor, min(size, self._left))
        except OSError as error:
            raise _Unreadable(error) from None
        self._left -= len(data)
        return data

    def rewind(self) -> None:
        """Begin again."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._left = self.size

    def digest(self) -> str:
        """The SHA-256 of what is left."""
        found = sha256()
        while data := self.read(_CHUNK):
            found.update(data)
        return found.hexdigest()

    def has_changed(self) -> bool:
        """Whether somebody has written to it since it was opened."""
        now = os.fstat(self._descriptor)
        return (now.st_size, now.st_mtime_ns) != (self._opened.st_size, self._opened.st_mtime_ns)
