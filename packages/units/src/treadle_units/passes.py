"""One pass over a loader that knows its last batch while it hands it out."""

from __future__ import annotations

from treadle_units.errors import EmptyEpoch, WrongLength
from treadle_units.vocabulary import spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, TypeAlias

    # A one-shot iterator, and the batch drawn ahead from it.
    Waiting: TypeAlias = tuple[Iterator[Any], Any]


class Pass:
    """Draws batches one by one, and one ahead where nothing else tells which is the last.

    Args:
        loader: Where the batches come from.
        length: How many there are, if that is to be relied on.
        ahead: Whether to find the last one by drawing ahead.
        waiting: What an earlier pass returned when it was closed.

    Attributes:
        source: Draw the batches from here; the loader's own iterator where its length is enough.
        length: As given.
        one_shot: Whether the loader is an iterator, which cannot be passed over again.
    """

    __slots__ = ("_ahead", "_failure", "_iterator", "_waiting", "length", "one_shot", "source")

    def __init__(
        self,
        loader: Iterable[Any],
        *,
        length: int | None,
        ahead: bool,
        waiting: Waiting | None = None,
    ) -> None:
        self._iterator = iter(loader)
        self.one_shot = self._iterator is loader
        self.length = length
        self._ahead = ahead
        self._failure: Exception | None = None
        self._waiting: tuple[Any, ...] = ()
        if waiting is not None and waiting[0] is self._iterator:
            self._waiting = (waiting[1],)
        own = length is not None and not self._waiting
        self.source: Iterator[Any] = self._iterator if own else self

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._failure is not None:
            raise self._failure
        if self._waiting:
            (batch,) = self._waiting
            self._waiting = ()
            return batch
        return next(self._iterator)

    def check_drawn(self, drawn: int) -> None:
        """Look whether the batch drawn last, so many of the pass, was announced.

        Raises:
            WrongLength: It is one more.
        """
        if self.length is not None and drawn > self.length:
            raise self._wrong_length("yielded one more")

    def is_last(self, drawn: int) -> bool:
        """Whether the batch drawn last, so many of the pass, ends it; `False` if not known."""
        if self.length is not None:
            return drawn == self.length
        if not self._ahead:
            return False
        if not self._waiting and self._failure is None:
            try:
                self._waiting = (next(self._iterator),)
            except StopIteration:
                return True
            except Exception as failure:  # noqa: BLE001  # raised again when its turn comes
                # The batch at hand is good and still has to be used.
                self._failure = failure
        return False

    def check_end(self, drawn: int) -> None:
        """Look whether a pass that has ended had the batches that were announced.

        Raises:
            WrongLength: It had fewer.
        """
        if self.length is not None and drawn < self.length:
            raise self._wrong_length(f"ended after {drawn}")

    def close(self) -> Waiting | None:
        """Close the iterator, so that worker processes of a loader end now.

        A one-shot iterator is the caller's and stays open.

        Returns:
            What was drawn ahead from a one-shot iterator and not used; the next pass wants it.
        """
        if self.one_shot:
            return (self._iterator, self._waiting[0]) if self._waiting else None
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()
        return None

    def _wrong_length(self, seen: str) -> WrongLength:
        return WrongLength(
            f"the loader announced {self.length} batches and {seen}; "
            "mend its __len__, or give lookahead=True to find the last batch by reading one ahead"
        )


def length_of(loader: Iterable[object]) -> int | None:
    """How many batches a loader says it has, `None` where it does not say."""
    try:
        return len(loader)  # type: ignore[arg-type]  # that is the question
    except (TypeError, NotImplementedError):
        return None


def empty_loader(loader: object) -> EmptyEpoch:
    """The error for a loader of length 0, with what a `DataLoader` tells of why it is."""
    try:
        records = len(loader.dataset)  # type: ignore[attr-defined]
        batch_size, drop_last = loader.batch_size, loader.drop_last  # type: ignore[attr-defined]
    except (AttributeError, TypeError):
        return EmptyEpoch("the loader has 0 batches; give it more data")
    return EmptyEpoch(
        f"the loader has 0 batches: its dataset has {spell(records, 'records')}, with "
        f"batch_size={batch_size} and drop_last={drop_last}; "
        "give it more data, a smaller batch_size, or drop_last=False"
    )
