"""Sending what a run's mirrors still lack, from any process, even long after the run's own is gone."""

import os
from collections.abc import Sequence
from pathlib import Path
from threading import TIMEOUT_MAX

from treadle_tracking.backends import mirror as make_mirror
from treadle_tracking.entries import Entry, Started
from treadle_tracking.errors import (
    CorruptRecord,
    InvalidTarget,
    InvalidTimeout,
    RunDirectoryError,
    TrackingError,
    seen,
)
from treadle_tracking.log import attempt_paths, read_entries
from treadle_tracking.masking import HIDDEN
from treadle_tracking.mirrors.abilities import Replaces
from treadle_tracking.mirrors.base import Mirror
from treadle_tracking.mirrors.errors import (
    NoMirror,
    NotReplaceable,
    PasswordNeeded,
    StillWritten,
    SyncIncomplete,
)
from treadle_tracking.mirrors.sender import Sender
from treadle_tracking.mirrors.state import forget_sent, load_every, load_sent
from treadle_tracking.ownership import is_alive, writer_of
from treadle_tracking.shell import sync_command
from treadle_tracking.target import is_target, names_of_mirror, parse_targets

__all__ = ["RunEmpty", "check_timeout", "checked_directory", "checked_mirrors", "forget", "sync"]


class RunEmpty(RunDirectoryError):
    """A log without an entry: its process ended while the run began, or it was never one."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            directory, "there is no run in it, only a log without an entry", "Delete it if you like"
        )


def checked_mirrors(to: str) -> tuple[str, ...]:
    """The mirrors that a target names.

    Raises:
        InvalidTarget: it names none.
    """
    if not isinstance(to, str):
        raise InvalidTarget(f"to is {seen(to)}; expected a mirror, as in 'mlflow:URI'")
    if ":" not in to and not is_target(to):
        raise InvalidTarget(
            f"{to!r} is no mirror. Name one, as in 'mlflow:sqlite:///mlflow.db' or 'mlflow:http://HOST:5000'"
        )
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
    """Send one run to its mirrors: what they already have is not sent again, and would change nothing if it were.

    It works for a run whose process was killed, and for one that is still being written: then it sends what is there.
    What a run with `mirror_when="committed"` holds back is sent, too.

    Args:
        directory: The run directory.
        to: A mirror, such as `mlflow:sqlite:///mlflow.db`; once reached, it is one of the run's own. None means every
            mirror that the run has had so far.
        timeout: Seconds for each mirror; None for as long as it takes.
        rebuild: Whether the run at the mirror is deleted and made anew from the directory. That gets rid of points that
            an abandoned attempt has left in MLflow's charts, and replaces a run that was deleted there. What somebody
            has added there by hand goes with the old run, which MLflow can restore.

    Returns:
        The mirrors that have everything now.

    Raises:
        RunDirectoryError: there is no run in this directory.
        InvalidTimeout: `timeout` is not a time.
        StillWritten: with `rebuild`, a process is writing the run.
        NoMirror: the run has no mirror, and `to` does not name one.
        PasswordNeeded: its mirror was given with a password, which is not kept.
        MirrorStateDamaged: the note of a mirror cannot be read.
        InvalidTarget: `to` is not a mirror, or `directory` not a path.
        NotReplaceable: a mirror cannot make a run anew.
        MissingExtra: its mirror's library is not installed.
        MissingDriver: a database's own driver is not installed.
        DatabaseUnusable: its mirror's sqlite file cannot be opened, or created.
        SyncIncomplete: something did not arrive; what did need not be sent again. With several mirrors, each that can
            be reached gets everything first.
        OSError: the directory cannot be written to.
    """
    check_timeout(timeout)
    directory = checked_directory(directory)
    if not attempt_paths(directory):
        raise RunDirectoryError(
            directory, "there is no run in it", "Name the directory of one run, not of several"
        )
    if not _has_begun(directory):
        raise RunEmpty(directory)
    if rebuild:
        _check_unwritten(directory, "it is made anew at a mirror")
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


def check_timeout(timeout: object) -> None:
    """See that it is a time to wait, in seconds, or None.

    Raises:
        InvalidTimeout: it is not.
    """
    if timeout is not None and not _is_time(timeout):
        raise InvalidTimeout(timeout)


def _is_time(timeout: object) -> bool:
    # Written so that NaN is none.
    return (
        isinstance(timeout, int | float)
        and not isinstance(timeout, bool)
        and 0 <= timeout <= TIMEOUT_MAX
    )


def checked_directory(directory: object) -> Path:
    """A run's directory as it was named, absolute.

    Raises:
        InvalidTarget: it is not a path.
    """
    text = os.fspath(directory) if isinstance(directory, os.PathLike) else directory
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidTarget(
            f"directory is {seen(directory)}, which names nothing; expected the path of a run's directory"
        )
    return Path(text).absolute()


def _has_begun(directory: Path) -> bool:
    try:
        return next(read_entries(directory), None) is not None
    except CorruptRecord:  # something was there; who sends it says what is wrong
        return True


def _check_unwritten(directory: Path, what: str) -> None:
    writer = writer_of(directory)
    if writer is not None and is_alive(directory):
        raise StillWritten(directory, what, writer.pid, writer.host)


class _Quiet(Sender):
    """A sender for somebody who waits: what is wrong is in the sentence at the end, and no run goes on meanwhile."""

    def __init__(self, directory: Path, mirror: Mirror) -> None:
        super().__init__(directory, mirror)
        self._has_warned = True


def _sent(directory: Path, uri: str, timeout: float | None, *, rebuild: bool) -> str:
    """Send everything to one mirror, and say which."""
    if HIDDEN in uri:
        raise PasswordNeeded(uri, directory)
    mirror = make_mirror(uri)
    was_known = any(sent.uri == mirror.uri for sent in load_every(directory))
    sender = _Quiet(directory, _Anew(mirror) if rebuild else mirror)
    sender.start()
    remainder = sender.close(timeout)
    # Without a limit, what is left then and not refused was recorded meanwhile.
    if remainder is not None and (timeout is not None or sender.failure is not None):
        if not was_known and load_sent(directory, mirror.uri).identity is None:
            # It was never reached: who has mistyped it shall not be reminded of it for ever.
            forget_sent(directory, mirror.uri)
            plain = sync_command(directory)
            remainder = remainder.removesuffix(plain) + sync_command(directory, to=mirror.uri)
        raise SyncIncomplete(remainder)
    return mirror.uri


def forget(directory: Path, uri: str) -> bool:
    """Remove a mirror from a run, if it has it; what is at the mirror stays there.

    Args:
        directory: The run directory.
        uri: The mirror, as messages show it or as it was given.

    Returns:
        Whether it was one of the run's mirrors.

    Raises:
        MirrorStateDamaged: the note of a mirror cannot be read.
        StillWritten: a process is writing the run, and would note the mirror again.
        OSError: the note cannot be removed.
    """
    names = names_of_mirror(uri)
    found = [sent.uri for sent in load_every(directory) if sent.uri in names]
    if found:
        _check_unwritten(directory, "its mirrors are forgotten")
    for one in found:
        forget_sent(directory, one)
    return bool(found)
