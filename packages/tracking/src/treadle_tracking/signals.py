"""SIGTERM as an exception, so that a run that a scheduler stops is unwound, and ends, like any other."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from time import monotonic
from types import FrameType
from weakref import ref

__all__ = ["Terminated", "Termination", "deferred_termination"]

_LONGEST_UNWINDING = 60.0  # seconds


class Terminated(SystemExit):
    """SIGTERM arrived. Left alone it ends the process with the exit code that a shell gives for it, 143."""

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)


class _Handler:
    """Raises `Terminated` in the main thread at SIGTERM; one serves all the runs that are open."""

    __slots__ = ("deferrals", "is_due", "process", "raised", "raised_at", "runs")

    def __init__(self) -> None:
        self.process = os.getpid()
        self.deferrals = 0
        self.is_due = False
        self.raised: ref[Terminated] | None = None
        self.raised_at = -inf
        self.runs = 0

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self.process:
            # A forked worker inherits this handler and is none of the run's: it dies as it would have.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
            return
        if self.deferrals:
            self.is_due = True
            return
        # A scheduler that repeats itself must not break off the unwinding. But who catches everything, or a destructor,
        # may have swallowed the first: then nobody has it any more, or somebody keeps it for no use.
        if self._is_unwinding():
            return
        terminated = Terminated()
        self.raised, self.raised_at = ref(terminated), monotonic()
        try:
            raise terminated
        finally:
            del terminated  # this frame is in its traceback, and would keep it

    def _is_unwinding(self) -> bool:
        is_there = self.raised is not None and self.raised() is not None
        return is_there and monotonic() - self.raised_at < _LONGEST_UNWINDING


@contextmanager
def deferred_termination() -> Iterator[None]:
    """Within, SIGTERM waits: who watches for it can bring his work to a place where it may end.

    An open run raises `Terminated` at SIGTERM, wherever the program is. Within this block that is done at its end, unless it
    ends by another exception. Where no run has changed what SIGTERM does, this changes nothing either.

    Raises:
        Terminated: SIGTERM arrived meanwhile.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if not isinstance(handler, _Handler):
        yield
        return
    handler.deferrals += 1
    try:
        yield
    finally:
        handler.deferrals -= 1
        is_due, handler.is_due = handler.is_due, handler.is_due and handler.deferrals > 0
    if is_due and not handler.deferrals:
        handler(signal.SIGTERM, None)


class Termination:
    """Makes SIGTERM raise `Terminated` until it is restored, for one run.

    Only from the main thread, which alone may install a handler, and only where SIGTERM had its default: a handler of
    somebody else's knows better.
    """

    __slots__ = ("_handler",)

    def __init__(self) -> None:
        self._handler: _Handler | None = None
        if threading.current_thread() is not threading.main_thread():
            return
        handler = signal.getsignal(signal.SIGTERM)
        # The handler of another open run is shared, so that runs may end in any order; that of a process that this one
        # was forked from stands for the default.
        if not (isinstance(handler, _Handler) and handler.process == os.getpid()):
            if handler is not signal.SIG_DFL and not isinstance(handler, _Handler):
                return
            handler = _Handler()
            signal.signal(signal.SIGTERM, handler)
        handler.runs += 1
        self._handler = handler

    @property
    def received(self) -> bool:
        """Whether SIGTERM has just arrived, as where it is what ends the program."""
        handler = self._handler
        return (
            handler is not None
            and handler.raised is not None
            and monotonic() - handler.raised_at < _LONGEST_UNWINDING
        )

    def restore(self) -> None:
        """Give SIGTERM back its default after the last run, unless somebody has replaced the handler.

        In another thread, which may not, the handler stays; the next run shares it.
        """
        handler, self._handler = self._handler, None
        if handler is None:
            return
        handler.runs -= 1
        if (
            handler.runs == 0
            and threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGTERM) is handler
        ):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
