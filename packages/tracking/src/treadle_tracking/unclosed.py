"""What becomes of a run that nobody closes: let go of when nothing refers to it, ended when the program is over."""

import _thread
import atexit
import os
import sys
import weakref
from collections.abc import Sequence
from threading import current_thread
from typing import TYPE_CHECKING

from treadle_tracking.mirrors.base import Follower
from treadle_tracking.notices import say
from treadle_tracking.recorder import Recorder
from treadle_tracking.signals import Terminated, Termination

if TYPE_CHECKING:
    from treadle_tracking.run import Run

__all__ = ["Unclosed", "uncaught"]


def uncaught() -> BaseException | None:
    """The exception that has ended the program; None for none. To be asked when the program is over.

    `sys.exit` leaves no trace of itself. A prompt keeps an exception that has ended nothing.
    """
    return None if hasattr(sys, "ps1") else getattr(sys, "last_value", None)


class Unclosed:
    """Sees to a run until it is closed, without keeping it alive.

    When nothing refers to the run any more, what it has recorded is written, its directory is free, and it has no end:
    `start_run(…, resume="auto")` goes on with it. A run that is still there when the program is over is ended then.
    """

    __slots__ = ("_collecting", "_process", "_recorder", "_run", "_senders", "_termination")

    def __init__(
        self,
        run: "Run",
        recorder: Recorder,
        senders: Sequence[Follower],
        termination: Termination | None,
    ) -> None:
        self._run = weakref.ref(run)
        self._recorder = recorder
        self._senders = senders
        self._termination = termination
        self._process = os.getpid()
        self._collecting = weakref.finalize(run, self._collected)
        self._collecting.atexit = False
        atexit.register(self._over)

    def detach(self) -> None:
        """Leave the run alone: it is being closed."""
        self._collecting.detach()
        atexit.unregister(self._over)

    def _collected(self) -> None:
        atexit.unregister(self._over)
        if os.getpid() != self._process:
            return
        # The garbage is collected by any thread, at any moment: by the run's own, say, with a lock in its hand that is
        # wanted here. Those are daemons.
        if current_thread().daemon:
            _thread.start_new_thread(self._let_go, ())
        else:
            self._let_go()

    def _let_go(self) -> None:
        try:
            self._recorder.let_go()
        finally:
            for sender in self._senders:
                sender.close(0)
            if self._termination is not None:
                self._termination.restore()
        if self._recorder.is_gone:
            return
        say(
            f"nothing refers to the run in {self._recorder.directory} any more, and it was not closed: it has no end, "
            f"and can be resumed. Keep it in a variable, or use `with`"
        )

    def _over(self) -> None:
        run = self._run()
        if run is None or os.getpid() != self._process:
            return
        error = uncaught()
        if self._termination is not None and self._termination.received:
            error = Terminated()
        run.__exit__(None if error is None else type(error), error, None)
