"""A step in a loop that is not the engine's: called and read as the engine does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from treadle_loop.loss import Mean, read_outcome
from treadle_loop.means import wide_on
from treadle_loop.records import count_records
from treadle_loop.settings import check_parts
from treadle_loop.supervised import Step
from treadle_loop.trainable import check_trainable


@dataclass(frozen=True, slots=True, eq=False)
class StepResult:
    """What a step returned for one batch, with every blank filled in; `call_step` makes one.

    Attributes:
        loss: as the step returned it, with its graph: a 0-dim tensor, or a number.
        records: how many records the batch holds.
        counts: further counts by name, such as tokens.
        means: the loss, as `"loss"`, and the metrics by name, without gradients, each with what it
            is a mean over.
    """

    loss: Tensor | float
    records: int
    counts: Mapping[str, int]
    means: Mapping[str, Mean]

    def training_loss(self) -> Tensor | None:
        """The loss to call `backward` on; None for a batch of weight 0, which trains nothing.

        A weight that is a tensor is not read: if it is 0, so is the gradient.

        Raises:
            LossNotATensor: the loss is a number.
            LossWithoutGraph: it has no gradient function.
            RebuiltLoss: it is a new tensor that merely requires a gradient.
        """
        loss = check_trainable(self.loss)
        weight = self.means["loss"].weight
        if isinstance(weight, Tensor):
            return loss * (weight > 0).to(loss)
        return loss if weight else None

    def means_on(self, device: torch.device) -> dict[str, Mean]:
        """The means to be summed over batches: `value * weight`, and `weight`.

        Values and weights are 0-dim tensors on `device`, in float64, which is exact for counts
        (float32 on MPS). The value of a mean over nothing is 0, not nan. It waits for no device.
        """
        return {name: _wide(mean, device) for name, mean in self.means.items()}


def call_step(model: nn.Module, step: Step, batch: Any) -> StepResult:
    """Call the step on a batch, in somebody else's module, trainer or loop.

        result = call_step(model, step, batch)
        loss = result.training_loss()
        if loss is not None:
            loss.backward()

    Args:
        model: what is trained, on the batch's device, and in the mode that it should be in.
        step: as for `Engine`.
        batch: what the step takes.

    Raises:
        LossNotATensor: the step returned neither a loss nor a number.
        UnreducedLoss: the loss has more than one value.
        UnreducedMetric: a metric has more than one value.
        InvalidSetting: what it returned has a metric or a weight that cannot be averaged.
        RecordsUnknown: neither the batch nor the step says how many records it holds.
        RecordsDisagree: the arrays of the batch have different leading sizes.
    """
    loss, outcome = read_outcome(step(model, batch), batch, count_records)
    means = {"loss": Mean(outcome.value, outcome.weight), **outcome.metrics}
    return StepResult(loss, outcome.records, outcome.counts, means)


def check_step(model: nn.Module, step: Step) -> None:
    """Check that they are a model and a step, as `Engine` does, before the first batch comes.

    Raises:
        InvalidSetting: they are something else, such as swapped, or a loss of outputs and targets,
            which `supervised` makes a step of.
    """
    check_parts(model, step, None)


def _wide(mean: Mean, device: torch.device) -> Mean:
    weight = wide_on(mean.weight, device)
    # A mean over nothing is nan, and nan * 0 would be nan again.
    return Mean(wide_on(mean.value, device).masked_fill(weight == 0, 0), weight)
