"""The order of the records, as a function of a seed and an epoch, and positions in it."""

from typing import Any

import torch
from torch import Tensor

from treadle_loop.errors import InvalidPosition, InvalidSetting
from treadle_loop.seeds import seed_of


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
            f"after 0 to {count} records was expected; is it that of another data set?",
        )
