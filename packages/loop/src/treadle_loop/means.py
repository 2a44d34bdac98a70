"""Weighted means that stay on the device until they are read."""

from collections.abc import Mapping

import torch
from torch import Tensor

from treadle_loop.loss import Mean, Weight

BLOCK = 64
"""How many values are summed in their own precision before the sum goes on in float64."""


def wide(number: Tensor) -> Tensor:
    """A number on a device in float64, which is exact for counts; in float32 on MPS, without it."""
    precision = torch.float32 if number.device.type == "mps" else torch.float64
    return number.to(precision)


class RunningMean:
    """The mean of values, each weighted by what it is a mean over: sum(w * v) / sum(w).

    The sum is float64 on the device of the values (float32 on MPS), so a long epoch loses no
    digits. A value of weight 0 adds nothing, nan included.
    """

    __slots__ = ("_block", "_room", "_total", "_weight")

    def __init__(self) -> None:
        self._total: Tensor | None = None
        self._weight: Weight = 0
        # A few values are summed in their own precision first: a float64 sum of each would cost a
        # tiny network 2 % of its time.
        self._block: Tensor | None = None
        self._room = 0

    @property
    def weight(self) -> Weight:
        """The sum of the weights so far."""
        return self._weight

    def add(self, value: Tensor | float, weight: Weight) -> None:
        """Take in one detached value, a 0-dim tensor or a number, and its weight."""
        if isinstance(weight, Tensor):
            if isinstance(value, Tensor):  # which is where its sum is: a value is never fetched
                weight = weight.to(value.device)
            weight = wide(weight)
            # A mean over nothing is nan, and nan * 0 would be nan again.
            known = torch.as_tensor(value, device=weight.device).masked_fill(weight == 0, 0)
            self._add_to_total(wide(known) * weight)
        elif not weight:
            return
        elif not isinstance(value, Tensor):
            self._add_to_total(torch.tensor(value * weight, dtype=torch.float64))
        elif self._room and self._block is not None:
            self._block.add_(value, alpha=weight)
            self._room -= 1
        else:
            self._begin_block(value, weight)
        self._weight = self._weight + weight

    def mean(self) -> Tensor:
        """The mean as a 0-dim tensor; nan where nothing had any weight."""
        self._end_block()
        if self._total is None:
            return torch.full((), torch.nan, dtype=torch.float64)
        return self._total / self._weight

    def _begin_block(self, value: Tensor, weight: float) -> None:
        self._end_block()
        # At least float32: half a byte of mantissa is not enough for a sum.
        self._block = value.to(torch.promote_types(value.dtype, torch.float32)) * weight
        self._room = BLOCK - 1

    def _end_block(self) -> None:
        if self._block is not None:
            self._add_to_total(wide(self._block))
            self._block, self._room = None, 0

    def _add_to_total(self, number: Tensor) -> None:
        self._total = number if self._total is None else self._total + number


class Means:
    """Running means by name."""

    __slots__ = ("_running",)

    def __init__(self) -> None:
        self._running: dict[str, RunningMean] = {}

    def add(self, means: Mapping[str, Mean]) -> None:
        """Take in one mean of each name; names may come and go."""
        for name, mean in means.items():
            if name not in self._running:
                self._running[name] = RunningMean()
            self._running[name].add(mean.value, mean.weight)

    def values(self) -> dict[str, Tensor]:
        """The means as 0-dim tensors, in the order in which their names came up."""
        return {name: running.mean() for name, running in self._running.items()}
