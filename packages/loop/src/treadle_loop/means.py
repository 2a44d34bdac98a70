"""Weighted means that stay on the device until they are read."""

from collections.abc import Mapping

import torch
from torch import Tensor

from treadle_loop.loss import Mean, Weight

BLOCK = 64
"""How many values are kept to be summed at once."""


def wide(number: Tensor) -> Tensor:
    """A number on a device in float64, which is exact for counts; in float32 on MPS, without it."""
    precision = torch.float32 if number.device.type == "mps" else torch.float64
    return number.to(precision)


def wide_on(number: Weight, device: torch.device | None) -> Tensor:
    """The same for a number anywhere, on a device; none is copied there from the host.

    Such a copy would wait for all that the device was asked to do before.
    """
    if isinstance(number, Tensor):
        return wide(number.to(device))
    kind = "cpu" if device is None else device.type
    precision = torch.float32 if kind == "mps" else torch.float64
    return torch.full((), number, dtype=precision, device=device)


class RunningMean:
    """The mean of values, each weighted by what it is a mean over: sum(w * v) / sum(w).

    The sum is float64 on the device of the values (float32 on MPS), so a long epoch loses no
    digits. A value of weight 0 adds nothing, nan included.
    """

    __slots__ = ("_block", "_block_weight", "_total", "_weight")

    def __init__(self) -> None:
        self._total: Tensor | None = None
        self._weight: Weight = 0
        # Values of one weight are kept and summed together: a sum of each would cost a tiny network
        # 2 % of its time, and a GPU a launch.
        self._block: list[Tensor] = []
        self._block_weight: float = 0

    @property
    def weight(self) -> Weight:
        """The sum of the weights so far."""
        return self._weight

    def add(self, value: Tensor | float, weight: Weight) -> None:
        """Take in one detached value, a 0-dim tensor or a number, and its weight."""
        if type(weight) is not int and isinstance(weight, Tensor):
            if isinstance(value, Tensor):  # which is where its sum is: a value is never fetched
                weight = weight.to(value.device)
            weight = wide(weight)
            # A mean over nothing is nan, and nan * 0 would be nan again.
            known = wide_on(value, weight.device).masked_fill(weight == 0, 0)
            self._add_to_total(known * weight)
        elif not weight:
            return
        elif not isinstance(value, Tensor):
            self._add_to_total(torch.tensor(value * weight, dtype=torch.float64))
        else:
            if weight != self._block_weight or len(self._block) == BLOCK:
                self._end_block()
                self._block_weight = weight
            self._block.append(value)
        self._weight = self._weight + weight

    def sums(self, device: torch.device) -> Tensor:
        """sum(w * v) and sum(w) as one float64 tensor of shape (2,) on `device`, to be added up."""
        self._end_block()
        total = 0.0 if self._total is None else self._total
        return torch.stack([wide_on(each, device) for each in (total, self._weight)])

    def read(self) -> tuple[float, float]:
        """sum(w * v) and sum(w) as numbers, for which the host waits."""
        self._end_block()
        return float(0 if self._total is None else self._total), float(self._weight)

    def add_sums(self, sums: tuple[float, float], device: torch.device | None) -> None:
        """Take in what another one has read; the sum then is on `device`."""
        total, weight = sums
        if weight:
            self._add_to_total(wide_on(total, device))
            self._weight = self._weight + weight

    def mean(self) -> Tensor:
        """The mean as a 0-dim tensor; nan where nothing had any weight."""
        self._end_block()
        if self._total is None:
            return torch.full((), torch.nan, dtype=torch.float64)
        return self._total / self._weight

    def _end_block(self) -> None:
        block, self._block = self._block, []
        if len(block) > 1 and len({value.device for value in block}) == 1:
            self._add_to_total(wide(torch.stack(block)).sum() * self._block_weight)
        else:
            for value in block:
                self._add_to_total(wide(value) * self._block_weight)

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
            self.running(name).add(mean.value, mean.weight)

    def running(self, name: str) -> RunningMean:
        """The mean of a name, which is empty where the name is new."""
        if name not in self._running:
            self._running[name] = RunningMean()
        return self._running[name]

    def read(self) -> dict[str, tuple[float, float]]:
        """The sums of each as numbers; see `RunningMean.read`."""
        return {name: running.read() for name, running in self._running.items()}

    def values(self) -> dict[str, Tensor]:
        """The means as 0-dim tensors, in the order in which their names came up."""
        return {name: running.mean() for name, running in self._running.items()}
