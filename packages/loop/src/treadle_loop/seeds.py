"""Seeds made of several numbers."""

import hashlib


def seed_of(*parts: int | str) -> int:
    """A seed of 63 bits that depends on all parts.

    They are hashed together, since a sum of them would give seed 0 in epoch 1 what seed 1 has in
    epoch 0.
    """
    text = " ".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
