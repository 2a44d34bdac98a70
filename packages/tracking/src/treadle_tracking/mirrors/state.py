"""What a mirror has been sent of a run: a small file in the run directory, written after every acknowledgement.

Losing it costs time and nothing else, since a mirror that is sent the same again does not change.
"""

import json
from hashlib import sha256
from pathlib import Path

from attrs import asdict, frozen

from treadle_tracking.atomic import write_file
from treadle_tracking.entries import Started
from treadle_tracking.log import START, Position
from treadle_tracking.mirrors.errors import MirrorStateDamaged

__all__ = ["Sent", "forget_sent", "load_every", "load_sent", "lock_path", "save_sent"]


@frozen(kw_only=True)
class Sent:
    """Everything before `position` is at the mirror `uri`, in the run that is called `identity` there."""

    uri: str
    position: Position = START
    identity: str | None = None
    started: Started | None = None  # the log's first entry: a log need not be read again for it


def _path(directory: Path, uri: str, suffix: str) -> Path:
    return directory / f".mirror-{sha256(uri.encode()).hexdigest()[:12]}{suffix}"


def lock_path(directory: Path, uri: str) -> Path:
    """The file that is locked while the run is looked for, and made, at the mirror."""
    return _path(directory, uri, ".lock")


def _load(path: Path) -> Sent:
    try:
        data = json.loads(path.read_bytes())
        return Sent(
            uri=data["uri"],
            position=Position(**data["position"]),
            identity=data["identity"],
            started=None if data["started"] is None else Started(**data["started"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise MirrorStateDamaged(path) from error


def load_sent(directory: Path, uri: str) -> Sent:
    """What the mirror `uri` has been sent; nothing if that is not known."""
    try:
        return _load(_path(directory, uri, ".json"))
    except (FileNotFoundError, MirrorStateDamaged):
        return Sent(uri=uri)


def load_every(directory: Path) -> list[Sent]:
    """What each mirror that this run was ever given has been sent.

    Raises:
        MirrorStateDamaged: one of the files cannot be read.
    """
    return [_load(path) for path in sorted(directory.glob(".mirror-*.json"))]


def forget_sent(directory: Path, uri: str) -> None:
    """Take the mirror `uri` away: it is none of the run's own any more."""
    _path(directory, uri, ".json").unlink(missing_ok=True)


def save_sent(directory: Path, sent: Sent) -> None:
    """Put `sent` in place of what was known before, whole or not at all."""
    write_file(_path(directory, sent.uri, ".json"), json.dumps(asdict(sent)).encode())
