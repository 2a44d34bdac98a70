"""One pass over a loader, in windows of batches: one window for each optimizer step."""

from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any, Protocol

from treadle_loop.errors import WrongLength
from treadle_loop.records import count_records


class Window(Protocol):
    """The batches of one optimizer step."""

    planned: int
    """How many batches are expected; there are fewer where a pass without a length ends early."""
    last: bool
    """Whether this window ends its pass; certain once `drawn` was called."""

    def count(self, batch: Any, /) -> int:
        """How many records a batch has: of each batch that does not say it itself, in turn."""
        ...

    def draw(self) -> Iterator[Any]:
        """The window's batches, each taken from the loader only when it is asked for."""
        ...

    def drawn(self, batches: int) -> None:
        """Learn that the window is complete: all its batches are computed, and this many they were."""
        ...


class Pass(Window, Protocol):
    """A pass over a loader, which is one window after another."""

    def begin(self) -> bool:
        """Start the next window; False where the pass is over."""
        ...


class GivenWindow:
    """A window whose batches are all there, and that belongs to no pass."""

    __slots__ = ("_batches", "count", "last", "planned")

    def __init__(self, batches: list[Any]) -> None:
        self._batches = batches
        self.count: Callable[[Any], int] = count_records
        self.planned = len(batches)
        self.last = False

    def begin(self) -> bool:
        """It is there, if anything is."""
        return self.planned > 0

    def draw(self) -> Iterator[Any]:
        """The window's batches."""
        return iter(self._batches)

    def drawn(self, batches: int) -> None:
        """There is nothing to learn."""


class SizedPass:
    """A pass over a loader with a length, which says beforehand which window is the last.

    Nothing is drawn ahead, so whatever draws random numbers between two updates changes nothing in
    the order of the draws: they are those of the loop `for batch in loader`. The length is held to
    its word.

    Args:
        batches: what is left of the pass.
        length: how many batches the whole pass has.
        accumulate: how many batches make a window.
        count: how many records a batch has.
        seen: how many batches of the pass came before.
    """

    __slots__ = ("_accumulate", "_iterator", "_length", "_seen", "count", "last", "planned")

    def __init__(
        self,
        batches: Iterator[Any],
        length: int,
        accumulate: int,
        count: Callable[[Any], int],
        *,
        seen: int = 0,
    ) -> None:
        self.count = count
        self._iterator = batches
        self._length = length
        self._accumulate = accumulate
        self._seen = seen
        self.planned = 0
        self.last = False

    def begin(self) -> bool:
        """Start the next window; False where the pass is over.

        Raises:
            WrongLength: the loader has more batches than it promised.
        """
        remaining = self._length - self._seen
        if remaining > 0:
            self.planned = min(self._accumulate, remaining)
            self.last = self.planned == remaining
            return True
        for _ in self._iterator:
            raise too_many(self._seen + 1, self._length)
        return False

    def draw(self) -> Iterator[Any]:
        """The window's batches."""
        return islice(self._iterator, self.planned)

    def drawn(self, batches: int) -> None:
        """Count them.

        Raises:
            WrongLength: the loader has fewer batches than it promised.
        """
        self._seen += batches
        if batches < self.planned:
            raise too_few(self._seen, self._length)


class UnsizedPass:
    """A pass over a loader without a length: one batch is drawn ahead, to know the last window.

    It is drawn when the window's batches have been computed, before the optimizer steps, so that a
    body between two updates finds nothing half done.

    Args:
        batches: what is left of the pass.
        accumulate: how many batches make a window.
        before_drawing: called before each batch that is drawn ahead, to note what it may change.
    """

    __slots__ = ("_ahead", "_before_drawing", "_iterator", "count", "last", "planned")

    def __init__(
        self, batches: Iterator[Any], accumulate: int, before_drawing: Callable[[], None]
    ) -> None:
        self.count: Callable[[Any], int] = count_records
        self._iterator = batches
        self._before_drawing = before_drawing
        self._ahead: list[Any] = []
        self.planned = accumulate
        self._look_ahead()

    def begin(self) -> bool:
        """Start the next window; False where the pass is over."""
        return not self.last

    def draw(self) -> Iterator[Any]:
        """The window's batches, fewer than planned where the loader ends."""
        ahead, self._ahead = self._ahead, []
        return chain(ahead, islice(self._iterator, self.planned - 1))

    def drawn(self, batches: int) -> None:
        """Look ahead, unless the loader has ended within the window."""
        if batches == self.planned:
            self._look_ahead()
        self.last = not self._ahead

    def _look_ahead(self) -> None:
        self._before_drawing()
        self._ahead = list(islice(self._iterator, 1))
        self.last = not self._ahead


def length_of(loader: Any) -> int | None:
    """How many batches a whole pass has, where the loader says so."""
    try:
        length: int = len(loader)
    # An iterable data set's DataLoader has a __len__, which raises the first; others raise the second.
    except (TypeError, NotImplementedError):
        return None
    return length


def too_many(batch: int, length: int) -> WrongLength:
    """The error of a loader that goes on."""
    return WrongLength(f"the loader yielded batch {batch}, but its len is {length}; {_ADVICE}")


def too_few(batches: int, length: int) -> WrongLength:
    """The error of a loader that ended."""
    return WrongLength(
        f"the loader ended after batch {batches}, but its len is {length}; {_ADVICE}"
    )


_ADVICE = "mend its __len__, or leave it out: a loader may have none"
