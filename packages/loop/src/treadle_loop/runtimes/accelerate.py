"""Hugging Face Accelerate as the host: it brought the processes together, and prepared the model."""

from contextlib import AbstractContextManager
from typing import Any

from torch import nn

from treadle_loop.errors import InvalidSetting
from treadle_loop.runtimes.hosted import HostedRuntime

_PRECISIONS = ("no", "bf16")


class AccelerateRuntime(HostedRuntime):
    """For a model that went through `accelerator.prepare`.

    The engine computes all of the step in Accelerate's precision, in training and in evaluation.

    Args:
        accelerator: an `accelerate.Accelerator`. Its module is not imported here.

    Raises:
        InvalidSetting: it is something else, accumulates gradients, or scales losses by itself.
    """

    def __init__(self, accelerator: Any) -> None:
        steps = getattr(accelerator, "gradient_accumulation_steps", None)
        if isinstance(accelerator, type) or steps is None:
            raise InvalidSetting(
                f"runtimes.accelerate was given {accelerator!r}, and an accelerate.Accelerator was "
                "expected: runtimes.accelerate(Accelerator())",
            )
        if steps != 1:
            raise InvalidSetting(
                f"Accelerator was made with gradient_accumulation_steps={steps}, so it would "
                "divide each loss again and skip steps that the engine makes; leave it out there, "
                f"and give Engine(..., accumulate={steps})",
            )
        precision = accelerator.mixed_precision
        if precision not in _PRECISIONS:
            raise InvalidSetting(
                f"Accelerator was made with mixed_precision={precision!r}, and "
                f"{' or '.join(map(repr, _PRECISIONS))} was expected: with another it skips steps "
                "that the engine would count; leave it out there, and for fp16 give Engine(..., "
                'precision="fp16")',
            )
        mixed = precision != "no"
        super().__init__(
            "accelerate",
            accelerator.num_processes,
            accelerator.backward,
            autocast=accelerator.autocast if mixed else None,
            precise=f"Accelerator(mixed_precision={precision!r})" if mixed else "",
        )
        self._accelerator = accelerator

    def no_sync(self, model: nn.Module) -> AbstractContextManager[Any]:
        """Accelerate's own."""
        held_back: AbstractContextManager[Any] = self._accelerator.no_sync(model)
        return held_back

    def unwrap(self, model: nn.Module) -> nn.Module:
        """The module that `accelerator.prepare` was given.

        Raises:
            InvalidSetting: the model did not go through it, or was prepared in a way that the
                engine does not know.
        """
        return self._within(model, how="accelerator.prepare")
