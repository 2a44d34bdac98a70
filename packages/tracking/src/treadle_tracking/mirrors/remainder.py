"""What of a run a mirror has not acknowledged, and the sentence that says so."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, takewhile
from pathlib import Path
from typing import Literal, TypeAlias

from treadle_tracking.entries import Committed, Ended, Entry
from treadle_tracking.errors import CorruptRecord, TrackingError
from treadle_tracking.log import START, Position, attempt_paths, read_entries
from treadle_tracking.masking import HIDDEN
from treadle_tracking.shell import sync_command

__all__ = [
    "When",
    "entries_left",
    "gone",
    "is_gone",
    "last_final",
    "remainder",
    "rewound",
    "up_to",
    "waiting",
]

_COUNTED = 10_000  # entries, in a tenth of a second; whoever waits for the end of a run has a limit

When: TypeAlias = Literal["logged", "committed"]


def last_final(directory: Path, position: Position) -> Position:
    """The place behind the last entry after `position` that is final; `position` for none.

    Final is what a `Committed` or the end of a finished run comes after, and what bears no step unless something waits
    before it.

    Raises:
        CorruptRecord: the log is damaged before anything that is final.
    """
    place, waits = position, False
    try:
        for entry, behind in read_entries(directory, position):
            if isinstance(entry, Committed) or (
                isinstance(entry, Ended) and entry.status == "FINISHED"
            ):
                waits = False
            elif getattr(entry, "step", None) is not None or isinstance(entry, Ended):
                waits = True
            if not waits:
                place = behind
    except CorruptRecord:
        if place == position:
            raise
    return place


def up_to(
    entries: Iterable[tuple[Entry, Position]], end: Position | None
) -> Iterator[tuple[Entry, Position]]:
    """Those of `entries` that come before `end`; None is no end."""
    return takewhile(lambda entry: end is None or _place(entry[1]) <= _place(end), entries)


def entries_left(directory: Path, position: Position, when: When = "logged") -> str | None:
    """How many entries after `position` the mirror should have; None for none."""
    try:
        end = None if when == "logged" else last_final(directory, position)
        entries = up_to(read_entries(directory, position), end)
        left = sum(1 for _ in islice(entries, _COUNTED))
    except TrackingError:
        return "some entries"
    if left == 0:
        return None
    if left == _COUNTED:
        return f"{_COUNTED} entries or more"
    return "1 entry" if left == 1 else f"{left} entries"


def is_gone(directory: Path, position: Position) -> bool:
    """Whether there is no log any more where one was sent from, up to `position`, or was going to be."""
    return not directory.is_dir() or (position != START and not attempt_paths(directory))


def gone(directory: Path, uri: str) -> str:
    """The sentence for what has not arrived and cannot be sent from `directory`, which is gone."""
    return (
        f"{uri} did not get all of this run, and will not get the rest: {directory} was deleted or moved while the run "
        f"went on"
    )


def waiting(uri: str, left: str, timeout: float) -> str:
    """The sentence for a user who waits."""
    return (
        f"waiting up to {round(timeout, 1):g} s for {uri} to take what is left ({left}); "
        f"Ctrl-C stops waiting, and nothing is lost"
    )


def remainder(directory: Path, uri: str, left: str, failure: str | None) -> str:
    """The sentence for what has not arrived.

    Args:
        directory: The run directory.
        uri: The mirror, without its password.
        left: How many entries.
        failure: Why, if that is known.
    """
    why = f" ({failure})" if failure else ""
    command = sync_command(directory, to=uri if HIDDEN in uri else None)
    number = left[0].upper() + left[1:]
    return f"{number} of this run did not reach {uri} in time{why}; send the rest with: {command}"


def rewound(position: Position, places: Mapping[str, int]) -> Position:
    """Where a mirror that is at `position` goes on after files of the log were cut.

    Args:
        position: Up to there it has everything.
        places: Up to which byte each file that was cut is as it was. What a later file holds may have been sent
            while the cut file was read past its new end, so that is sent again, too.
    """
    first = min(
        (Position(file, offset) for file, offset in places.items()), key=_place, default=position
    )
    return min(position, first, key=_place)


def _place(position: Position) -> tuple[str, int]:
    return position.file, position.offset
