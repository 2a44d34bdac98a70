"""Which batches are moved to a device, here to `meta`, and which stay behind."""

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import attrs
import torch
from grid import Answer, table
from torch import Tensor, nn

from treadle_loop import Engine

Pair = namedtuple("Pair", ["inputs", "targets"])  # noqa: PYI024 (the plainest kind)


@dataclass
class Plain:
    """A dataclass."""

    inputs: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Frozen:
    """A frozen one."""

    inputs: Tensor
    targets: Tensor


@dataclass(frozen=True, slots=True)
class Slotted:
    """A frozen one without a dictionary."""

    inputs: Tensor
    targets: Tensor


@attrs.define
class Defined:
    """A class of attrs."""

    inputs: Tensor
    targets: Tensor


@attrs.frozen
class FrozenAttrs:
    """A frozen one."""

    inputs: Tensor
    targets: Tensor


KINDS: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "tuple": lambda inputs, targets: (inputs, targets),
    "dict": lambda inputs, targets: {"inputs": inputs, "targets": targets},
    "nested": lambda inputs, targets: {"both": [inputs, (targets,)], "name": "a text"},
    "namedtuple": Pair,
    "dataclass": Plain,
    "frozen": Frozen,
    "slotted": Slotted,
    "attrs": Defined,
    "attrs, frozen": FrozenAttrs,
}

Move = Callable[[Any, torch.device], Any]


def ours(batch: Any, device: torch.device) -> Any:
    """What `Engine` hands to a step."""
    engine = Engine(nn.Linear(1, 1), lambda *_: torch.zeros(()), device=device)
    (moved,) = engine.predict([batch], forward=lambda _model, batch: batch)
    return moved


def lightning(batch: Any, device: torch.device) -> Any:
    """What `Trainer` and `Fabric` do."""
    from lightning.fabric.utilities import move_data_to_device

    return move_data_to_device(batch, device)


def accelerate(batch: Any, device: torch.device) -> Any:
    """What a prepared loader does; pytorch-accelerated uses it, too."""
    from accelerate.utils import send_to_device

    return send_to_device(batch, device)


def ignite(batch: Any, device: torch.device) -> Any:
    """What a supervised trainer does with inputs and targets."""
    from ignite.utils import convert_tensor

    return convert_tensor(batch, device)


def torchtnt(batch: Any, device: torch.device) -> Any:
    """What an `AutoUnit` does."""
    from torchtnt.utils.device import copy_data_to_device

    return copy_data_to_device(batch, device)


def skorch(batch: Any, device: torch.device) -> Any:
    """What a `NeuralNet` does."""
    from skorch.utils import to_tensor

    return to_tensor(batch, device)


WAYS: dict[str, Move] = {
    "treadle_loop": ours,
    "Lightning and Fabric": lightning,
    "Accelerate": accelerate,
    "Ignite": ignite,
    "torchtnt": torchtnt,
    "skorch": skorch,
}


def tensors_of(batch: Any) -> list[Tensor]:
    """All tensors of a batch of one of the kinds above."""
    if isinstance(batch, Tensor):
        return [batch]
    if isinstance(batch, dict):
        batch = list(batch.values())
    if isinstance(batch, list | tuple):
        return [tensor for item in batch for tensor in tensors_of(item)]
    if isinstance(batch, str):
        return []
    return [batch.inputs, batch.targets]


def answer(move: Move, kind: Callable[[Tensor, Tensor], Any]) -> Answer:
    """Where the tensors are afterwards."""

    def where() -> str:
        device = torch.device("meta")
        try:
            moved = tensors_of(move(kind(torch.zeros(2), torch.ones(2)), device))
        except (TypeError, ValueError, AttributeError) as error:
            return type(error).__name__
        return "moved" if all(each.device == device for each in moved) else "LEFT"

    return where


def moving_table() -> list[str]:
    """Print what is moved; the kinds that ours does not move."""
    return table(
        "a batch on its way to a device",
        list(KINDS),
        ["moved"] * len(KINDS),
        {name: [answer(move, kind) for kind in KINDS.values()] for name, move in WAYS.items()},
    )
