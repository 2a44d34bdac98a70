"""The thread that follows a run's log and sends it to one mirror, without the training loop noticing."""

import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

from attrs import evolve

from treadle_tracking.entries import Entry, Image, Started
from treadle_tracking.errors import CorruptRecord, TrackingError
from treadle_tracking.log import START, Position, read_entries
from treadle_tracking.mirrors.base import Mirror
from treadle_tracking.mirrors.errors import MirrorFailed
from treadle_tracking.mirrors.state import Sent, load_sent, save_sent
from treadle_tracking.notices import say

__all__ = ["Sender"]

HIDDEN = "***"  # where `masked` has left something out
# Entries, the first image being the last of them. A thousand metrics cost the interpreter 50 ms on sqlite, and nobody
# should wait longer for it; an image is megabytes.
BATCH = 300
REST = 19  # times its own work, so that the thread takes a twentieth of the interpreter's time
LONGEST_REST = 5.0  # seconds
FIRST_PAUSE = 0.5  # seconds after a failure; twice as long after the next
LONGEST_PAUSE = 60.0  # seconds
SILENCE = (
    5.0  # seconds of waiting at the end before it is said; a new MLflow database alone takes three
)
LAST_ATTEMPTS = 3  # failures in a row, once the run is over, after which the rest is left to `sync`


