"""Random numbers of a data set as a function of (seed, epoch, record)."""

import operator
import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, cast

import torch
from torch.utils.data import ConcatDataset, Dataset, IterableDataset, StackDataset, Subset

from treadle_loop.errors import InvalidSetting, NotARecord
from treadle_loop.order import seed_of

T_co = TypeVar("T_co", covariant=True)


class MapStyle(Protocol[T_co]):
    """A data set whose records are read by index."""

    def __getitem__(self, index: Any, /) -> T_co:
        """The record at `index`."""
        ...


class Seeded(Dataset[T_co]):
    """A data set whose records are the same whichever process loads them, and in whatever order.

    Made by `seeded`.

    Attributes:
        dataset: the data set it was made from.
        seed: which family of random numbers.
    """

    def __init__(self, dataset: MapStyle[T_co], seed: int) -> None:
        self.dataset = dataset
        self.seed = seed
        # In shared memory: the workers of a DataLoader have a copy of this object, and those that
        # persist from pass to pass would never hear of another epoch. Not an inference tensor,
        # which could not be written to later, and not on a default device.
        with torch.inference_mode(mode=False):
            self._epoch = torch.zeros(1, dtype=torch.int64, device="cpu").share_memory_()

    @property
    def epoch(self) -> int:
        """The epoch that random numbers are drawn for."""
        # Not item(), which counts as a read of a device.
        return int(self._epoch.tolist()[0])

    def set_epoch(self, epoch: int) -> None:
        """Draw the random numbers of `epoch` from now on, in the workers of a `DataLoader` too.

        `EpochSampler(dataset)` does so at the start of each pass. With any other sampler, call it
        before each pass: the numbers of one epoch are the same in each pass.

        Raises:
            InvalidSetting: the epoch is negative, or not an `int`.
        """
        if type(epoch) is not int or epoch < 0:
            raise InvalidSetting(f"epoch is {epoch!r}, and an int of at least 0 was expected")
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        """The number of records."""
        return len(cast("Sized", self.dataset))

    def __getitem__(self, index: Any) -> T_co:
        """The record at `index`.

        Raises:
            NotARecord: the index is neither a whole number nor a text.
        """
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Iterable[Any]) -> list[T_co]:
        """The records at `indices`; this is how `DataLoader` asks for a batch.

        They are read one by one, even if the data set has a `__getitems__` of its own, which could
        not be seeded between two records.
        """
        seed, epoch, dataset = self.seed, self.epoch, self.dataset
        records = []
        with _generators_kept() as seed_generators:
            for index in indices:
                seed_generators(seed_of(seed, epoch, self._record(index)))
                records.append(dataset[index])
        return records

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Be a copy, with an epoch that workers of its own will hear of."""
        self.__dict__.update(state)
        self._epoch.share_memory_()  # a worker's copy shares it already, and nothing happens

    def _record(self, index: Any) -> int | str:
        """One name for a record, whatever names it: -1 is the last one."""
        if isinstance(index, str):
            return index
        try:
            number = operator.index(index)
        except TypeError:
            raise NotARecord(
                f"a seeded data set was asked for {index!r}, and the index of one record, a whole "
                "number or a text, was expected; ask for records one by one, or leave the batches "
                "to the DataLoader, with batch_size= or batch_sampler=",
            ) from None
        return number + len(self) if number < 0 else number


def seeded(dataset: MapStyle[T_co], seed: int = 0) -> Seeded[T_co]:
    """Make the random numbers that a data set draws depend on (seed, epoch, record) alone.

    Whatever `dataset[index]` draws from the global generators of torch on the CPU, of Python's
    `random` and of numpy is the same in this process and in any worker of a `DataLoader`, in
    whatever order and batches the records are asked for. So a run that is stopped and resumed sees
    the same records, and the random state of your program is left as it was.

    `EpochSampler(dataset)` tells it the epoch; with another sampler, call `set_epoch` before each
    pass. A data set that several passes share at the same time has one epoch for all of them.
    Generators that the data set made itself, and those of other devices, are not seeded.

    Args:
        dataset: a map-style data set: its records are read by `dataset[index]`, one by one, where
            the index is a whole number or a text.
        seed: which family of random numbers.

    Returns:
        A data set with the same records, whose `dataset` attribute is the one given.

    Raises:
        InvalidSetting: the data set has no records by index, or the seed is not an `int`.
    """
    if isinstance(dataset, IterableDataset):
        raise InvalidSetting(
            f"seeded() was given the iterable data set {type(dataset).__name__}, whose records have "
            "no index to be seeded by; draw from a generator of its own in its __iter__, or make it "
            "a data set with __getitem__",
        )
    if isinstance(dataset, type) or not hasattr(dataset, "__getitem__"):
        named = dataset if isinstance(dataset, type) else type(dataset)
        seen = f"{'the class' if named is dataset else 'an object of type'} {named.__name__}"
        raise InvalidSetting(
            f"seeded() was given {seen}, and a data set with __getitem__ was expected",
        )
    if type(seed) is not int:
        raise InvalidSetting(f"seed is {seed!r}, and an int was expected")
    return Seeded(dataset, seed)


def seeded_within(dataset: Any) -> Iterator[Seeded[Any]]:
    """The seeded data sets that `dataset` is or is made of by torch's own combinations."""
    if isinstance(dataset, Seeded):
        yield dataset
    if isinstance(dataset, (Seeded, Subset)):
        yield from seeded_within(dataset.dataset)
    elif isinstance(dataset, (ConcatDataset, StackDataset)):
        parts = dataset.datasets
        for part in parts.values() if isinstance(parts, Mapping) else parts:
            yield from seeded_within(part)


@contextmanager
def _generators_kept() -> Iterator[Any]:
    """A function that seeds the global generators, which are put back to where they were."""
    generator = torch.default_generator
    # torch imports numpy, which imports its random part when that is first used, and so may the
    # data set: too late to be seeded.
    np = sys.modules.get("numpy")

    def seed_generators(seed: int) -> None:
        # Not torch.manual_seed, which seeds every other device, too.
        generator.manual_seed(seed)
        random.seed(seed)
        if np is not None:
            # Both are a Mersenne twister, and this one takes the low 32 bits: from the same seed,
            # numpy would draw what torch draws.
            np.random.seed(seed >> 31)

    before = generator.get_state(), random.getstate()
    numpy_before = None if np is None else np.random.get_state(legacy=False)
    try:
        yield seed_generators
    finally:
        generator.set_state(before[0])
        random.setstate(before[1])
        if np is not None:
            np.random.set_state(numpy_before)
