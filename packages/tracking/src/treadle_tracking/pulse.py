"""The thread beside a run: it says that the process lives, and writes what could not be written at once."""

from collections.abc import Callable
from threading import Event, Thread
from time import monotonic

__all__ = ["Pulse"]


class Pulse:
    """Calls `beat` every so often, and `flush` at most a second after it was nudged.

    Args:
        name: The run's, for whoever lists threads.
        beat: Called every `beat_seconds`.
        flush: Called after a nudge; what it returns says whether it is to be called again in a second.
        beat_seconds: Seconds.
    """

    FLUSH_SECONDS = 1.0

    def __init__(
        self,
        name: str,
        *,
        beat: Callable[[], None],
        flush: Callable[[], bool],
        beat_seconds: float,
    ) -> None:
        self._beat = beat
        self._flush = flush
        self._beat_seconds = beat_seconds
        self._nudged = Event()
        self._closing = Event()
        self._thread = Thread(target=self._work, name=f"run {name}", daemon=True)
        self._thread.start()

    def nudge(self) -> None:
        """Ask for a flush. It takes no lock and calls nothing if that was asked already."""
        if not self._nudged.is_set():
            self._nudged.set()

    def close(self, timeout: float | None = None) -> bool:
        """End the thread, and wait for it: a flush that is under way is finished.

        Args:
            timeout: Seconds to wait at most; None for as long as it takes.

        Returns:
            Whether it has ended.
        """
        self._closing.set()
        self._nudged.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        next_beat = monotonic() + self._beat_seconds
        while True:
            self._nudged.wait(max(0.0, next_beat - monotonic()))
            if self._nudged.is_set() and not self._closing.wait(self.FLUSH_SECONDS):
                self._nudged.clear()
                if self._flush():
                    self._nudged.set()
            if self._closing.is_set():
                return
            if monotonic() >= next_beat:
                self._beat()
                next_beat = monotonic() + self._beat_seconds
