"""The step for inputs and targets."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from treadle_loop.errors import InvalidSetting, NotAPair
from treadle_loop.loss import Loss, Mean, Weight

Step = Callable[[nn.Module, Any], Tensor | Loss]
"""What you write: from the model and a batch, on the model's device, to the loss."""


def supervised(
    loss: Callable[[Any, Any], Tensor],
    weight: Callable[[Any, Any], Weight] | None = None,
    *,
    metrics: Mapping[str, Callable[[Any, Any], Tensor | float | Mean]] | None = None,
) -> Step:
    """The step for batches `(inputs, targets)`: `loss(model(inputs), targets)`.

    Args:
        loss: a function of outputs and targets that returns one value, the mean over the batch.
        weight: a function of the two that returns what that mean is over, if that is not the
            records: `lambda outputs, targets: (targets != -100).sum()` for `F.cross_entropy`, which
            leaves such targets out. It is called without gradients.
        metrics: further functions of the two, by name, that return a mean over the same, or a
            `Mean` with a weight of its own. They are called without gradients.

    Returns:
        A step for `Engine`, which raises `NotAPair` if a batch is anything else.

    Raises:
        InvalidSetting: one of them is not a function, or a class that is yet to be instantiated.
    """
    given = {"loss": loss, **({} if weight is None else {"weight": weight}), **(metrics or {})}
    for name, function in given.items():
        if isinstance(function, type) or not callable(function):
            instance = (
                f"; did you mean {function.__name__}()?" if isinstance(function, type) else ""
            )
            raise InvalidSetting(
                f"supervised() was given {function!r} as {name!r}, and a function of outputs and "
                f"targets was expected{instance}",
            )

    def step(model: nn.Module, batch: Any) -> Tensor:
        if type(batch) in (tuple, list) and len(batch) == 2:  # the hot path
            return loss(model(batch[0]), batch[1])
        inputs, targets = pair(batch)
        return loss(model(inputs), targets)

    def weighted_step(model: nn.Module, batch: Any) -> Loss:
        inputs, targets = pair(batch)
        outputs = model(inputs)
        value = loss(outputs, targets)
        with torch.no_grad():
            return Loss(
                value,
                weight=None if weight is None else weight(outputs, targets),
                metrics={name: of(outputs, targets) for name, of in (metrics or {}).items()},
            )

    return step if weight is None and not metrics else weighted_step


def pair(batch: Any) -> tuple[Any, Any]:
    """The inputs and the targets of a batch.

    Raises:
        NotAPair: the batch is not a tuple or a list of two.
    """
    # A dict of two would unpack too, into its keys.
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        return batch[0], batch[1]
    length = f" of length {len(batch)}" if isinstance(batch, (tuple, list)) else ""
    raise NotAPair(
        f"a batch is a {type(batch).__name__}{length}, and supervised() expects (inputs, "
        "targets); write the step yourself, def step(model, batch) -> Tensor, or give "
        "Engine.update a list of batches",
    )
