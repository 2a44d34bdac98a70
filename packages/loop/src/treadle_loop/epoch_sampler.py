"""The order of a `DataLoader`'s records: a function of (seed, epoch), from any position."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from torch.utils.data import DataLoader, Sampler

from treadle_loop.errors import InvalidSetting
from treadle_loop.order import Share, check_flags, check_position, shuffled
from treadle_loop.seeded import seeded_within

# Indices that are Python objects at a time, in place of 36 bytes for every record.
_PIECE = 65536


class EpochSampler(Sampler[int]):
    """The records of a data set in an order of their own for each epoch, for `DataLoader`.

    `DataLoader(dataset, batch_size=32, sampler=EpochSampler(dataset))` shuffles. Every
    `iter(sampler)` is the next epoch, from 0. The order is a function of (seed, epoch) alone, so it
    can be reproduced, from any record on, and it uses up no random number of your program. With
    several ranks, the order is dealt out record by record, without padding: each record is in
    exactly one rank's share.

    If `dataset` is a `seeded` one, or a `Subset`, `ConcatDataset` or `StackDataset` of such, it is
    told the epoch at each `iter(sampler)`.

    Args:
        dataset: a data set with a length, or a number of records. The length is read here, once.
        shuffle: whether each epoch has an order of its own.
        seed: which family of orders.
        drop_last: whether the last records that do not go round, fewer than there are ranks, are
            left out, so that all ranks have equally many. Otherwise the first ranks have one more,
            as an exact evaluation needs.
        rank: whose records these are, from 0. By default this process's in `torch.distributed`, if
            that is initialised when the sampler is made, and otherwise 0.
        world_size: how many ranks share the records; given with `rank` or not at all. These are the
            ranks that data is dealt out to: where several processes compute one model together on
            the same batches, give both.

    Raises:
        InvalidSetting: the data set has no length, the seed is not an `int`, or rank and world size
            do not fit together.
    """

    def __init__(
        self,
        dataset: Any,
        *,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        check_flags("EpochSampler", shuffle=shuffle, drop_last=drop_last)
        if type(seed) is not int:
            raise InvalidSetting(f"seed is {seed!r}, and an int was expected")
        self.data_records = _count(dataset)
        self._share = Share("EpochSampler", rank, world_size)
        self.rank, self.world_size = self._share.rank, self._share.world_size
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self._seeded = tuple(seeded_within(dataset))
        self._next_epoch = 0
        self._next_start = 0

    def __len__(self) -> int:
        """The number of this rank's records in a whole pass, wherever the next one starts."""
        return len(self._places(0))

    def set_position(self, epoch: int, records: int = 0) -> None:
        """Make the next pass that of `epoch`, and start it after its first `records` records.

        These are the records that all ranks together have used, so a pass may be resumed on another
        number of ranks, or in batches of another size. This takes no time, whatever the position,
        and nothing that is skipped is loaded. The pass after it is `epoch + 1`, from its beginning.
        A pass that has already begun is not affected.

        Raises:
            InvalidPosition: the epoch is negative, there are fewer records, or one is not an `int`.
        """
        check_position(epoch, records, count=self.data_records)
        self._next_epoch = epoch
        self._next_start = records

    def __iter__(self) -> Iterator[int]:
        """The indices of this rank's records in the next epoch.

        Raises:
            RanksDisagree: `torch.distributed` was initialised after the sampler was made.
        """
        self._share.check()
        epoch, start = self._next_epoch, self._next_start
        # At once, so that a pass that is left early is not the next one again.
        self._next_epoch, self._next_start = epoch + 1, 0
        for dataset in self._seeded:
            dataset.set_epoch(epoch)
        places = self._places(start)
        if not self.shuffle or not places:
            return iter(places)
        order = shuffled(self.data_records, seed=self.seed, epoch=epoch)
        mine = order[places.start : places.stop : places.step]
        return chain.from_iterable(piece.tolist() for piece in mine.split(_PIECE))

    def _places(self, start: int) -> range:
        """The places of this rank in the order, in a pass from place `start` on."""
        stop = self.data_records
        if self.drop_last:
            stop -= (stop - start) % self.world_size
        return self._share.places(start, stop)


def _count(dataset: Any) -> int:
    if isinstance(dataset, DataLoader):
        raise InvalidSetting(
            "EpochSampler was given a DataLoader, whose length is in batches, and its data set was "
            "expected: DataLoader(dataset, sampler=EpochSampler(dataset))",
        )
    try:
        count = dataset if type(dataset) is int else len(dataset)
    except TypeError:
        count = -1
    if count < 0:
        seen = (
            repr(dataset) if type(dataset) is int else f"an object of type {type(dataset).__name__}"
        )
        raise InvalidSetting(
            f"EpochSampler was given {seen}, and a data set with a length, or a number of records, "
            "was expected",
        )
    return int(count)
