"""Batches from tensors that are already in memory."""

from collections.abc import Iterator

import torch
from torch import Tensor

from treadle_loop.errors import InvalidSetting, TensorsDisagree
from treadle_loop.order import Share, check_flags, check_position, shuffled


class TensorLoader:
    """Batches of tensors that are in memory, on any device, cut with one indexing call each.

    It does what `DataLoader(TensorDataset(*tensors), ...)` does by fetching and collating record by
    record. The batches are on the device of the tensors, so data on a GPU never leaves it.

    Every `iter(loader)` is the next epoch, from 0. With `shuffle`, the order is a function of
    (seed, epoch) alone, so it can be reproduced, and it uses up no random number of your program.
    Without it, on one rank, a batch is a view of the data: copy it before you write to it.

    With several ranks, give each the same tensors; the order is dealt out record by record, as by
    `EpochSampler`.

    Args:
        tensors: tensors of shape (records, ...), each with the same number of records.
        batch_size: records in a batch; the last one may be smaller.
        shuffle: whether each epoch has an order of its own.
        seed: which family of orders.
        drop_last: whether a smaller last batch is left out, on all ranks alike.
        rank: whose records these are; by default this process's in `torch.distributed`, if that is
            initialised when the loader is made, and otherwise 0.
        world_size: how many ranks share the records; given with `rank` or not at all.

    Raises:
        InvalidSetting: there is no tensor, one has no dimensions or is something else, the batch
            size is below 1, or the seed is not an `int`.
        TensorsDisagree: the tensors have different leading sizes.
    """

    def __init__(
        self,
        *tensors: Tensor,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        rank: int | None = None,
        world_size: int | None = None,
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
        check_flags("TensorLoader", shuffle=shuffle, drop_last=drop_last)
        if type(seed) is not int:
            raise InvalidSetting(f"seed is {seed!r}, and an int was expected")
        sizes = [tensor.shape[0] for tensor in tensors]
        if len(set(sizes)) > 1:
            raise TensorsDisagree(
                f"TensorLoader was given tensors with leading sizes {', '.join(map(str, sizes))}, "
                "and the same size was expected for all; cut them to the same records",
            )
        self.tensors = tensors
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self.data_records = sizes[0]
        self._share = Share("TensorLoader", rank, world_size)
        self.rank, self.world_size = self._share.rank, self._share.world_size
        self._next_epoch = 0
        self._next_start = 0

    def __len__(self) -> int:
        """The number of batches in a whole pass, wherever the next one starts."""
        whole, rest = divmod(len(self._places(0)), self.batch_size)
        return whole + (rest > 0)

    def set_position(self, epoch: int, records: int = 0) -> None:
        """Make the next pass that of `epoch`, and start it after its first `records` records.

        These are the records that all ranks together have used. This takes no time, whatever the
        position. The pass after it is `epoch + 1`, from its beginning.

        Raises:
            InvalidPosition: the epoch is negative, there are fewer records, or one is not an `int`.
        """
        check_position(epoch, records, count=self.data_records)
        self._next_epoch = epoch
        self._next_start = records

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """The batches of the next epoch.

        Raises:
            RanksDisagree: at the first batch; `torch.distributed` was initialised after the loader
                was made.
        """
        epoch, start = self._next_epoch, self._next_start
        # At once, so that a pass that is left early is not the next one again.
        self._next_epoch, self._next_start = epoch + 1, 0
        return self._batches(epoch, start)

    def _batches(self, epoch: int, start: int) -> Iterator[tuple[Tensor, ...]]:
        self._share.check()
        size, places = self.batch_size, self._places(start)
        if not self.shuffle and self.world_size == 1:
            for first in range(start, places.stop, size):
                yield tuple(
                    tensor[first : min(first + size, places.stop)] for tensor in self.tensors
                )
            return
        if not places:
            return
        if self.shuffle:
            order = shuffled(self.data_records, seed=self.seed, epoch=epoch)
            order = order[places.start : places.stop : places.step]
        else:
            order = torch.arange(places.start, places.stop, places.step, device="cpu")
        # One permutation a device, moved once a pass.
        orders = {device: order.to(device) for device in {t.device for t in self.tensors}}
        # No more than there is: split() takes 64 bits.
        most = min(size, self.data_records)
        pieces = [orders[tensor.device].split(most) for tensor in self.tensors]
        for piece in zip(*pieces, strict=True):
            yield tuple(
                tensor.index_select(0, index)
                for tensor, index in zip(self.tensors, piece, strict=True)
            )

    def _places(self, start: int) -> range:
        """The places of this rank in the order, in a pass from place `start` on."""
        stop = self.data_records
        if self.drop_last:
            stop -= (stop - start) % (self.batch_size * self.world_size)
        return self._share.places(start, stop)
