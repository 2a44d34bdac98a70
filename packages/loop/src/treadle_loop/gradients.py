"""The gradients that an update is about: those of the model's and of the optimizer's parameters."""

from collections.abc import Iterator
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

# Both sets: the optimizer may hold what the model does not (a second model's), the model what the
# optimizer does not (a part that does not train yet). What is left out would add up for ever.


class Dropping:
    """Forgets all gradients, by assignment: `optimizer.zero_grad()` costs as much as a layer.

    The optimizer's parameters are read anew each time, since some may join between two updates;
    those of the model at the first update of each pass, since that takes ten times as long.
    """

    __slots__ = ("_model", "_optimizer", "_others")

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        self._model = model
        self._optimizer = optimizer
        self._others: list[Parameter] | None = None

    def drop(self, *, anew: bool) -> None:
        """Forget them; with `anew`, look for the model's parameters again."""
        if anew or self._others is None:
            own = set(parameters_of(self._optimizer))
            self._others = [one for one in walk(self._model) if one not in own]
        for parameter in self._others:
            parameter.grad = None
        for group in self._optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None


def gradients(model: nn.Module, optimizer: Optimizer) -> list[Tensor]:
    """All gradients there are, each once."""
    unique = dict.fromkeys(chain(model.parameters(), parameters_of(optimizer)))
    return [parameter.grad for parameter in unique if parameter.grad is not None]


def multiply_gradients(model: nn.Module, optimizer: Optimizer, factor: Tensor | float) -> None:
    """Scale all gradients."""
    if not isinstance(factor, Tensor) and factor == 1:
        return
    alike: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for gradient in gradients(model, optimizer):
        alike.setdefault((gradient.device, gradient.dtype), []).append(gradient)
    for (device, dtype), some in alike.items():
        number = factor
        if isinstance(factor, Tensor):
            # One kernel for all takes a factor of their precision, which must not be rounded to it.
            number = factor.to(device, torch.float32 if dtype is torch.float32 else None)
        elif device.type == "cpu":  # where a plain number would be
            number = torch.tensor(factor, dtype=torch.float64, device=device)
        torch._foreach_mul_(some, number)


def parameters_of(optimizer: Optimizer) -> Iterator[Parameter]:
    """The parameters that the optimizer updates."""
    return chain.from_iterable(group["params"] for group in optimizer.param_groups)


def walk(module: nn.Module) -> Iterator[Parameter]:
    """A model's parameters, a shared one more than once: its own iterator costs several times more."""
    for parameter in module._parameters.values():  # noqa: SLF001
        if parameter is not None:
            yield parameter
    for child in module._modules.values():  # noqa: SLF001
        if child is not None:
            yield from walk(child)
