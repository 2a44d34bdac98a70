"""Several ranks under torch.distributed: replicas (DDP), and shards (FSDP2)."""

import atexit
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from treadle_loop.errors import InvalidSetting
from treadle_loop.gradients import parameters_of
from treadle_loop.runtimes.plain import PlainRuntime, is_fully_sharded
from treadle_loop.sharding import is_sharded

_TAG = 1_953_653_108  # of its messages, apart from those of the user's in the same group


class DistributedRuntime(PlainRuntime):
    """The ranks of the default process group; made on every rank at the same place.

    What the ranks agree on goes through the hosts, over gloo, so that no device is waited for. If
    the default group has no gloo, a second group with all ranks is made.

    Raises:
        InvalidSetting: there is no process group.
    """

    def __init__(self) -> None:
        if not (dist.is_available() and dist.is_initialized()):
            raise InvalidSetting(
                f"{type(self).__name__} needs a process group, and there is none; call "
                "torch.distributed.init_process_group() first, and start the script with torchrun",
            )
        self.rank = dist.get_rank()
        self.world_size = dist.get_world_size()
        gloo = "gloo" in dist.get_backend_config()
        self._hosts = None if gloo else dist.new_group(backend="gloo")
        atexit.unregister(_let_gloo_finish)  # one is enough, however many are made
        atexit.register(_let_gloo_finish)

    def all_reduce(self, values: Tensor) -> Tensor:
        """The sum, in place."""
        dist.all_reduce(values)
        return values

    def agree(self, values: Sequence[float]) -> list[list[float]]:
        """A dissemination: ceil(log2(ranks)) messages to one rank each, the last of half of it all.

        gloo's own `all_gather` passes everything through every rank in turn. Numbers travel as
        float64, exact for counts.
        """
        held = torch.tensor([values], dtype=torch.float64)  # of this rank and of those after it
        while (known := len(held)) < self.world_size:
            more = held.new_empty(min(known, self.world_size - known), len(values))
            before, after = ((self.rank + far) % self.world_size for far in (-known, known))
            works = (
                dist.isend(held[: len(more)], before, self._hosts, _TAG),
                dist.irecv(more, after, self._hosts, _TAG),
            )
            for work in works:
                assert work is not None  # as on every rank of the group
                work.wait()
            held = torch.cat([held, more])
        return held.roll(self.rank, 0).tolist()

    def gather(self, value: Any) -> list[Any]:
        """Pickled."""
        everyone: list[Any] = [None] * self.world_size
        dist.all_gather_object(everyone, value, group=self._hosts)
        return everyone


def _let_gloo_finish() -> None:
    """Leave the interpreter to gloo's threads once more before it ends.

    They let go of a collective's tensors after its caller has gone on, and need the interpreter to.
    Where that is ending by then, the process aborts, after it has done everything (torch 2.13, with
    `destroy_process_group` as well: in 6 of 20 processes whose model still held the group).
    """
    time.sleep(0.05)


class DDPRuntime(DistributedRuntime):
    """For a `DistributedDataParallel` model: every rank holds the whole of it."""

    def __init__(self) -> None:
        super().__init__()
        self._begun: WeakSet[nn.Module] = WeakSet()

    def no_sync(self, model: nn.Module) -> AbstractContextManager[Any]:
        """DDP's own."""
        assert isinstance(model, DistributedDataParallel)
        if model.static_graph and model not in self._begun:
            # It learns the graph in its first backward, and fails where that is held back. To
            # exchange gradients once more changes no sum.
            self._begun.add(model)
            return nullcontext()
        return model.no_sync()

    def unwrap(self, model: nn.Module) -> nn.Module:
        """The module within.

        Raises:
            InvalidSetting: it is none of DDP's.
        """
        if not isinstance(model, DistributedDataParallel):
            raise InvalidSetting(
                f"the model is a {type(model).__name__}, and runtimes.ddp() expects a "
                "DistributedDataParallel; wrap it: DistributedDataParallel(model)",
            )
        module: nn.Module = model.module
        return module


class FSDP2Runtime(DistributedRuntime):
    """For a model that went through `fully_shard`: every rank holds a part of each parameter."""

    collective_forward = True

    @contextmanager
    def no_sync(self, model: nn.Module) -> Iterator[None]:
        """Hold the reduction of gradients back."""
        set_sync: Any = model.set_requires_gradient_sync
        set_sync(False)
        try:
            yield
        finally:
            set_sync(True)

    def clip(self, _model: nn.Module, optimizer: Optimizer, max_norm: float) -> Tensor:
        """As torch does; the norm is then put together, which every rank takes part in."""
        norm: Any = clip_grad_norm_(parameters_of(optimizer), max_norm)
        total: Tensor = norm.full_tensor() if is_sharded(norm) else norm
        return total

    def unwrap(self, model: nn.Module) -> nn.Module:
        """The model, whose class `fully_shard` has extended.

        Raises:
            InvalidSetting: it has not.
        """
        if not is_fully_sharded(model):
            raise InvalidSetting(
                f"the model is a {type(model).__name__}, and runtimes.fsdp2() expects one that "
                "went through torch.distributed.fsdp.fully_shard(model)",
            )
        check_spread(model, self.world_size)
        return model


def check_spread(model: nn.Module, world_size: int) -> None:
    """See that gradients are exchanged by all ranks: each trains on records of its own.

    Raises:
        InvalidSetting: a parameter is spread over some of them only.
    """
    for name, parameter in model.named_parameters():
        mesh: Any = getattr(parameter, "device_mesh", None)
        if mesh is not None and mesh.size() != world_size:
            raise InvalidSetting(
                f"the parameter {name} is spread over {mesh.size()} of {world_size} ranks, and each "
                "rank trains on records of its own, so the others would train another model; give "
                "fully_shard a mesh of all ranks",
            )
