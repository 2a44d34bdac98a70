"""One pass over a loader that knows its last batch while it hands it out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeAlias, TypeVar

from treadle_units.errors import EmptyEpoch, WrongLength
from treadle_units.vocabulary import spell

Batch = TypeVar("Batch")

Waiting: TypeAlias = tuple[Iterator[Any], Any]
"""A one-shot iterator, and the batch drawn ahead from it."""


class Pass(Generic[Batch]):
    """Draws batches one by one, and one ahead where nothing else tells which is the last.

    Args:
        loader: Where the batches come from.
        length: How many there are, if that is to be relied on.
        ahead: Whether to find the last one by drawing ahead.
        waiting: What an earlier pass returned when it was closed.

    Attributes:
        batch: The batch drawn last.
        one_shot: Whether the loader is an iterator, which cannot be passed over again.
    """

    __slots__ = (
        "_ahead",
        "_drawn",
        "_failure",
        "_iterator",
        "_length",
        "_waiting",
        "batch",
        "one_shot",
    )

    batch: Batch

    def __init__(
        self,
        loader: Iterable[Batch],
        *,
        length: int | None,
        ahead: bool,
        waiting: Waiting | None = None,
    ) -> None:
        self._iterator: Iterator[Batch] = iter(loader)
        self.one_shot = self._iterator is loader
        self._length = length
        self._ahead = ahead
        self._drawn = 0
        self._failure: Exception | None = None
        self._waiting: tuple[Batch, ...] = ()
        if waiting is not None and waiting[0] is self._iterator:
            self._waiting = (waiting[1],)

    def draw(self) -> bool:
        """Make the next batch `batch`; `False` where there is none.

        Raises:
            WrongLength: The loader announced more batches, or fewer.
        """
        if self._failure is not None:
            raise self._failure
        if self._waiting:
            (self.batch,) = self._waiting
            self._waiting = ()
        else:
            try:
                self.batch = next(self._iterator)
            except StopIteration:
                if self._length is not None and self._drawn < self._length:
                    raise self._wrong_length(f"ended after {self._drawn}") from None
                return False
        self._drawn += 1
        if self._length is not None and self._drawn > self._length:
            raise self._wrong_length("yielded one more")
        return True

    def is_last(self) -> bool:
        """Whether the batch just drawn ends the pass; `False` also where that is not known."""
        if self._length is not None:
            return self._drawn == self._length
        if not self._ahead:
            return False
        if not self._waiting:
            try:
                self._waiting = (next(self._iterator),)
            except StopIteration:
                return True
            except Exception as failure:  # noqa: BLE001  # raised again when its turn comes
                # The batch at hand is good and still has to be used.
                self._failure = failure
        return False

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
            f"the loader announced {self._length} batches and {seen}; "
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
