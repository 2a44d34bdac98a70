"""Exact gradients of an accumulation window."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from treadle_loop.gradients import multiply_gradients
from treadle_loop.loss import Outcome, Weight
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

    Weights that are tensors are never read: c then stays what the first batch made it. Where values
    are scaled up for fp16, which could overflow then, the gradients are kept as those of the mean
    until now instead, which scales them all at every batch and never a value up.

    Args:
        planned: how many batches the window is expected to have, more than one.
        model: whose gradients the backward passes leave,
        optimizer: and whose.
        backward: makes a backward pass.
        narrow: whether gradients have the range of fp16.
    """

    __slots__ = ("_backward", "_model", "_narrow", "_optimizer", "_planned", "_scale", "_weight")

    def __init__(
        self,
        planned: int,
        model: nn.Module,
        optimizer: Optimizer,
        backward: Callable[[Tensor], None],
        *,
        narrow: bool,
    ) -> None:
        self._narrow = narrow
        self._planned = planned
        self._model = model
        self._optimizer = optimizer
        self._backward = backward
        self._scale: Weight | None = None
        self._weight: Weight = 0

    def backward(self, value: Tensor, outcome: Outcome) -> None:
        """Add the gradient of one value; one of weight 0 adds nothing."""
        weight = outcome.weight
        if isinstance(weight, Tensor):
            weight = wide(weight)
        elif not weight:
            return
        self._weight = self._weight + weight
        if self._narrow and self._scale is None and isinstance(self._weight, Tensor):
            self._keep_mean(value, weight, self._weight)
            return
        divisor = self._scale_for(weight) / weight
        if isinstance(divisor, Tensor):
            divisor = divisor.to(value)
        self._backward(value / divisor)

    def settle(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """Bring the gradients from the running scale to the window's weight; the same outcomes."""
        if self._scale is None:
            return outcomes
        factor = self._scale / self._weight
        if isinstance(self._weight, Tensor):
            # Without any weight the gradients are zero, and stay so.
            factor = torch.where(self._weight > 0, factor, 1.0)
        multiply_gradients(self._model, self._optimizer, factor)
        return outcomes

    def _keep_mean(self, value: Tensor, weight: Weight, total: Tensor) -> None:
        share = torch.where(total > 0, weight / total, 0.0)
        multiply_gradients(self._model, self._optimizer, 1 - share)
        self._backward(value * share.to(value))

    def _scale_for(self, weight: Weight) -> Weight:
        scale = self._scale
        if scale is None:
            if isinstance(weight, Tensor):
                weight = torch.where(weight > 0, weight, 1.0)
            scale = weight * self._planned
        elif not isinstance(scale, Tensor) and not isinstance(weight, Tensor) and weight > scale:
            multiply_gradients(self._model, self._optimizer, scale / weight)
            scale = weight
        self._scale = scale
        return scale
