"""Undoing an optimizer's step: on the device without a look at whether, and on the host later."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from treadle_loop.gradients import parameters_of


class DeviceCopies:
    """Copies of weights and optimizer state from before a step, to be put back after it.

    Of the state, what is a tensor where its parameter is; see `HostState` for the rest.

    Args:
        optimizer: whose step it is.
    """

    __slots__ = ("_parameters", "_state")

    def __init__(self, optimizer: Optimizer) -> None:
        parameters = [local(each) for each in parameters_of(optimizer) if each.grad is not None]
        self._parameters = [(parameter, parameter.clone()) for parameter in parameters]
        self._state = [
            (state, name, local(value).clone())
            for parameter, state in _states(optimizer)
            for name, value in state.items()
            if _beside(value, parameter)
        ]

    def put_back(self, bad: Tensor) -> None:
        """Undo the step where `bad`, a 0-dim tensor of a truth value, is true."""
        after = self._parameters
        for state, name, saved in self._state:
            # Looked up anew, since some optimizers assign a new tensor in each step.
            value = state.get(name)
            if isinstance(value, Tensor) and local(value).shape == saved.shape:
                after.append((local(value), saved))
        by_device = {bad.device: bad}
        for tensor, saved in after:
            device = tensor.device
            if device not in by_device:
                # Weights that are on the CPU while their loss is not must wait for it anyway.
                by_device[device] = bad.to(device, non_blocking=device.type != "cpu")
            torch.where(by_device[device], saved, tensor, out=tensor)


class HostState:
    """What an optimizer keeps for which parameter before a step, and the values on the host.

    An optimizer makes the state of a parameter in the first step that needs it, and knows that step
    by the state that is missing. And what it keeps on the host, as a number or, for a parameter on
    a GPU, as a tensor on the CPU, cannot be put back where only the device knows whether it must.

    Args:
        optimizer: whose step it is.
    """

    __slots__ = ("_before", "_optimizer")

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._before = {
            parameter: {name: _saved(value, parameter) for name, value in state.items()}
            for parameter, state in _states(optimizer)
        }

    def put_back(self) -> None:
        """Make it as it was, but for tensors that are where their parameter is."""
        for parameter, state in list(_states(self._optimizer)):
            before = self._before.get(parameter)
            if before is None:
                del self._optimizer.state[parameter]
                continue
            for name in state.keys() - before.keys():
                del state[name]
            state.update({name: value for name, value in before.items() if value is not _BESIDE})


def local(tensor: Any) -> Tensor:
    """The tensor itself, or this rank's shard of it, in the same memory."""
    to_local = getattr(tensor, "to_local", None)
    plain: Tensor = tensor if to_local is None else to_local()
    return plain.detach()


# In the place of a tensor that is where its parameter is.
_BESIDE = object()


def _states(optimizer: Optimizer) -> Iterator[tuple[Any, dict[str, Any]]]:
    return ((key, state) for key, state in optimizer.state.items() if isinstance(state, dict))


def _beside(value: Any, parameter: Tensor) -> bool:
    """Whether it is a tensor where its parameter is, or at least on no host."""
    if not isinstance(value, Tensor):
        return False
    return value.device.type != "cpu" or parameter.device.type == "cpu"


def _saved(value: Any, parameter: Tensor) -> Any:
    if _beside(value, parameter):
        return _BESIDE
    return value.clone() if isinstance(value, Tensor) else value
