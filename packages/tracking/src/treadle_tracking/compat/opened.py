"""A run that a `SummaryWriter` has open."""

import weakref
from collections.abc import Callable
from pathlib import PurePath
from types import TracebackType
from typing import Any

from treadle_tracking.compat.beginning import Begun
from treadle_tracking.compat.subruns import SubRun
from treadle_tracking.unclosed import uncaught

__all__ = ["Opened"]


class Opened:
    """A run that is open, and what is open with it.

    Args:
        begun: The run.
        writer: Whose it is: when nothing refers to it any more, or the program is over, the run is ended.
    """

    def __init__(self, begun: Begun, writer: object) -> None:
        self.run = begun.run
        self.recorder = begun.recorder
        self.params = begun.params  # None until it is given some
        self.metrics = set(begun.metrics)
        self.subruns: dict[PurePath, SubRun] = {}  # by their place below it
        self.with_it: list[Callable[[], None]] = []  # what is closed with it
        self._ending = weakref.finalize(writer, self._end)

    def log(self, name: str, value: Any, step: int) -> None:
        """Record one metric, now."""
        self.recorder.log({name: value}, step)
        self.metrics.add(name)

    def close(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the run as what `with` has it, and all that is open with it."""
        self._ending.detach()
        if self.run.recording:
            self.recorder.lost += sum(subrun.close() for subrun in self.subruns.values())
        try:
            for close in self.with_it:
                close()
        finally:
            self.run.__exit__(kind, error, traceback)

    def _end(self) -> None:
        error = uncaught()
        self.close(None if error is None else type(error), error, None)
