"""The 1,797 handwritten digits of the UCI test set, as scikit-learn ships them."""

from typing import NamedTuple

import torch
from torch import Tensor


class Digits(NamedTuple):
    """Images `(N, 1, 8, 8)` float32 in [0, 1], and labels `(N,)` int64 in 0..9."""

    images: Tensor
    labels: Tensor


def load_digits(held_out: int, *, seed: int) -> tuple[Digits, Digits]:
    """Split the digits into those to train on and `held_out` others, by a permutation that only `seed` decides.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998, <https://doi.org/10.24432/C50P49>, through `sklearn.datasets.load_digits`.
    """
    from sklearn.datasets import load_digits as shipped

    data = shipped()
    images = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 16  # 16 is full ink
    labels = torch.tensor(data.target, dtype=torch.int64)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    test, train = order[:held_out], order[held_out:]
    return Digits(images[train], labels[train]), Digits(images[test], labels[test])
