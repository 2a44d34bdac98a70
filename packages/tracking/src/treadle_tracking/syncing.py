"""Sending what a run's mirrors have not got yet, from any process, also long after the run's own is gone."""

from collections.abc import Sequence
from pathlib import Path

from treadle_tracking.backends import mirror as make_mirror
from treadle_tracking.entries import Entry, Started
from treadle_tracking.errors import InvalidTarget, RunDirectoryError, TrackingError
from treadle_tracking.log import attempt_paths
from treadle_tracking.masking import HIDDEN
from treadle_tracking.mirrors.abilities import Replaces
from treadle_tracking.mirrors.base import Mirror
from treadle_tracking.mirrors.errors import (
    NoMirror,
    NotReplaceable,
    PasswordNeeded,
    SyncIncomplete,
)
from treadle_tracking.mirrors.sender import Sender
from treadle_tracking.mirrors.state import load_every
from treadle_tracking.target import parse_targets

__all__ = ["checked_mirrors", "sync"]


def checked_mirrors(to: str) -> tuple[str, ...]:
    """The mirrors that a target names.

    Raises:
        InvalidTarget: it names none.
    """
    uris = parse_targets(to).mirrors
    if not uris:
        raise InvalidTarget(f"{to!r} is where runs are kept. Name a mirror, as in 'mlflow:URI'")
    return uris


class _Anew:
    """A mirror of which the first opening makes a new run in place of the one that is there."""

    def __init__(self, mirror: Mirror) -> None:
        if not isinstance(mirror, Replaces):
            raise NotReplaceable(mirror.uri)
        self._mirror = mirror
        self._replace = mirror.replace
        self._is_replaced = False
        self.uri = mirror.uri
        self.identity = mirror.identity

    def open(self, started: Started, directory: Path) -> None:
        """As `Mirror` says."""
        if self._is_replaced:
            self._mirror.open(started, directory)
        else:
            self._replace(started, directory)
            self._is_replaced = True
        self.identity = self._mirror.identity

    def send(self, entries: Sequence[Entry]) -> None:
        """As `Mirror` says."""
        self._mirror.send(entries)

    def close(self) -> None:
        """As `Mirror` says."""
        self._mirror.close()


def sync(
    directory: str | Path,
    *,
    to: str | None = None,
    timeout: float | None = None,
    rebuild: bool = False,
) -> list[str]:
    """Send one run to its mirrors: what they have already is not sent again, and would change nothing if it were.

    It works for a run whose process was killed, and for one that is still being written: then it sends what is there.
    What a run with `mirror_when="committed"` holds back is sent, too.

    Args:
        directory: The run directory.
        to: A mirror, such as `mlflow:sqlite:///mlflow.db`; it becomes one of the run's own. None is every mirror that
            the run has had so far.
        timeout: Seconds for each mirror; None for as long as it takes.
        rebuild: Whether the run at the mirror is deleted and made anew from the directory. That is the way to be rid
            of points that an abandoned attempt has left in MLflow's charts, and of a run that was deleted there. What
            somebody has added there by hand goes with the old run, which MLflow can bring back.

    Returns:
        The mirrors that have everything now.

    Raises:
        RunDirectoryError: there is no run in this directory.
        NoMirror: the run has no mirror, and `to` does not name one.
        PasswordNeeded: its mirror was given with a password, which is not kept.
        MirrorStateDamaged: the note of a mirror cannot be read.
        InvalidTarget: `to` is no mirror.
        NotReplaceable: a mirror cannot make a run anew.
        MissingExtra: its mirror's library is not installed.
        MissingDriver: a database's own driver is not installed.
        DatabaseUnusable: its mirror's sqlite file cannot be opened, or made.
        SyncIncomplete: something did not arrive; what did need not be sent again. Of several mirrors, each that can
            be reached has everything first.
        OSError: the directory cannot be written to.
    """
    directory = Path(directory).absolute()
    if not attempt_paths(directory):
        raise RunDirectoryError(
            directory, "there is no run in it", "Name the directory of one run, not of several"
        )
    uris = [sent.uri for sent in load_every(directory)] if to is None else list(checked_mirrors(to))
    if not uris:
        raise NoMirror(directory)
    done: list[str] = []
    failures: list[TrackingError] = []
    for uri in uris:
        try:
            done.append(_sent(directory, uri, timeout, rebuild=rebuild))
        except TrackingError as error:
            if len(uris) == 1:
                raise
            failures.append(error)
    if failures:
        raise SyncIncomplete("\n".join(map(str, failures)))
    return done


def _sent(directory: Path, uri: str, timeout: float | None, *, rebuild: bool) -> str:
    """Send everything to one mirror, and say which."""
    if HIDDEN in uri:
        raise PasswordNeeded(uri, directory)
    mirror = make_mirror(uri)
    sender = Sender(directory, _Anew(mirror) if rebuild else mirror)
    sender.start()
    remainder = sender.close(timeout)
    if remainder is not None:
        raise SyncIncomplete(remainder)
    return mirror.uri
