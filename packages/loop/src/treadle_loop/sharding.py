"""Tensors of which each rank holds a part: whole in a state, and in parts again when it is loaded."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from treadle_loop.gradients import parameters_of


def whole(value: Any) -> Any:
    """The same with each sharded tensor in it put together, on the CPU, where more has its place.

    Every rank takes part, and each gets the whole. What is not sharded is the same object.
    """
    if is_sharded(value):
        return value.full_tensor().cpu()
    if isinstance(value, dict):
        items = {key: whole(item) for key, item in value.items()}
        return _with(value, items) if any(items[key] is not value[key] for key in items) else value
    if type(value) in (list, tuple):
        return type(value)(map(whole, value))
    return value


def parted(saved: Mapping[str, Any], like: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tensors of a state, each in parts where the one of its name is; every rank takes part."""
    if not _any_sharded(like.values()):
        return saved
    items = {name: _parted(item, like.get(name)) for name, item in saved.items()}
    divided: Mapping[str, Any] = _with(saved, items)
    return divided


def parted_for(saved: Mapping[str, Any], optimizer: Optimizer) -> Mapping[str, Any]:
    """The state of an optimizer, in parts where its parameters are; every rank takes part."""
    parameters = list(parameters_of(optimizer))
    if not _any_sharded(parameters):
        return saved
    states = {
        index: {name: _parted(entry, parameters[index]) for name, entry in state.items()}
        for index, state in saved["state"].items()
    }
    return {**saved, "state": states}


def is_sharded(value: Any) -> bool:
    """Whether it is a `DTensor`."""
    # Without its package, which takes long to import and which only those need who have one.
    return isinstance(value, Tensor) and callable(getattr(value, "full_tensor", None))


def _with(mapping: Any, items: Mapping[Any, Any]) -> Any:
    """A copy with other values: a model's state dict has an attribute, which stays."""
    duplicate = copy.copy(mapping)
    duplicate.update(items)
    return duplicate


def _any_sharded(values: Iterable[Any]) -> bool:
    return any(map(is_sharded, values))


def _parted(value: Any, like: Any) -> Any:
    """A tensor in parts as another one of its shape is; anything else as it is."""
    if not is_sharded(like) or not isinstance(value, Tensor) or is_sharded(value):
        return value
    if value.shape != like.shape:  # a count of steps, for a parameter
        return value
    from torch.distributed.tensor import distribute_tensor

    placed = value.to(like.device_mesh.device_type)
    return distribute_tensor(placed, like.device_mesh, like.placements)
