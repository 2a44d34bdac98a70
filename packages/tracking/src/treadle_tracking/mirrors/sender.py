"""The thread that follows a run's log and sends it to one mirror, without the training loop noticing."""

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread

from attrs import evolve

from treadle_tracking.entries import Ended, Entry, Image, Started
from treadle_tracking.errors import CorruptRecord, TrackingError, shortened
from treadle_tracking.log import START, Position, last_entry, read_entries
from treadle_tracking.mirrors.base import Mirror
from treadle_tracking.mirrors.errors import MirrorFailed
from treadle_tracking.mirrors.remainder import (
    When,
    entries_left,
    gone,
    is_gone,
    last_final,
    remainder,
    rewound,
    up_to,
    waiting,
)
from treadle_tracking.mirrors.state import Sent, load_sent, save_sent
from treadle_tracking.notices import say

__all__ = ["Sender", "When"]

# Entries, the first image being the last of them. A thousand metrics cost the interpreter 50 ms on sqlite, and nobody
# should wait longer for it; an image is megabytes.
BATCH = 300
REST = 19  # times its own work, so that the thread takes a twentieth of a core
# Times what it waited for the mirror: a server on the same machine would otherwise take a core that trains.
WAITING_REST = 9
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
        text = shortened(text)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Sender:
    """Sends a run's log to a mirror, in order, from where it was left, again and again until it has arrived.

    How far it is stands in the run directory, and is moved on only after the mirror has acknowledged. While the run is
    alive the thread rests 19 times as long as it worked, and 9 times as long as it waited; `close` lets it go flat out. A mirror that fails is told of
    once, on stderr, and tried again, ever more slowly: nothing is ever raised into the run.

    Args:
        directory: The run directory, in which it is noted that this mirror is wanted.
        mirror: Where to. The sender's thread alone calls its methods.
        when: Whether an entry is sent as soon as it is in the log, or when it is final: with the next `Committed`
            behind it, or with the end of a finished run. What bears no step is final unless something waits before it.

    Raises:
        OSError: the note cannot be written.
    """

    def __init__(self, directory: Path, mirror: Mirror, when: When = "logged") -> None:
        self._directory = directory.absolute()
        self._mirror = mirror
        self._when = when
        self._noting = Lock()
        self._rewinds = 0
        self._woken = Event()
        self._closing = Event()
        self._thread = Thread(target=self._work, name=f"mirror {mirror.uri}", daemon=True)
        self._is_open = False
        self._early_end: Ended | None = None
        self._has_warned = False
        self._failure: str | None = None
        self._sent_at_close: Sent | None = None
        # Before anything is sent: a run that is killed now must be known to `sync`.
        self._sent = load_sent(self._directory, mirror.uri)
        save_sent(self._directory, self._sent)

    @property
    def failure(self) -> str | None:
        """Why the mirror takes nothing at the moment, if that is known."""
        return self._failure

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Say that the log has grown. It takes no lock and calls nothing if that was said already."""
        if not self._woken.is_set():
            self._woken.set()

    def rewind(self, places: Mapping[str, int]) -> None:
        """Say that files of the log were cut: what comes after these places, by file, is to be read anew.

        It waits for no request: what is on its way arrives, and is not taken for what is in the file now.
        """
        with self._noting:
            self._rewinds += 1
            position = rewound(self._sent.position, places)
            if position != self._sent.position:
                self._sent = evolve(self._sent, position=position)
                # Left as it was, the note has a place whose checksum tells that it is there no more.
                with suppress(OSError):
                    save_sent(self._directory, self._sent)
        self.wake()

    def hurry(self) -> None:
        """Say that `close` comes: from now on nothing rests, and the thread ends when everything has arrived."""
        if self._sent_at_close is None:
            self._sent_at_close = self._sent
        self._closing.set()
        self._woken.set()

    def close(self, timeout: float | None) -> str | None:
        """Send what is left, as fast as it goes, then end the thread.

        Args:
            timeout: Seconds to wait for it; None for as long as the mirror still takes something. A mirror that fails
                is tried three times, whatever the timeout.

        Returns:
            None if everything has arrived, else a sentence that says how much has not and how to send it later.
        """
        self.hurry()
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
            say(waiting(self._mirror.uri, left, timeout))
        self._thread.join(timeout - SILENCE)

    def _left(self) -> str | None:
        """How many entries the mirror has not acknowledged and should have; None for none."""
        return entries_left(self._directory, self._sent.position, self._when)

    def _remainder(self) -> str | None:
        if is_gone(self._directory, self._sent.position):
            return gone(self._directory, self._mirror.uri)
        left = self._left()
        if left is None:
            return None
        failure = self._failure
        # A client may try for minutes before it says what is wrong.
        if failure is None and self._thread.is_alive() and self._sent is self._sent_at_close:
            failure = "it has not answered"
        return remainder(self._directory, self._mirror.uri, left, failure)

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
                if is_gone(self._directory, self._sent.position):
                    # The run says so itself; nothing more comes, unless the directory comes back.
                    if closing:
                        break
                    self._let_go()
                    self._closing.wait(LONGEST_PAUSE)
                    continue
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
        began, began_work = time.monotonic(), time.thread_time()
        rewinds = end = None
        while True:
            if rewinds != self._rewinds:
                rewinds = self._rewinds
                if self._when == "committed":
                    # Once for all batches: what is behind it waits for another commit.
                    end = last_final(self._directory, self._sent.position)
            batch = self._batch(end)
            if not batch:
                break
            self._mirror.send([entry for entry, _ in batch])
            self._note(evolve(self._sent, position=batch[-1][1]), rewinds)
            worked = time.thread_time() - began_work
            waited = max(time.monotonic() - began - worked, 0.0)
            self._closing.wait(min(REST * worked + WAITING_REST * waited, LONGEST_REST))
            began, began_work = time.monotonic(), time.thread_time()
        if self._when == "committed":
            self._send_early_end()

    def _batch(self, end: Position | None) -> list[tuple[Entry, Position]]:
        """The next entries, each with the position after it; those before a damaged record come first."""
        batch: list[tuple[Entry, Position]] = []
        try:
            for entry, position in up_to(read_entries(self._directory, self._sent.position), end):
                batch.append((entry, position))
                if len(batch) == BATCH or isinstance(entry, Image):
                    break
        except CorruptRecord:
            if not batch:
                raise
        return batch

    def _send_early_end(self) -> None:
        """Say how the run ended, though what comes before it in the log is not final."""
        last = last_entry(self._directory, self._sent.position)
        if isinstance(last, Ended) and last != self._early_end:
            self._mirror.send([last])
            self._early_end = last

    def _open(self) -> bool:
        """Whether the run has begun, and the mirror knows it."""
        started = self._sent.started
        if started is None:
            entries = (entry for entry, _ in read_entries(self._directory))
            started = next((entry for entry in entries if isinstance(entry, Started)), None)
            if started is None:
                return False
        rewinds = self._rewinds
        self._mirror.open(started, self._directory)
        sent = evolve(self._sent, started=started, identity=self._mirror.identity)
        if sent.identity != self._sent.identity:
            # Another run there than the one that was sent to, and so an empty one.
            sent = evolve(sent, position=START)
        self._note(sent, rewinds)
        self._is_open = True
        return True

    def _note(self, sent: Sent, rewinds: int) -> None:
        """Note how far the mirror is, unless the log was cut since: then what was sent is not what is there."""
        with self._noting:
            if rewinds != self._rewinds:
                sent = evolve(sent, position=self._sent.position)
            self._sent = sent
            with suppress(OSError):  # without the note it is sent again, and changes nothing
                save_sent(self._directory, sent)

    def _warn(self, error: Exception) -> None:
        self._failure = _reason(error)
        if self._has_warned:
            return
        self._has_warned = True
        say(
            f"{self._mirror.uri} does not take the run ({self._failure}); the run goes on in {self._directory}, "
            f"and sending is tried again"
        )
