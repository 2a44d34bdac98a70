"""Sending what a run's mirrors have not got yet, from any process, also long after the run's own is gone."""

from pathlib import Path

from treadle_tracking.errors import InvalidTarget, RunDirectoryError
from treadle_tracking.log import attempt_paths
from treadle_tracking.mirrors.base import Mirror
from treadle_tracking.mirrors.errors import NoMirror, PasswordNeeded, SyncIncomplete
from treadle_tracking.mirrors.sender import Sender
from treadle_tracking.mirrors.state import load_every
from treadle_tracking.target import parse_targets

__all__ = ["sync"]


def _mirrors(directory: Path, to: str | None) -> list[Mirror]:
    from treadle_tracking.mirrors.mlflow import MLflowMirror

    if to is not None:
        uris = list(parse_targets(to).mirrors)
        if not uris:
            raise InvalidTarget(f"{to!r} is where runs are kept. Name a mirror, as in 'mlflow:URI'")
    else:
        known = [sent.uri for sent in load_every(directory)]
        for uri in known:
            if "***" in uri:
                raise PasswordNeeded(uri, directory)
        uris = [uri.removeprefix("mlflow:") for uri in known]
        if not uris:
            raise NoMirror(directory)
    return [MLflowMirror(uri) for uri in uris]


def sync(
    directory: str | Path, *, to: str | None = None, timeout: float | None = None
) -> list[str]:
    """Send one run to its mirrors: what they have already is not sent again, and would change nothing if it were.

    It works for a run whose process was killed, and for one that is still being written: then it sends what is there.

    Args:
        directory: The run directory.
        to: A mirror, such as `mlflow:sqlite:///mlflow.db`; it becomes one of the run's own. None is every mirror that
            the run has had so far.
        timeout: Seconds for each mirror; None for as long as it takes.

    Returns:
        The mirrors that have everything now.

    Raises:
        RunDirectoryError: there is no run in this directory.
        NoMirror: the run has no mirror, and `to` does not name one.
        PasswordNeeded: a mirror was given with a password, which is not kept.
        MirrorStateDamaged: the note of a mirror cannot be read.
        InvalidTarget: `to` is no mirror.
        MissingExtra: a mirror's library is not installed.
        MissingDriver: a database's own driver is not installed.
        DatabaseUnusable: a mirror's sqlite file cannot be opened, or made.
        SyncIncomplete: something did not arrive; what did need not be sent again.
    """
    directory = Path(directory).absolute()
    if not attempt_paths(directory):
        raise RunDirectoryError(
            directory, "there is no run in it", "Name the directory of one run, not of several"
        )
    mirrors = _mirrors(directory, to)
    remainders = []
    for mirror in mirrors:
        sender = Sender(directory, mirror)
        sender.start()
        remainder = sender.close(timeout)
        if remainder is not None:
            remainders.append(remainder)
    if remainders:
        raise SyncIncomplete("\n".join(remainders))
    return [mirror.uri for mirror in mirrors]
