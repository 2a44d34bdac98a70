"""What a user is told whose loss cannot train."""

import contextlib
import io
from collections.abc import Callable
from dataclasses import replace

import torch
from by_hand import by_hand
from grid import Answer, listed
from ours import train_epoch
from rivals import RIVALS, Make
from tasks import tiny
from torch import Tensor

Spoil = Callable[[Tensor], object]

MISTAKES: dict[str, Spoil] = {
    "loss.item()": lambda loss: loss.mean().item(),
    "torch.tensor(loss.item())": lambda loss: torch.tensor(loss.mean().item()),
    "torch.tensor(loss.item(), requires_grad=True)": lambda loss: torch.tensor(
        loss.mean().item(), requires_grad=True
    ),
    "a loss for each record": lambda loss: loss,
}


def answer(make: Make, spoil: Spoil) -> Answer:
    """What is raised, or what became of the weights."""

    def told() -> str:
        task = tiny(4)
        model = task.model()
        before = [parameter.detach().clone() for parameter in model.parameters()]
        spoiled = replace(
            task,
            model=lambda: model,
            loss=lambda outputs, targets: spoil((outputs - targets).square().squeeze(1)),  # type: ignore[arg-type, return-value]
        )
        with contextlib.redirect_stderr(io.StringIO()):
            make(spoiled, spoiled.data_loader())(1)
        moved = any(
            not torch.equal(one, other)
            for one, other in zip(before, model.parameters(), strict=True)
        )
        return "nothing is raised; it trains" if moved else "NOTHING IS RAISED, AND NOTHING TRAINS"

    return told


def mistakes_table() -> list[str]:
    """Print what is said of each mistake; nothing of it is right or wrong."""
    ways: dict[str, Make] = {"treadle_loop": train_epoch, "by hand": by_hand}
    # Keras has losses of its own, and without its log Lightning's mean would be kept by hand.
    left_out = {"Keras on torch", "Lightning, without self.log"}
    ways |= {name: make for name, (_, make) in RIVALS.items() if name not in left_out}
    listed(
        "a loss that cannot train",
        list(MISTAKES),
        {name: [answer(make, spoil) for spoil in MISTAKES.values()] for name, make in ways.items()},
    )
    return []
