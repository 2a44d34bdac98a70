"""Lightning Fabric as the host: it launched the processes, and set model and optimizer up."""

from contextlib import AbstractContextManager
from typing import Any

from torch import nn

from treadle_loop.errors import InvalidSetting
from treadle_loop.runtimes.hosted import HostedRuntime

_PRECISIONS = ("32-true", "bf16-mixed")


class FabricRuntime(HostedRuntime):
    """For a model that went through `fabric.setup`.

    The engine computes all of the step in Fabric's precision, in training and in evaluation.

    Args:
        fabric: a `lightning.fabric.Fabric`, launched. Its module is not imported here.

    Raises:
        InvalidSetting: it is something else, is not launched, or scales losses or converts the
            model by itself.
    """

    def __init__(self, fabric: Any) -> None:
        if isinstance(fabric, type) or not callable(getattr(fabric, "no_backward_sync", None)):
            raise InvalidSetting(
                f"runtimes.fabric was given {fabric!r}, and a lightning.fabric.Fabric was "
                "expected: fabric = Fabric(...); fabric.launch(); runtimes.fabric(fabric)",
            )
        precision = fabric.strategy.precision.precision
        if precision not in _PRECISIONS:
            raise InvalidSetting(
                f"Fabric was made with precision={precision!r}, and "
                f"{' or '.join(map(repr, _PRECISIONS))} was expected: with another it skips steps "
                "that the engine would count, or converts what an evaluation here would not; "
                'leave it out there, and for fp16 give Engine(..., precision="fp16")',
            )
        mixed = precision != "32-true"
        super().__init__(
            "fabric",
            fabric.world_size,
            fabric.backward,
            autocast=fabric.autocast if mixed else None,
            precise=f"Fabric(precision={precision!r})" if mixed else "",
        )
        self._fabric = fabric

    def no_sync(self, model: nn.Module) -> AbstractContextManager[Any]:
        """Fabric's own."""
        held_back: AbstractContextManager[Any] = self._fabric.no_backward_sync(model)
        return held_back

    def unwrap(self, model: nn.Module) -> nn.Module:
        """The module that `fabric.setup` was given.

        Raises:
            InvalidSetting: the model did not go through it, or its strategy is one that the engine
                does not know.
        """
        wrapped = getattr(getattr(model, "_orig_mod", model), "_forward_module", None)
        if wrapped is None:
            raise InvalidSetting(
                f"the model is a {type(model).__name__} that Fabric knows nothing of; set it up "
                "first: model, optimizer = fabric.setup(model, optimizer)",
            )
        return self._within(wrapped, how="fabric.setup")
