"""Which records of an order are one rank's, where several ranks share them."""

from typing import Any

from torch import distributed

from treadle_loop.errors import InvalidSetting, RanksDisagree


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
