"""Whether a sweep was interrupted, of which Tune does not tell."""

import signal
import socket
from contextlib import suppress
from threading import current_thread, main_thread

__all__ = ["Interruption"]


class Interruption:
    """Whether Ctrl-C came, whoever has taken it.

    Tune takes the first one itself: it ends its trials, and returns from `fit` as if all had been done. So this listens
    beside its handler, where Python says what signals come. A copy elsewhere, as in a trial, hears nothing.
    """

    def __init__(self) -> None:
        self._ends: tuple[socket.socket, socket.socket] | None = None

    def listen(self) -> None:
        """Begin, where this is the main thread, and nobody else listens there."""
        if current_thread() is not main_thread():
            return
        ours, pythons = socket.socketpair()
        ours.setblocking(False)
        pythons.setblocking(False)
        other = signal.set_wakeup_fd(pythons.fileno(), warn_on_full_buffer=False)
        if other == -1:
            self._ends = ours, pythons
            return
        signal.set_wakeup_fd(other)  # that of an event loop
        ours.close()
        pythons.close()

    def came(self) -> bool:
        """Say whether it came, and listen no more."""
        if self._ends is None:
            return False
        ours, pythons = self._ends
        self._ends = None
        signal.set_wakeup_fd(-1)
        with ours, pythons, suppress(BlockingIOError):
            return signal.SIGINT in ours.recv(2**16)
        return False

    def __reduce__(self) -> tuple[type["Interruption"], tuple[()]]:
        return Interruption, ()
