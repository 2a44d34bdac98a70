"""The gradients that an update is about: those of the model's and of the optimizer's parameters."""

from collections.abc import Iterator
from itertools import chain

from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

# Both sets, and read anew each time: the optimizer may hold what the model does not (a second
# model's), the model what the optimizer does not (a part that does not train yet), and either may
# grow between two updates. What is left out would add up for ever.


def drop_gradients(model: nn.Module, optimizer: Optimizer) -> None:
    """Forget all gradients, by assignment: `optimizer.zero_grad()` costs as much as a layer."""
    _drop_in(model)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None


def gradients(model: nn.Module, optimizer: Optimizer) -> list[Tensor]:
    """All gradients there are, each once."""
    unique = dict.fromkeys(chain(model.parameters(), parameters_of(optimizer)))
    return [parameter.grad for parameter in unique if parameter.grad is not None]


def parameters_of(optimizer: Optimizer) -> Iterator[Parameter]:
    """The parameters that the optimizer updates."""
    return chain.from_iterable(group["params"] for group in optimizer.param_groups)


def _drop_in(module: nn.Module) -> None:
    # module.parameters() yields the same, without repetitions, and costs five times as much:
    # a twentieth of an update of a tiny network.
    for parameter in module._parameters.values():  # noqa: SLF001
        if parameter is not None:
            parameter.grad = None
    for child in module._modules.values():  # noqa: SLF001
        if child is not None:
            _drop_in(child)
