"""One process, and nothing between the engine and torch."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from treadle_loop.errors import InvalidSetting
from treadle_loop.gradients import parameters_of


class PlainRuntime:
    """Torch in one process; see `Runtime` for the verbs."""

    rank = 0
    world_size = 1
    autocast: Callable[[], AbstractContextManager[Any]] | None = None
    collective_forward = False
    precise = ""

    # As it is: the engine's hot path has no call in between.
    backward: Callable[[Tensor], None] = staticmethod(torch.autograd.backward)

    def no_sync(self, _model: nn.Module) -> AbstractContextManager[Any]:
        """There is nothing to hold back."""
        return nullcontext()

    def clip(self, _model: nn.Module, optimizer: Optimizer, max_norm: float) -> Tensor:
        """As torch does."""
        return clip_grad_norm_(parameters_of(optimizer), max_norm)

    def step(self, optimizer: Optimizer) -> None:
        """As torch does."""
        optimizer.step()

    def all_reduce(self, values: Tensor) -> Tensor:
        """The same."""
        return values

    def agree(self, values: Sequence[float]) -> list[list[float]]:
        """Its own."""
        return [list(values)]

    def gather(self, value: Any) -> list[Any]:
        """Its own."""
        return [value]

    def unwrap_optimizer(self, optimizer: Optimizer) -> Optimizer:
        """The optimizer."""
        return optimizer

    def unwrap(self, model: nn.Module) -> nn.Module:
        """The model, which must be none that synchronises by itself.

        Raises:
            InvalidSetting: it is one.
        """
        wrapped = getattr(model, "_forward_module", model)  # Fabric's
        if isinstance(wrapped, DistributedDataParallel):
            wanted = "ddp()"
        elif is_fully_sharded(wrapped):
            wanted = "fsdp2()"
        else:
            return model
        if wrapped is not model:
            wanted = "fabric(fabric)"
        raise InvalidSetting(
            f"the model is a {type(model).__name__}, which trains on several ranks, and the engine "
            "was not told so: its counts and means would be those of one rank; give "
            f"Engine(..., runtime=runtimes.{wanted})",
        )


def default_runtime(model: nn.Module, optimizer: Optimizer | None) -> PlainRuntime:
    """What runs a loop that was told nothing.

    Raises:
        InvalidSetting: it trains, and there are ranks to train with that its model knows nothing
            of.
    """
    runtime = PlainRuntime()
    runtime.unwrap(model)
    if optimizer is not None and dist.is_available() and dist.is_initialized():
        world_size = dist.get_world_size()
        if world_size > 1:
            raise InvalidSetting(
                f"torch.distributed has {world_size} ranks, and neither the model nor the engine "
                "knows of them: each would train another model, on its share of the records; wrap "
                "the model and give Engine(..., runtime=runtimes.ddp()), or "
                "runtime=runtimes.torch() where each process trains a model of its own",
            )
    return runtime


def is_fully_sharded(model: nn.Module) -> bool:
    """Whether the model went through `fully_shard`, of which a trait remains that we look for."""
    # FSDPModule itself is in a package that takes long to import.
    return callable(getattr(model, "set_requires_gradient_sync", None))
