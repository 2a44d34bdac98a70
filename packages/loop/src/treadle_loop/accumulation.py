"""Exact gradients of an accumulation window."""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from treadle_loop.gradients import gradients
from treadle_loop.loss import Weight
from treadle_loop.means import wide


class Accumulation:
    """Backward passes of one window that add up to the gradient of the window's weighted mean.

    With values v_i that are means over w_i things, the gradient wanted is that of
    sum(w_i * v_i) / sum(w_i), and the sum of the weights is known only at the end. So each value
    is scaled by w_i / c while the gradients accumulate, and all gradients by c / sum(w_i) in
    `settle`. c starts as what the window would weigh if all its batches were like the first one:
    then full windows of equal batches are the textbook's `(loss / k).backward()` to the last bit,
    and nothing is left to settle. A heavier batch than c first lifts c to its own weight, so no
    value is ever scaled up, which matters where fp16 could overflow.

    Weights that are tensors are never read: c then stays what the first batch made it.

    Args:
        planned: how many batches the window is expected to have, more than one.
        model: whose gradients the backward passes leave,
        optimizer: and whose.
    """

    __slots__ = ("_model", "_optimizer", "_planned", "_scale", "_weight")

    def __init__(self, planned: int, model: nn.Module, optimizer: Optimizer) -> None:
        self._planned = planned
        self._model = model
        self._optimizer = optimizer
        self._scale: Weight | None = None
        self._weight: Weight = 0

    def backward(self, value: Tensor, weight: Weight) -> None:
        """Add the gradient of one value; one of weight 0 adds nothing."""
        if isinstance(weight, Tensor):
            weight = wide(weight)
        elif not weight:
            return
        self._weight = self._weight + weight
        divisor = self._scale_for(weight) / weight
        if isinstance(divisor, Tensor):
            divisor = divisor.to(value)
        (value / divisor).backward()

    def settle(self) -> None:
        """Bring the gradients from the running scale to the window's weight."""
        if self._scale is None:
            return
        factor = self._scale / self._weight
        if isinstance(self._weight, Tensor):
            # Without any weight the gradients are zero, and stay so.
            factor = torch.where(self._weight > 0, factor, 1.0)
        self._multiply(factor)

    def _scale_for(self, weight: Weight) -> Weight:
        scale = self._scale
        if scale is None:
            if isinstance(weight, Tensor):
                weight = torch.where(weight > 0, weight, 1.0)
            scale = weight * self._planned
        elif not isinstance(scale, Tensor) and not isinstance(weight, Tensor) and weight > scale:
            self._multiply(scale / weight)
            scale = weight
        self._scale = scale
        return scale

    def _multiply(self, factor: Weight) -> None:
        if not isinstance(factor, Tensor) and factor == 1:
            return
        for gradient in gradients(self._model, self._optimizer):
            # A model may be spread over devices, and only a number on the CPU fits them all.
            gradient.mul_(factor.to(gradient.device) if isinstance(factor, Tensor) else factor)
