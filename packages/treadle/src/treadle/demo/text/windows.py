"""A text in windows: what a model sees of it, and the characters that come next."""

import random
from collections.abc import Iterator

import torch
from torch import Tensor

from treadle_loop import TensorLoader


def cut(text: Tensor, block: int) -> Tensor:
    """Views of a text `(N,)`, one after the other: `(windows, block + 1)`.

    The last character of a window is the first of the next, so that each is predicted once. What is left at the end
    is in none.
    """
    return text.unfold(0, block + 1, block)


def split(windows: Tensor) -> tuple[Tensor, Tensor]:
    """What is seen `(windows, block)`, and what comes next, of the same shape."""
    return windows[:, :-1], windows[:, 1:]


class WindowLoader:
    """Windows at random places: in every epoch the text is cut elsewhere, and the pieces are shuffled.

    So a pass goes once over the text, but for less than two windows at its ends, and no two passes have the same
    windows. Cut and order are functions of (seed, epoch) alone, which is what lets a training that is continued in the
    middle of a pass go on exactly.

    Args:
        text: `(N,)` int64, on any device; batches are on the same.
        block: The characters of a window; `N` is at least twice as many.
        batch_size: The windows of a batch; the last one of a pass may have fewer.
        seed: Which family of cuts and orders.
    """

    def __init__(self, text: Tensor, *, block: int, batch_size: int, seed: int) -> None:
        self.shuffle = True
        self.seed = seed
        self.batch_size = batch_size
        # As many as there are wherever the first one begins.
        self.data_records = len(text) // block - 1
        self._text = text
        self._block = block
        self._order = TensorLoader(
            torch.arange(self.data_records, device=text.device),
            batch_size=batch_size,
            shuffle=True,
            seed=seed,
        )
        self._next_epoch = 0

    def __len__(self) -> int:
        """The number of batches in a whole pass."""
        return len(self._order)

    def set_position(self, epoch: int, records: int = 0) -> None:
        """Let the next pass be that of `epoch`, and start after its first `records` windows."""
        self._next_epoch = epoch
        self._order.set_position(epoch, records)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of the next epoch: what is seen and what comes next, `(B, block)` int64 each."""
        epoch = self._next_epoch
        self._next_epoch = epoch + 1
        return self._batches(self.start(epoch), iter(self._order))

    def start(self, epoch: int) -> int:
        """Where the first window of an epoch begins: from 0 to before `block`."""
        return random.Random(f"{self.seed} {epoch}").randrange(self._block)  # noqa: S311  # no secret

    def _batches(
        self, start: int, order: Iterator[tuple[Tensor, ...]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        windows = cut(self._text[start:], self._block)
        for (numbers,) in order:
            yield split(windows.index_select(0, numbers))
