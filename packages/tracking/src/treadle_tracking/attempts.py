"""Going back in a run's log: what an attempt recorded that another one now repeats is cut out, and kept aside."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from treadle_tracking.atomic import unfinished
from treadle_tracking.encoding import decoded
from treadle_tracking.entries import Artifact, Ended, Entry, Params, Rewound, Started, Tags
from treadle_tracking.errors import CorruptRecord, PlaceUnknown
from treadle_tracking.log import START, Position, attempt_paths, is_in, read_entries
from treadle_tracking.wire import FrameMismatch, leading_step, records

__all__ = [
    "ABANDONED",
    "abandoned_artifacts",
    "abandoned_path",
    "beginning",
    "cut",
    "entries_in",
    "next_attempt",
]

ABANDONED = "abandoned"  # not `tfevents`, which TensorBoard would read
_CHUNK = 1 << 20  # bytes


@frozen
class _Cut:
    """What goes of one file, and what stays. Places are in bytes from the file's start."""

    path: Path
    same: int  # up to here the file stays as it is
    kept: list[tuple[int, int]]  # begins and ends of stretches of records behind that
    gone: list[tuple[int, int]]
    is_empty: bool  # whether nothing of ours is left in it
    is_torn: bool  # whether its last record was cut short
    has_place: bool  # whether the place behind which everything goes is in it


def beginning(directory: Path) -> Position:
    """The place behind what the first attempt recorded as it started: who the run is, its parameters and tags."""
    place, moment = START, None
    for entry, position in read_entries(directory):
        # What the user adds a moment later is of the same kind, but has a time of its own.
        if not isinstance(entry, Started | Params | Tags) or moment not in (None, entry.wall_time):
            break
        if not isinstance(entry, Started):
            moment = entry.wall_time
        elif place != START:
            break
        place = position
    return place


def abandoned_path(directory: Path, attempt: int) -> Path:
    """Where what `attempt` cuts out of the log is kept: whole records, framed as in the log."""
    return directory / ABANDONED / f"{attempt:06}.records"


def entries_in(path: Path) -> int:
    """How many entries a file of records holds; none where there is no file."""
    try:
        with path.open("rb") as file:
            return sum(1 for _ in _records(path, file))
    except FileNotFoundError:
        return 0


def abandoned_artifacts(directory: Path) -> set[tuple[str, str]]:
    """Path and SHA-256 of every artifact that was cut out of the log. Its file may be there still."""
    found = set()
    for path in (directory / ABANDONED).glob("*.records"):
        with path.open("rb") as file, suppress(CorruptRecord):
            for _, data in _records(path, file):
                if isinstance(entry := decoded(data), Artifact):
                    found.add((entry.path, entry.sha256))
    return found


def next_attempt(directory: Path) -> int:
    """The number of the attempt to come: one that no attempt had, not even one that was cut out since."""
    numbers = [int(path.name.split(".")[3]) for path in attempt_paths(directory)]
    numbers += [int(path.stem) for path in (directory / ABANDONED).glob("[0-9]*.records")]
    return max(numbers, default=-1) + 1


def _may_be_cut(data: bytes, step: int | None) -> bool:
    """Whether that can be, as far as it can be told without decoding the event, which takes ten times as long."""
    if b'"kind"' in data:  # JSON, as of an end
        return True
    its = None if step is None else leading_step(data)
    return step is not None and (its is None or its >= step)


def _is_cut(entry: Entry | None, step: int | None) -> bool:
    if isinstance(entry, Ended):
        return True
    # Where an attempt went back tells a mirror of points that no file has any more.
    its = None if isinstance(entry, Rewound) else getattr(entry, "step", None)
    return step is not None and its is not None and its >= step


