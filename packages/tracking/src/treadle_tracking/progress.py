"""How far long work is, on a terminal that can show it: one line, written over itself, and gone at the end."""

import sys
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import Self

from treadle_tracking.terminal import columns, cut, padded, visible

__all__ = ["Progress"]

_PERIOD = 0.5  # seconds
_WIDTH = 79  # characters; a line that wraps could not be written over


class Progress:
    """Shows what `say` returns, twice a second, while it is used as a context manager.

    Nothing is shown where stderr is no terminal.

    Args:
        say: Called from a thread; what it raises of the file system is passed over.
    """

    def __init__(self, say: Callable[[], str]) -> None:
        self._say = say
        self._over = Event()
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        if sys.stderr is not None and sys.stderr.isatty():
            self._thread = Thread(target=self._work, name="progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            self._over.set()
            self._thread.join()

    def _work(self) -> None:
        shown, most = False, _WIDTH
        while not self._over.wait(_PERIOD):
            try:
                line = self._say()
            except OSError:
                continue
            most = min(_WIDTH, (columns(sys.stderr) or _WIDTH + 1) - 1)
            self._write(f"\r{padded(cut(visible(line), most), most)}")
            shown = True
        if shown:
            self._write(f"\r{'':{most}}\r")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
