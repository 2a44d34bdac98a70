"""The result of one optimizer step."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from treadle_loop.loss import Outcome, Weight
from treadle_loop.means import Means, RunningMean


class Update(NamedTuple):
    """One optimizer step: what it was made of, and where it stands in its pass.

    Tensors are detached, 0-dim, and stay on their device until you read them. A mean over several
    batches is computed there when you ask for it. On several ranks, everything is over all of them,
    except `batches`, of which each rank has equally many.

    Attributes:
        outcomes: the outcome of each batch of the window, in order; on several ranks one, for all.
        grad_norm: the 2-norm of all gradients before clipping; None without `clip_norm`.
        records: how many records the window held.
        batches: how many batches the window held.
        index: the place of this update in its pass, from 0.
        last: whether this update ends its pass.
        skipped: whether the optimizer did not step because, with fp16, the gradients overflowed.
    """

    outcomes: Sequence[Outcome]
    grad_norm: Tensor | None
    records: int
    batches: int
    index: int  # type: ignore[assignment]  # every tuple has a method of this name
    last: bool
    skipped: bool = False

    @property
    def loss(self) -> Tensor:
        """The weighted mean of the window's losses: a single one as it is, several in float64."""
        if len(self.outcomes) == 1:
            value = self.outcomes[0].value
            if isinstance(value, Tensor):
                return value
        return self._running_loss().mean()

    @property
    def weight(self) -> Weight:
        """What `loss` is a mean over."""
        return self._running_loss().weight

    @property
    def metrics(self) -> dict[str, Tensor]:
        """The weighted mean of each metric, in float64."""
        means = Means()
        for outcome in self.outcomes:
            means.add(outcome.metrics)
        return means.values()

    @property
    def counts(self) -> dict[str, int]:
        """What this update adds to the run: records, batches, steps, epochs, and `Loss.counts`.

        `steps` is 1, or 0 if the step was skipped; `epochs` is 1 for the update that ends a pass.
        """
        counts = {
            "records": self.records,
            "batches": self.batches,
            "steps": int(not self.skipped),
            "epochs": int(self.last),
        }
        for outcome in self.outcomes:
            for name, count in outcome.counts.items():
                counts[name] = counts.get(name, 0) + count
        return counts

    def _running_loss(self) -> RunningMean:
        running = RunningMean()
        for outcome in self.outcomes:
            running.add(outcome.value, outcome.weight)
        return running
