"""Averaged weights: an exponential moving average of a model's parameters."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from treadle_loop.errors import AveragesDisagree, AveragesInPlace, InvalidSetting
from treadle_loop.gradients import walk
from treadle_loop.loss import is_number

Decay = float | Callable[[int], float]
"""How much of the average stays: a number in [0, 1), or that from the number of updates so far."""


class AveragedWeights:
    """An exponential moving average of a model's parameters, for evaluation.

    It starts as a copy of the parameters, and after each step of the optimizer

        average = decay * average + (1 - decay) * parameter

    in the parameter's own precision, at least float32: in bfloat16 a decay of 0.999 would never
    move it. Nothing is read from the device. Averages go by the names of the parameters, which are
    looked up anew each time: one that is new, trainable for the first time, or of another shape
    starts at its present value, and one that is gone is dropped. A parameter that never was
    trainable has no average, since that would be itself; a shared one has one.

    Buffers are not averaged: the statistics of a batch norm are averages already, its counts
    cannot be, and the mean of two states of anything else may be no state of it. While the
    averages are in the model, its own buffers are used; where that matters,
    `torch.optim.swa_utils.update_bn(loader, model)` inside `swapped()` measures them again.

    Args:
        model: whose parameters are averaged, not wrapped (as by DDP), for the sake of the names.
        decay: a number in [0, 1), or a function of how many updates there were, from 0, to one;
            `lambda n: min(0.999, (1 + n) / (10 + n))` lets go of the beginning sooner.

    Attributes:
        updates: how many updates there were.

    Raises:
        InvalidSetting: the decay is no such number and no function.
    """

    def __init__(self, model: nn.Module, decay: Decay) -> None:
        self._model = model
        self._decay = decay
        if not callable(decay):
            _check_decay(decay)
        self.updates = 0
        self._averages: dict[str, Tensor] = {}
        self._tracked: list[tuple[Any, ...]] = []
        self._groups: list[_Group] = []
        self._in_place = False
        self._sharded: list[Any] = [each for each in model.modules() if _is_sharded(each)]
        self._track()

    @property
    def in_place(self) -> bool:
        """Whether the averages are in the model now."""
        return self._in_place

    def next_decay(self) -> float:
        """How much of the averages stays at the next update.

        Raises:
            InvalidSetting: the function gave a decay outside [0, 1).
        """
        decay = self._decay(self.updates) if callable(self._decay) else self._decay
        _check_decay(decay)
        return decay

    def update(self, withheld: Tensor | None = None, *, decay: float | None = None) -> None:
        """Take in the parameters, after a step of the optimizer.

        Args:
            decay: what `next_decay` gave before that step; by default it is asked now.
            withheld: where given, a 0-dim tensor that is 1 where the step was withheld, so that
                the averages stay as they are, and 0 where it was made. It is not read.

        Raises:
            AveragesInPlace: the averages are in the model.
            InvalidSetting: the function gave a decay outside [0, 1).
        """
        self.check_out_of_place("a step was made")
        if decay is None:
            decay = self.next_decay()
        self._track()
        with torch.no_grad():
            for group in self._groups:
                group.move(1 - decay, withheld)
        self.updates += 1

    def check_out_of_place(self, what: str) -> None:
        """See that the model has its own weights.

        Raises:
            AveragesInPlace: it has the averages.
        """
        if self._in_place:
            raise AveragesInPlace(
                f"{what} while the averaged weights are in the model, which would be mistaken for "
                "its own; leave their context first",
            )

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Put the averages in the model, and its own parameters back afterwards, bit for bit.

        Values are copied, and the parameters stay the same objects in the same memory: what holds
        on to them, such as the optimizer, a captured graph, or the buckets and shards of several
        processes, stays right. That takes one more copy of the parameters for as long as it lasts.

        Raises:
            AveragesInPlace: they are in the model already.
        """
        if self._in_place:
            raise AveragesInPlace(
                "swapped() was entered inside of swapped(); the averages are in the model already",
            )
        self._gather_nothing()
        named = [
            (parameter.detach(), self._averages[name])
            for name, parameter in _parameters(self._model)
            if name in self._averages and self._averages[name].shape == parameter.shape
        ]
        own = [parameter.clone() for parameter, _ in named]
        self._in_place = True
        try:
            for parameter, average in named:
                parameter.copy_(average)
            yield
        finally:
            self._gather_nothing()
            for (parameter, _), value in zip(named, own, strict=True):
                parameter.copy_(value)
            self._in_place = False

    def state_dict(self) -> dict[str, Any]:
        """The count of updates and the averages by name, themselves and not copies."""
        self._track()
        return {"updates": self.updates, "averages": dict(self._averages)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from such a state; its tensors are copied, to the devices of the parameters.

        Raises:
            AveragesDisagree: the names or the shapes are not those of the model's trainable
                parameters.
        """
        given: Mapping[str, Tensor] = state["averages"]
        self._gather_nothing()
        named = dict(_parameters(self._model))
        problems = [
            *(f"{name} is missing" for name in self._expected(named) if name not in given),
            *(f"{name} is not in the model" for name in given if name not in named),
            *(
                f"{name} has shape {tuple(average.shape)} and in the model {tuple(named[name].shape)}"
                for name, average in given.items()
                if name in named and average.shape != named[name].shape
            ),
        ]
        if problems:
            raise AveragesDisagree(
                f"the averages do not fit the model: {'; '.join(problems)}; load them into the "
                "model that they were made of, with the same parameters trainable",
            )
        self.updates = state["updates"]
        self._averages = {name: _like(named[name], average) for name, average in given.items()}
        self._tracked = []
        self._track()

    def _gather_nothing(self) -> None:
        # After a forward pass alone, fully_shard leaves gathered parameters in the model, which are
        # other objects than the shards, and would be used again with the values that they have.
        for module in self._sharded:
            module.reshard()

    def _expected(self, named: Mapping[str, Parameter]) -> list[str]:
        return [name for name, parameter in named.items() if _is_averaged(parameter)]

    def _track(self) -> None:
        """Bring the averages in line with the model's parameters, where those have changed."""
        self._gather_nothing()
        # With the parameters themselves, so that none of them is another one at the same address.
        tracked = [
            (id(parameter), parameter.requires_grad, parameter.dtype, parameter.device, parameter)
            for parameter in walk(self._model)
        ]
        if [key[:4] for key in tracked] == [key[:4] for key in self._tracked]:
            return
        self._tracked = tracked
        averages: dict[str, Tensor] = {}
        groups: dict[Any, _Group] = {}
        for name, parameter in _parameters(self._model):
            average = self._averages.get(name)
            if average is None or average.shape != parameter.shape:
                if not _is_averaged(parameter):
                    continue
                average = parameter
            average = averages[name] = _like(parameter, average)
            group = groups.setdefault((parameter.device, parameter.dtype), _Group([], []))
            group.averages.append(average)
            group.parameters.append(parameter)
        self._averages, self._groups = averages, list(groups.values())


@dataclass(slots=True)
class _Group:
    """Averages and their parameters, of one device and one precision."""

    averages: list[Tensor]
    parameters: list[Parameter]

    def move(self, weight: float, withheld: Tensor | None) -> None:
        """Move the averages towards the parameters by so much of the way."""
        first = self.averages[0]
        # Not kept, though detached they share memory: `parameter.data = ...` would part them.
        targets: list[Tensor] = [parameter.detach() for parameter in self.parameters]
        if targets[0].dtype is not first.dtype:
            targets = [target.to(first.dtype) for target in targets]
        if withheld is None:
            # What torch.optim.swa_utils calls for an exponential moving average.
            torch._foreach_lerp_(self.averages, targets, weight)
            return
        weights = (1 - withheld.to(first.device, non_blocking=True)).mul(weight)
        for average, target in zip(self.averages, targets, strict=True):
            average.lerp_(target, weights.to(average.dtype))


def _is_averaged(parameter: Parameter) -> bool:
    return parameter.requires_grad  # which only floating and complex ones can


def _is_sharded(module: Any) -> bool:
    """Whether `torch.distributed.fsdp.fully_shard` was there."""
    return callable(getattr(module, "reshard", None)) and callable(getattr(module, "unshard", None))


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    """A copy of the value on the parameter's device, in its precision or float32."""
    dtype = torch.promote_types(parameter.dtype, torch.float32)
    detached = value.detach()
    copy = detached.to(parameter.device, dtype)
    return copy.clone() if copy is detached else copy


def _parameters(model: nn.Module) -> list[tuple[str, Parameter]]:
    return list(model.named_parameters())


def _check_decay(decay: Any) -> None:
    if not (is_number(decay) and 0 <= decay < 1):
        raise InvalidSetting(
            f"the decay of averaged weights is {decay!r}, and a number of at least 0 and less than "
            "1, or a function from the number of updates to one, was expected",
        )
