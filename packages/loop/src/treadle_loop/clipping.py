"""Gradient clipping, as the textbook calls it: once an update, on the final gradients."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import Optimizer

from treadle_loop.errors import InvalidSetting
from treadle_loop.gradients import parameters_of
from treadle_loop.loss import is_number


@dataclass(frozen=True, slots=True)
class Clipping:
    """Limits for the gradients of an optimizer's parameters; None is no limit."""

    norm: float | None
    value: float | None

    def __post_init__(self) -> None:
        for name, limit in (("clip_norm", self.norm), ("clip_value", self.value)):
            if limit is not None and not (is_number(limit) and limit > 0):
                raise InvalidSetting(
                    f"{name} is {limit!r}, and a number above 0 was expected; leave it out for no "
                    "clipping",
                )

    def apply(self, optimizer: Optimizer) -> Tensor | None:
        """Clip by norm, then by value; the norm before either, where there is a limit for it."""
        grad_norm = None
        if self.norm is not None:
            grad_norm = clip_grad_norm_(parameters_of(optimizer), self.norm)
        if self.value is not None:
            clip_grad_value_(parameters_of(optimizer), self.value)
        return grad_norm
