"""The order of the records, as a function of a seed and an epoch."""

import hashlib

import torch
from torch import Tensor


def shuffled(count: int, *, seed: int, epoch: int) -> Tensor:
    """A permutation of `count` records that depends on `seed` and `epoch` alone.

    It is an int64 tensor on the CPU, made with a generator of its own: no random number of the
    program is used up. Seed and epoch are hashed together, since a sum of them would give seed 0 in
    epoch 1 the order of seed 1 in epoch 0.
    """
    digest = hashlib.blake2b(f"{seed} {epoch}".encode(), digest_size=8).digest()
    generator = torch.Generator()
    generator.manual_seed(int.from_bytes(digest, "big") >> 1)
    return torch.randperm(count, generator=generator)
