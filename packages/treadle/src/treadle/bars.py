"""A bar that shows how near a training is to its end: in a terminal, or below the cell of a notebook."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from treadle.errors import MissingExtra

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Bar", "bar_here"]


class Bar(Protocol):
    """A bar, drawn when it is told to, from no thread of its own."""

    def draw(self, description: str, fraction: float) -> None:
        """Show how far it is, from 0 to 1."""

    def hide(self) -> None:
        """Make room for lines."""

    def show(self) -> None:
        """Come back below them."""

    def close(self) -> None:
        """Be drawn no more."""


class _TerminalBar:
    """The last line of a terminal, gone when it is closed."""

    def __init__(self, bar: "Progress") -> None:
        self._bar = bar
        self._task = bar.add_task("", total=1.0)
        self.show()

    def draw(self, description: str, fraction: float) -> None:
        self._bar.update(self._task, completed=fraction, description=description, refresh=True)

    def hide(self) -> None:
        self._bar.stop()

    def show(self) -> None:
        self._bar.start()

    def close(self) -> None:
        self._bar.stop()


class _NotebookBar:
    """One output of a cell, above the lines, that is replaced at each drawing and stays as it was drawn last.

    It needs nothing but what every notebook can do; rich's own live display there needs ipywidgets.
    """

    def __init__(self, bar: "Progress") -> None:
        self._bar = bar
        self._task = bar.add_task("", total=1.0)
        self._output: Any = None

    def draw(self, description: str, fraction: float) -> None:
        self._bar.update(self._task, completed=fraction, description=description)
        if self._output is None:
            # It is there, as this is a notebook; without one, type checkers need not find it.
            display = import_module("IPython.display").display
            self._output = display(self._bar, display_id=True)
        else:
            self._output.update(self._bar)

    def hide(self) -> None:
        """It is in nobody's way."""

    def show(self) -> None:
        """It has never been away."""

    def close(self) -> None:
        """What it shows is how far the training has come."""


def bar_here() -> Bar | None:
    """A bar for where this program's stderr is seen; None where nobody would see it.

    Raises:
        MissingExtra: rich is not installed.
    """
    try:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
    except ImportError:
        raise MissingExtra("progress=True", "progress") from None
    if sys.stderr is None:  # as in a daemon
        return None
    console = Console(stderr=True)
    if not console.is_jupyter and (not console.is_terminal or console.is_dumb_terminal):
        return None
    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    bar = Progress(
        TextColumn("{task.description}"),
        *columns,
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    return _NotebookBar(bar) if console.is_jupyter else _TerminalBar(bar)
