"""SIGTERM as an exception, so that a run that a scheduler stops is unwound, and ends, like any other."""

import os
import signal
import threading
from types import FrameType

__all__ = ["Terminated", "Termination"]


class Terminated(SystemExit):
    """SIGTERM arrived. Left alone it ends the process with the exit code that a shell gives for it, 143."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


class Termination:
    """Raises `Terminated` in the main thread at the first SIGTERM, while installed.

    Installed only from the main thread, which alone may, and only where SIGTERM had its default: a handler of
    somebody else's knows better.
    """

    __slots__ = ("_installed", "_process", "_received")

    def __init__(self) -> None:
        self._process = os.getpid()
        self._received = False
        self._installed = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        )
        if self._installed:
            signal.signal(signal.SIGTERM, self._receive)

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            # A forked worker inherits this handler and is none of the run's: it dies as it would have.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
            return
        if not self._received:  # a scheduler that repeats itself must not break off the unwinding
            self._received = True
            raise Terminated

    def restore(self) -> None:
        """Give SIGTERM back its default, unless somebody has replaced this handler, or another thread asks."""
        if (
            self._installed
            and threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTERM) == self._receive
        ):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._installed = False