def cut(
    directory: Path, attempt: int, *, after: Position | None = None, step: int | None = None
) -> dict[str, int]:
    """Cut out of the log what attempts before `attempt` recorded behind a place, or at a step and later; and every end.

    It goes to `abandoned/<attempt>.records`, framed as it was. Whenever the process dies meanwhile, the log is one that
    can be cut again, and nothing is lost of what goes: the worst is that it is kept aside twice.

    Args:
        directory: The run directory, owned by this process.
        attempt: The number of the attempt that cuts; its own file stays as it is.
        after: The place. None for none.
        step: The first step that goes, scalars, images and all. None for none.

    Returns:
        The files that were cut, by name, and up to which byte each is as it was.

    Raises:
        PlaceUnknown: the log has no such place any more.
        CorruptRecord: the log is damaged.
        OSError: the directory cannot be written to; where it is only full, the log is as before.
    """
    paths = [path for path in attempt_paths(directory) if int(path.name.split(".")[3]) < attempt]
    found = [_cut_of(path, after, step) for path in paths]
    if after not in (None, START) and not any(one.has_place for one in found):
        raise PlaceUnknown(directory)
    cuts = [one for one in found if one.gone or one.is_torn]
    _keep_aside(abandoned_path(directory, attempt), cuts)
    rewritten = {}
    try:
        for one in cuts:
            if one.kept:
                rewritten[one.path] = unfinished(one.path)
                _copy(one, rewritten[one.path])
        # The last file first: what is left at any moment is a beginning of the log.
        for one in reversed(cuts):
            if one.is_empty:
                one.path.unlink()
            elif one.kept:
                rewritten[one.path].replace(one.path)
            else:
                # In place, so that a TensorBoard that follows the file goes on following it.
                os.truncate(one.path, one.same)
    finally:
        for path in rewritten.values():
            path.unlink(missing_ok=True)
    return {one.path.name: one.same for one in cuts}


def _records(path: Path, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    try:
        yield from records(file, 0)
    except FrameMismatch as mismatch:
        raise CorruptRecord(path, mismatch.args[0]) from None


def _cut_of(path: Path, after: Position | None, step: int | None) -> _Cut:
    """What is to be cut of a file, if anything."""
    kept: list[tuple[int, int]] = []
    gone: list[tuple[int, int]] = []
    begin = same = 0
    is_empty = True
    # Whether the file is up to there what it was then.
    may_have_place = after is not None and path.name == after.file and is_in(path, after)
    has_place = may_have_place and after is not None and after.offset == 0
    with path.open("rb") as file:
        for end, data in _records(path, file):
            is_beyond = after is not None and (path.name, end) > (after.file, after.offset)
            has_place |= may_have_place and after is not None and end == after.offset
            if is_beyond or (_may_be_cut(data, step) and _is_cut(decoded(data), step)):
                _add(gone, begin, end)
            else:
                is_empty = is_empty and decoded(data) is None
                if gone:
                    _add(kept, begin, end)
                else:
                    same = end
            begin = end
    return _Cut(
        path=path,
        same=same,
        kept=kept,
        gone=gone,
        is_empty=is_empty,
        is_torn=path.stat().st_size > begin,
        has_place=has_place,
    )


def _add(stretches: list[tuple[int, int]], begin: int, end: int) -> None:
    """Add a record to the last stretch, if it is next to it."""
    if stretches and stretches[-1][1] == begin:
        begin, _ = stretches.pop()
    stretches.append((begin, end))


def _pieces(path: Path, places: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    with path.open("rb") as file:
        for begin, end in places:
            file.seek(begin)
            for offset in range(begin, end, _CHUNK):
                yield file.read(min(_CHUNK, end - offset))


def _copy(one: _Cut, path: Path) -> None:
    """Write what stays of a file to `path`."""
    with path.open("wb") as file:
        file.writelines(_pieces(one.path, [(0, one.same), *one.kept]))
        file.flush()
        os.fsync(file.fileno())


def _keep_aside(path: Path, cuts: Sequence[_Cut]) -> None:
    if not any(one.gone for one in cuts):
        return
    with suppress(FileExistsError):
        path.parent.mkdir()
    with path.open("ab") as file:
        before = file.tell()
        try:
            for one in cuts:
                file.writelines(_pieces(one.path, one.gone))
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            # A part of a record would hide what is appended later.
            with suppress(OSError):
                file.close()
            os.truncate(path, before)
            raise
