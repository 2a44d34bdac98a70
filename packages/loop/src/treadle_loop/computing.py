"""The step as it is computed: compiled, or within a context of the host."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from treadle_loop.containers import map_tensors
from treadle_loop.errors import InvalidSetting
from treadle_loop.loss import Loss
from treadle_loop.supervised import Step


def compiled(step: Step, *, setting: bool | Mapping[str, Any]) -> Step:
    """The step through `torch.compile`, where that is asked for.

    Raises:
        InvalidSetting: the setting is neither a bool nor arguments for `torch.compile`.
    """
    if setting is False:
        return step
    if setting is not True and not isinstance(setting, Mapping):
        raise InvalidSetting(
            f"compile is {setting!r}, and True, False or a mapping of arguments for torch.compile "
            'was expected, such as {"mode": "max-autotune"}',
        )
    options: dict[str, Any] = {} if setting is True else dict(setting)
    faster = torch.compile(step, **options)

    def compiled_step(model: nn.Module, batch: Any) -> Tensor | Loss:
        if not torch.cuda.is_initialized():
            return faster(model, batch)
        # What a graph replayed on a GPU returns is overwritten by the next replay.
        torch.compiler.cudagraph_mark_step_begin()
        returned: Tensor | Loss = map_tensors(_kept, faster(model, batch))
        return returned

    return compiled_step


def _kept(leaf: Tensor) -> Tensor:
    # Not a leaf that wants a gradient: a copy of it would look as if it had been computed.
    return leaf if leaf.is_leaf and leaf.requires_grad else leaf.clone()


def within(context: Callable[[], AbstractContextManager[Any]], step: Step) -> Step:
    """The step, within a context that is entered anew for each batch."""

    def step_within(model: nn.Module, batch: Any) -> Tensor | Loss:
        with context():
            return step(model, batch)

    return step_within
