"""What the frameworks that host a loop have in common: they made the ranks, and wrapped the model."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from treadle_loop.errors import InvalidSetting
from treadle_loop.gradients import parameters_of
from treadle_loop.runtimes.distributed import DistributedRuntime, check_spread
from treadle_loop.runtimes.plain import PlainRuntime, is_fully_sharded
from treadle_loop.sharding import is_sharded


class HostedRuntime(PlainRuntime):
    """One process of a host, or the ranks that it has brought together under torch.distributed.

    Args:
        name: what the host is called, as in `runtimes.fabric(fabric)`.
        world_size: how many processes the host trains with.
        backward: computes gradients as the host wants it.
        autocast: the host's mixed precision, a context; None where it has none.
        precise: how the host was told its precision; empty where it was not.

    Raises:
        InvalidSetting: the host has more than one process, and they cannot talk.
    """

    def __init__(
        self,
        name: str,
        world_size: int,
        backward: Callable[[Tensor], None],
        *,
        autocast: Callable[[], AbstractContextManager[Any]] | None,
        precise: str,
    ) -> None:
        if world_size > 1 and not (dist.is_available() and dist.is_initialized()):
            raise InvalidSetting(
                f"{name} has {world_size} processes, and there is no process group in which they "
                f"could talk; make the runtime after they were started, as {name}.launch() does",
            )
        self._ranks = DistributedRuntime() if world_size > 1 else PlainRuntime()
        self._name = name
        self.rank, self.world_size = self._ranks.rank, self._ranks.world_size
        self.backward = backward
        self.autocast = autocast
        self.precise = precise

    def clip(self, _model: nn.Module, optimizer: Optimizer, max_norm: float) -> Tensor:
        """As torch does: hosts that scale losses are refused, and others do the same."""
        norm: Any = clip_grad_norm_(parameters_of(optimizer), max_norm)
        total: Tensor = norm.full_tensor() if is_sharded(norm) else norm
        return total

    def all_reduce(self, values: Tensor) -> Tensor:
        """Over torch.distributed."""
        return self._ranks.all_reduce(values)

    def agree(self, values: Sequence[float]) -> list[list[float]]:
        """Over torch.distributed."""
        return self._ranks.agree(values)

    def gather(self, value: Any) -> list[Any]:
        """Over torch.distributed."""
        return self._ranks.gather(value)

    def unwrap_optimizer(self, optimizer: Optimizer) -> Optimizer:
        """What the host's wrapper has within."""
        inner: Optimizer = getattr(optimizer, "optimizer", optimizer)
        return inner

    def _within(self, wrapped: nn.Module, *, how: str) -> nn.Module:
        """The module that the user wrote, in what the host has made of it for torch.

        Raises:
            InvalidSetting: it is neither replicated nor sharded, and there are several ranks; or it
                is wrapped in what the engine does not know.
        """
        wrapped = getattr(wrapped, "_orig_mod", wrapped)  # of torch.compile
        if is_fully_sharded(wrapped):
            check_spread(wrapped, self.world_size)
            self.collective_forward = True
            return wrapped
        if isinstance(wrapped, DistributedDataParallel):
            module: nn.Module = wrapped.module
            return getattr(module, "_orig_mod", module)
        trains_itself = any(hasattr(wrapped, name) for name in ("backward", "clip_grad_norm_"))
        if self.world_size > 1 or trains_itself:
            raise InvalidSetting(
                f"the model is a {type(wrapped).__name__}, and runtimes.{self._name}() expects one "
                f"that {how} wrapped in DistributedDataParallel, sharded by fully_shard (FSDP2) or, "
                "with one process, left as it was; call that, with a strategy that does so",
            )
        return wrapped
