"""Batches from tensors that are in memory already."""

from collections.abc import Iterator

from torch import Tensor

from treadle_loop.errors import InvalidPosition, InvalidSetting, TensorsDisagree
from treadle_loop.order import shuffled


class TensorLoader:
    """Batches of tensors that are in memory, on any device, cut with one indexing call each.

    What `DataLoader(TensorDataset(*tensors), ...)` does by fetching and collating record by
    record. The batches are on the device of the tensors, so data on a GPU never leaves it.

    Every `iter(loader)` is the next epoch, from 0. With `shuffle`, the order is a function of
    (seed, epoch) alone, so it can be had again, and no random number of your program is used up.
    Without, a batch is a view of the data: copy it before you write into it.

    Args:
        tensors: tensors of shape (records, ...), each with the same number of records.
        batch_size: records in a batch; the last one may be smaller.
        shuffle: whether each epoch has an order of its own.
        seed: which family of orders.
        drop_last: whether a last batch that is smaller is left out.

    Raises:
        InvalidSetting: there is no tensor, one without dimensions or something else, a batch size
            below 1, or a seed that is no `int`.
        TensorsDisagree: the tensors have different leading sizes.
    """

    def __init__(
        self,
        *tensors: Tensor,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        for tensor in tensors:
            if not isinstance(tensor, Tensor):
                raise InvalidSetting(
                    f"TensorLoader was given a {type(tensor).__name__}, and tensors were expected; "
                    "make one with torch.as_tensor(...)",
                )
        if not tensors or any(not tensor.ndim for tensor in tensors):
            raise InvalidSetting(
                f"TensorLoader was given tensors of shapes {[tuple(t.shape) for t in tensors]}, and "
                "at least one was expected, each of shape (records, ...)",
            )
        if type(batch_size) is not int or batch_size < 1:
            raise InvalidSetting(
                f"batch_size is {batch_size!r}, and an int of at least 1 was expected",
            )
        if type(seed) is not int:
            raise InvalidSetting(f"seed is {seed!r}, and an int was expected")
        sizes = [tensor.shape[0] for tensor in tensors]
        if len(set(sizes)) > 1:
            raise TensorsDisagree(
                f"TensorLoader was given tensors with leading sizes {', '.join(map(str, sizes))}, "
                "and one number of records was expected in all; cut them to the same records",
            )
        self.tensors = tensors
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self._records = sizes[0]
        self._next_epoch = 0
        self._next_start = 0

    def __len__(self) -> int:
        """The number of batches in a whole pass, wherever the next one starts."""
        whole, rest = divmod(self._records, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def set_position(self, epoch: int, records: int = 0) -> None:
        """Let the next pass be that of `epoch`, and start after its first `records` records.

        This takes no time, whatever the position. The pass after it is `epoch + 1`, from its
        beginning.

        Raises:
            InvalidPosition: the epoch is negative, there are fewer records, or one is no `int`.
        """
        # Any other number that looks like the epoch would have an order of its own.
        whole = type(epoch) is int and type(records) is int
        if not whole or epoch < 0 or not 0 <= records <= self._records:
            raise InvalidPosition(
                f"the position is epoch {epoch!r} after {records!r} records, and an epoch of at least 0 "
                f"after 0 to {self._records} records was expected; is it that of another data set?",
            )
        self._next_epoch = epoch
        self._next_start = records

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        epoch, start = self._next_epoch, self._next_start
        # At once, so that a pass that is left early is not the next one again.
        self._next_epoch, self._next_start = epoch + 1, 0
        return self._batches(epoch, start)

    def _batches(self, epoch: int, start: int) -> Iterator[tuple[Tensor, ...]]:
        size, stop = self.batch_size, self._records
        if self.drop_last:
            stop -= (stop - start) % size
        if not self.shuffle:
            for first in range(start, stop, size):
                yield tuple(tensor[first : min(first + size, stop)] for tensor in self.tensors)
            return
        if start == stop:
            return
        order = shuffled(self._records, seed=self.seed, epoch=epoch)[start:stop]
        # One permutation a device, moved once a pass.
        orders = {device: order.to(device) for device in {t.device for t in self.tensors}}
        # No more than there is: split() takes 64 bits.
        most = min(size, self._records)
        pieces = [orders[tensor.device].split(most) for tensor in self.tensors]
        for piece in zip(*pieces, strict=True):
            yield tuple(
                tensor.index_select(0, index)
                for tensor, index in zip(self.tensors, piece, strict=True)
            )