def _reason(error: BaseException) -> str:
    # SQLAlchemy goes on with the statement and all that it was to write.
    text = " ".join(str(error).partition("[SQL:")[0].split())
    # A sentence of ours ends with what to type; another's may be a page.
    if isinstance(error, MirrorFailed) or not isinstance(error, TrackingError):
        text = text[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Sender:
    """Sends a run's log to a mirror, in order, from where it was left, again and again until it has arrived.

    How far it is stands in the run directory, and is moved on only after the mirror has acknowledged. While the run is
    alive the thread rests 19 times as long as it worked; `close` lets it go flat out. A mirror that fails is told of
    once, on stderr, and tried again, ever more slowly: nothing is ever raised into the run.

    Args:
        directory: The run directory, in which it is noted that this mirror is wanted.
        mirror: Where to. The sender's thread alone calls its methods.

    Raises:
        OSError: the note cannot be written.
    """

    def __init__(self, directory: Path, mirror: Mirror) -> None:
        self._directory = directory.absolute()
        self._mirror = mirror
        self._woken = Event()
        self._closing = Event()
        self._thread = Thread(target=self._work, name=f"mirror {mirror.uri}", daemon=True)
        self._is_open = False
        self._has_warned = False
        self._failure: str | None = None
        self._sent_at_close: Sent | None = None
        # Before anything is sent: a run that is killed now must be known to `sync`.
        self._note(load_sent(self._directory, mirror.uri))

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Say that the log has grown. It takes no lock and calls nothing if that was said already."""
        if not self._woken.is_set():
            self._woken.set()

    def close(self, timeout: float | None) -> str | None:
        """Send what is left, as fast as it goes, then end the thread.

        Args:
            timeout: Seconds to wait for it; None for as long as the mirror still takes something. A mirror that fails
                is tried three times, whatever the timeout.

        Returns:
            None if everything has arrived, else a sentence that says how much has not and how to send it later.
        """
        if self._sent_at_close is None:
            self._sent_at_close = self._sent
        self._closing.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._join(timeout)
        return self._remainder()

    def _join(self, timeout: float | None) -> None:
        # Whoever has set no limit has asked for the wait.
        if timeout is None or timeout <= SILENCE:
            self._thread.join(timeout)
            return
        self._thread.join(SILENCE)
        left = self._left() if self._thread.is_alive() else None
        if left is not None:
            say(
                f"waiting up to {timeout:g} s for {self._mirror.uri} to take what is left ({left}); "
                f"Ctrl-C stops waiting, and nothing is lost"
            )
        self._thread.join(timeout - SILENCE)

    def _left(self) -> str | None:
        """How many entries the mirror has not acknowledged; None for none."""
        try:
            left = sum(1 for _ in read_entries(self._directory, self._sent.position))
        except TrackingError:
            return "some entries"
        if left == 0:
            return None
        return "1 entry" if left == 1 else f"{left} entries"

    def _remainder(self) -> str | None:
        left = self._left()
        if left is None:
            return None
        failure = self._failure
        # A client may try for minutes before it says what is wrong.
        if failure is None and self._thread.is_alive() and self._sent is self._sent_at_close:
            failure = "it has not answered"
        why = f" ({failure})" if failure else ""
        call = f"treadle_tracking.sync({str(self._directory)!r})"
        if HIDDEN in self._mirror.uri:
            whole = self._mirror.uri.replace(HIDDEN, "USER:PASSWORD")
            call = f"treadle_tracking.sync({str(self._directory)!r}, to={whole!r})"
        number = left[0].upper() + left[1:]
        return f"{number} of this run did not reach {self._mirror.uri} in time{why}; send the rest with: {call}"

    def _work(self) -> None:
        pause = FIRST_PAUSE
        attempts_left = LAST_ATTEMPTS
        while True:
            # In this order: what is said after the flag was cleared is heard below, and what was appended before
            # `close` is in the log that is read then.
            self._woken.clear()
            closing = self._closing.is_set()
            try:
                self._deliver()
            except Exception as error:  # noqa: BLE001  # whatever it is, it must not reach the run
                self._warn(error)
                self._let_go()
                if closing:
                    attempts_left -= 1
                    if attempts_left == 0:
                        return
                    time.sleep(FIRST_PAUSE)
                else:
                    self._closing.wait(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            self._failure = None
            if closing:
                break
            self._woken.wait()
        self._let_go()

    def _let_go(self) -> None:
        """Close the mirror: the next delivery looks for the run anew, since what was there may be gone."""
        self._is_open = False
        with suppress(Exception):  # everything has been acknowledged or is to be sent again
            self._mirror.close()

    def _deliver(self) -> None:
        """Send everything that is in the log by now."""
        if not self._is_open and not self._open():
            return
        began = time.thread_time()
        while batch := self._batch():
            self._mirror.send([entry for entry, _ in batch])
            self._note(evolve(self._sent, position=batch[-1][1]))
            self._closing.wait(min(REST * (time.thread_time() - began), LONGEST_REST))
            began = time.thread_time()

    def _batch(self) -> list[tuple[Entry, Position]]:
        """The next entries, each with the position after it; those before a damaged record come first."""
        batch: list[tuple[Entry, Position]] = []
        try:
            for entry, position in read_entries(self._directory, self._sent.position):
                batch.append((entry, position))
                if len(batch) == BATCH or isinstance(entry, Image):
                    break
        except CorruptRecord:
            if not batch:
                raise
        return batch

    def _open(self) -> bool:
        """Whether the run has begun, and the mirror knows it."""
        started = self._sent.started
        if started is None:
            entries = (entry for entry, _ in read_entries(self._directory))
            started = next((entry for entry in entries if isinstance(entry, Started)), None)
            if started is None:
                return False
        self._mirror.open(started, self._directory)
        sent = evolve(self._sent, started=started, identity=self._mirror.identity)
        if sent.identity != self._sent.identity:
            # Another run there than the one that was sent to, and so an empty one.
            sent = evolve(sent, position=START)
        self._note(sent)
        self._is_open = True
        return True

    def _note(self, sent: Sent) -> None:
        save_sent(self._directory, sent)
        self._sent = sent

    def _warn(self, error: Exception) -> None:
        self._failure = _reason(error)
        if self._has_warned:
            return
        self._has_warned = True
        say(
            f"{self._mirror.uri} does not take the run ({self._failure}); the run goes on in {self._directory}, "
            f"and sending is tried again"
        )
