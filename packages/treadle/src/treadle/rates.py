"""The learning rates of an optimizer, under names that mean the same from one run to another."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

__all__ = ["current_rates", "named_rates"]


def current_rates(optimizer: Optimizer | None) -> list[Any]:
    """The rate of each group as it is now; one that is a tensor is copied, since schedulers write into it."""
    groups = optimizer.param_groups if optimizer is not None else []
    rates = [group["lr"] for group in groups]
    return [rate.clone() if isinstance(rate, Tensor) else rate for rate in rates]


def named_rates(optimizer: Optimizer | None, rates: Sequence[Any]) -> dict[str, float]:
    """What is logged of them: `lr`, that of the first group, and `lr/<group>` of each group with another one.

    A group is called by its `name`, where it has one, or by its number. Groups that differ in other things, such as
    their weight decay, have one rate together; so a run with one group and a run with several have `lr` in common. A
    group that began with another rate is logged throughout, also where a schedule brings the rates together.
    """
    if optimizer is None or not rates:
        return {}
    begun = [
        float(group.get("initial_lr", rate))
        for group, rate in zip(optimizer.param_groups, rates, strict=True)
    ]
    now = [float(rate) for rate in rates]
    named = {"lr": now[0]}
    for index, group in enumerate(optimizer.param_groups[1:], 1):
        if (begun[index], now[index]) != (begun[0], now[0]):
            named[f"lr/{group.get('name', index)}"] = now[index]
    return named
