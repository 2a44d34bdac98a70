"""How the engine talks to what runs it: one process, several ranks, or somebody's framework."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer


class Runtime(Protocol):
    """The verbs that differ between one process, several, and the frameworks that host a loop.

    The constructors are in `treadle_loop.runtimes`.

    Attributes:
        rank: which of the processes that train together this one is, from 0.
        world_size: how many there are.
        autocast: a context that the host wants for forward and loss, such as one of mixed
            precision; None if it wants none, and nothing is entered.
        collective_forward: whether each rank holds only a part of the model, so that all of them
            must compute a forward together.
        precise: if the host decides on the precision itself, so that the engine must not, how it
            was told, such as `Fabric(precision='bf16-mixed')`; else empty.
    """

    rank: int
    world_size: int
    autocast: Callable[[], AbstractContextManager[Any]] | None
    collective_forward: bool
    precise: str

    def backward(self, loss: Tensor, /) -> None:
        """Compute the gradients of `loss` and add them up in the parameters."""
        ...

    def no_sync(self, model: nn.Module, /) -> AbstractContextManager[Any]:
        """A context in which gradients are added up on each rank, but not yet over the ranks."""
        ...

    def clip(self, model: nn.Module, optimizer: Optimizer, max_norm: float, /) -> Tensor:
        """Scale the optimizer's gradients down to a 2-norm of `max_norm`; their norm before it.

        The norm is over all ranks, a 0-dim tensor on the device, and the same on each.
        """
        ...

    def step(self, optimizer: Optimizer, /) -> None:
        """Let the optimizer update its parameters."""
        ...

    def all_reduce(self, values: Tensor, /) -> Tensor:
        """The sum over the ranks, on the device, which the host does not wait for."""
        ...

    def agree(self, values: Sequence[float], /) -> list[list[float]]:
        """What each rank gave, in the order of the ranks; every rank gives equally many values.

        It waits for all ranks, on the host: no device is read.
        """
        ...

    def gather(self, value: Any, /) -> list[Any]:
        """The same for any object that can be pickled; slower, for rare use."""
        ...

    def unwrap_optimizer(self, optimizer: Optimizer, /) -> Optimizer:
        """The optimizer that the user made, without the wrapper of a host.

        It is the one whose state is saved, and that torch's loss scaling works with.
        """
        ...

    def unwrap(self, model: nn.Module, /) -> nn.Module:
        """The module that the user wrote, whose `state_dict` has its own names.

        Raises:
            InvalidSetting: the model is not one that this runtime can train.
        """
        ...
