"""Undoing an optimizer's step on the device, without a look at whether it must be undone."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from treadle_loop.gradients import parameters_of
from treadle_loop.loss import is_number

Place = tuple[dict[str, Any], str]
"""Where an optimizer keeps something for a parameter: in which dictionary, and under what name."""


def local(tensor: Any) -> Tensor:
    """The tensor itself, or this rank's shard of it, in the same memory."""
    to_local = getattr(tensor, "to_local", None)
    plain: Tensor = tensor if to_local is None else to_local()
    return plain.detach()


class HostCopies:
    """What an optimizer keeps on the host, copied to a device before each step.

    The host cannot know whether a step was withheld without waiting for the device. So what it
    keeps goes to the device, where the values of before the first withheld step stay.
    """

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[tuple[list[Place], Tensor]] = []

    def copy(self, places: Iterable[Place], withheld: Tensor) -> None:
        """Copy what is there before a step, where no step was withheld yet.

        Args:
            places: where tensors and numbers are on the host now.
            withheld: how many steps before this one were withheld, a 0-dim tensor. Where there were
                any, the earlier copies are kept.
        """
        # By identity, as the pieces keep the dictionaries alive: tensors are slow to hash.
        rest = {(id(state), name): (state, name) for state, name in places}
        pieces = []
        for known, copied in self._pieces:
            keys = [(id(state), name) for state, name in known]
            if all(key in rest for key in keys):
                for key in keys:
                    del rest[key]
                fresh = _upload(known, withheld.device)
                pieces.append((known, torch.where(withheld > 0, copied, fresh)))
        if rest:
            known = list(rest.values())
            pieces.append((known, _upload(known, withheld.device)))
        self._pieces = pieces

    def put_back(self) -> None:
        """Put the copies back on the host, which waits for the device.

        What came into being in a withheld step is there still, and is to be undone afterwards.
        """
        for known, copied in self._pieces:
            numbers = copied.cpu()
            for state, name in known:
                value = state[name]
                size = local(value).numel() if isinstance(value, Tensor) else 1
                own, numbers = numbers[:size], numbers[size:]
                if isinstance(value, Tensor):
                    local(value).copy_(own.view(local(value).shape))
                else:
                    state[name] = type(value)(own.item())


class Withholding:
    """Copies of weights and optimizer state from before a step, to be put back after it.

    Args:
        optimizer: whose step it is.

    Attributes:
        on_host: what cannot be put back, since the host keeps it for parameters that are
            elsewhere, or keeps it as a plain number.
    """

    __slots__ = ("_parameters", "_state", "on_host")

    def __init__(self, optimizer: Optimizer) -> None:
        parameters = [local(each) for each in parameters_of(optimizer) if each.grad is not None]
        self._parameters = [(parameter, parameter.clone()) for parameter in parameters]
        self._state: list[tuple[Place, Tensor]] = []
        self.on_host: list[Place] = []
        for parameter, state in optimizer.state.items():
            if not isinstance(state, dict):
                continue
            for name, value in state.items():
                if isinstance(value, Tensor):
                    if value.device.type == "cpu" != parameter.device.type:
                        self.on_host.append((state, name))
                    else:
                        self._state.append(((state, name), local(value).clone()))
                elif is_number(value):
                    self.on_host.append((state, name))

    def put_back(self, bad: Tensor) -> None:
        """Undo the step where `bad`, a 0-dim tensor of a truth value, is true."""
        after = self._parameters
        for (state, name), saved in self._state:
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


def _upload(places: Iterable[Place], device: torch.device) -> Tensor:
    precision = torch.float32 if device.type == "mps" else torch.float64
    values = (state[name] for state, name in places)
    flat = [
        (local(value) if isinstance(value, Tensor) else torch.tensor(value)).reshape(-1)
        for value in values
    ]
    # From pageable memory, such a copy returns as soon as the numbers are on their way.
    return torch.cat([each.to(precision) for each in flat]).to(device, non_blocking=True)
