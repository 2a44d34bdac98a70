"""The order of the records, as a function of a seed and an epoch: positions and shares in it."""

import hashlib
from typing import Any

import torch
from torch import Tensor, distributed

from treadle_loop.errors import InvalidPosition, InvalidSetting, RanksDisagree


def seed_of(*parts: int | str) -> int:
    """A seed of 63 bits that depends on all parts.

    They are hashed together, since a sum of them would give seed 0 in epoch 1 what seed 1 has in
    epoch 0.
    """
    text = " ".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def shuffled(count: int, *, seed: int, epoch: int) -> Tensor:
    """A permutation of `count` records that depends on `seed` and `epoch` alone.

    It is an int64 tensor on the CPU, made with a generator of its own: no random number of the
    program is used up.
    """
    generator = torch.Generator()
    generator.manual_seed(seed_of(seed, epoch))
    # The device is said, since torch.set_default_device would choose another than the generator's.
    return torch.randperm(count, generator=generator, device="cpu")


def check_flags(owner: str, **flags: Any) -> None:
    """See that each is True or False: any text is true.

    Raises:
        InvalidSetting: one is something else.
    """
    for name, flag in flags.items():
        if type(flag) is not bool:
            raise InvalidSetting(
                f"{name} of {owner} is {flag!r}, and True or False was expected",
            )


def check_position(epoch: Any, records: Any, *, count: int) -> None:
    """See that the records of an epoch of `count` can be gone on with after the first `records`.

    Raises:
        InvalidPosition: the epoch is negative, there are fewer records, or one is no `int`.
    """
    # Any other number that looks like the epoch would have an order of its own.
    whole = type(epoch) is int and type(records) is int
    if not whole or epoch < 0 or not 0 <= records <= count:
        raise InvalidPosition(
            f"the position is epoch {epoch!r} after {records!r} records, and an epoch of at least 0 "
            f"after 0 to {count} records was expected; is it for another data set?",
        )


class Share:
    """The records of one rank: every `world_size`-th of the order, and no padding.

    Args:
        owner: what deals them out, for messages.
        rank: which rank, from 0; by default this process's in `torch.distributed`, where that is
            initialised now, and otherwise 0.
        world_size: how many ranks there are; given with `rank` or not at all.

    Raises:
        InvalidSetting: they do not fit each other.
    """

    __slots__ = ("_given", "_owner", "rank", "world_size")

    def __init__(self, owner: str, rank: Any, world_size: Any) -> None:
        self._owner = owner
        self._given = rank is not None or world_size is not None
        self.rank, self.world_size = _checked(rank, world_size) if self._given else _ranks()

    def places(self, start: int, stop: int) -> range:
        """The places of this rank in an order, of those from `start` to before `stop`."""
        return range(start + self.rank, stop, self.world_size)

    def check(self) -> None:
        """See that no rank goes over all records since it did not know of the others.

        Raises:
            RanksDisagree: `torch.distributed` was initialised after the share was made.
        """
        ranks = _ranks()
        if self._given or ranks in ((0, 1), (self.rank, self.world_size)):
            return
        raise RanksDisagree(
            f"the {self._owner} was made for rank {self.rank} of {self.world_size}, and this process "
            f"is rank {ranks[0]} of {ranks[1]} in torch.distributed; make it after "
            "init_process_group(), or give it rank= and world_size=",
        )


def _checked(rank: Any, world_size: Any) -> tuple[int, int]:
    if type(rank) is not int or type(world_size) is not int or not 0 <= rank < world_size:
        raise InvalidSetting(
            f"rank is {rank!r} and world_size is {world_size!r}, and both were expected, as ints "
            "with 0 <= rank < world_size, or neither",
        )
    return rank, world_size


def _ranks() -> tuple[int, int]:
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
