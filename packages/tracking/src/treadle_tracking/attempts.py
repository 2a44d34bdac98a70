"""Going back in a run's log: what an attempt recorded that another one now repeats is cut out, and kept aside."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from attrs import frozen

from treadle_tracking.atomic import unfinished
from treadle_tracking.encoding import decoded
from treadle_tracking.entries import Ended, Entry, Params, Rewound, Started, Tags
from treadle_tracking.errors import CorruptRecord, PlaceUnknown
from treadle_tracking.log import START, Position, attempt_path, attempt_paths, is_in, read_entries
from treadle_tracking.wire import FrameMismatch, records

__all__ = ["ABANDONED", "beginning", "cut", "latest_before", "next_attempt"]

ABANDONED = "abandoned"  # not `tfevents`, which TensorBoard would read


@frozen
class _Cut:
    """What goes of one file, and what stays. Places are in bytes from the file's start."""

    path: Path
    same: int  # up to here the file stays as it is
    kept: list[tuple[int, int]]  # begins and ends of records behind that
    gone: list[tuple[int, int]]
    is_empty: bool  # whether nothing of ours is left in it


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


def latest_before(directory: Path, attempt: int) -> float:
    """The latest time of what attempts before `attempt` have in the log, in seconds since the epoch; 0.0 for nothing."""
    own = attempt_path(directory, attempt).name
    return max(
        (entry.wall_time for entry, place in read_entries(directory) if place.file < own),
        default=0.0,
    )


def next_attempt(directory: Path) -> int:
    """The number of the attempt to come: one that no attempt had, not even one that was cut out since."""
    numbers = [int(path.name.split(".")[3]) for path in attempt_paths(directory)]
    numbers += [int(path.stem) for path in (directory / ABANDONED).glob("[0-9]*.records")]
    return max(numbers, default=-1) + 1


def _is_cut(
    name: str, end: int, entry: Entry | None, after: Position | None, step: int | None
) -> bool:
    if isinstance(entry, Ended):
        return True
    if after is not None and (name, end) > (after.file, after.offset):
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
    if after not in (None, START) and not any(_has(path, after) for path in paths):
        raise PlaceUnknown(directory)
    found = (_cut_of(path, after, step) for path in paths)
    cuts = [one for one in found if one is not None]
    _keep_aside(directory / ABANDONED / f"{attempt:06}.records", cuts)
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


def _has(path: Path, place: Position) -> bool:
    """Whether `place` is between two records of this file, and what comes before it is what came before it then."""
    if path.name != place.file or not is_in(path, place):
        return False
    with path.open("rb") as file:
        return any(end == place.offset for end, _ in _records(path, file)) or place.offset == 0


def _records(path: Path, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    try:
        yield from records(file, 0)
    except FrameMismatch as mismatch:
        raise CorruptRecord(path, mismatch.args[0]) from None


def _cut_of(path: Path, after: Position | None, step: int | None) -> _Cut | None:
    """What is to be cut of a file; None for nothing."""
    kept: list[tuple[int, int]] = []
    gone: list[tuple[int, int]] = []
    begin = same = 0
    is_empty = True
    with path.open("rb") as file:
        for end, data in _records(path, file):
            entry = decoded(data)
            if _is_cut(path.name, end, entry, after, step):
                gone.append((begin, end))
            else:
                is_empty &= entry is None
                if gone:
                    kept.append((begin, end))
                else:
                    same = end
            begin = end
    is_torn = path.stat().st_size > begin
    if not gone and not is_torn:
        return None
    return _Cut(path, same, kept, gone, is_empty)


def _pieces(path: Path, places: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    with path.open("rb") as file:
        for begin, end in places:
            file.seek(begin)
            yield file.read(end - begin)


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
