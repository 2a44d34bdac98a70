"""Exact gradients and means of a window that several ranks compute together."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from zlib import crc32

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from treadle_loop.agreement import AgreedPass
from treadle_loop.errors import RanksOutOfStep
from treadle_loop.gradients import multiply_gradients
from treadle_loop.loss import Mean, Outcome
from treadle_loop.means import RunningMean, wide, wide_on
from treadle_loop.meeting import SLOTS, agree, gather
from treadle_loop.runtime import Runtime


class SharedAccumulation:
    """Backward passes whose gradients, averaged over the ranks, are those of the weighted mean.

    The hosts average: with R ranks they leave the sum of all gradients divided by R. So a value v
    that is a mean over w things is scaled by R * w / W, where W is what the window weighs over all
    ranks. Where the weights are the records, W is known before the first forward. Otherwise the
    first batches say how much a batch may weigh, in one collective, and what is left is settled at
    the end; in a window of one batch that first collective is W itself.

    Whether a step gives a weight, and which metrics and counts, must be the same on all ranks. The
    first update of an engine sees to that, where a sum of others would be of another size, or of
    other things.
    """

    def __init__(
        self,
        window: AgreedPass,
        runtime: Runtime,
        model: nn.Module,
        optimizer: Optimizer,
        backward: Callable[[Tensor], None],
        *,
        is_first: bool,
    ) -> None:
        self._window = window
        self._runtime = runtime
        self._model = model
        self._optimizer = optimizer
        self._backward = backward
        self._is_first = is_first
        self._scale: Tensor | float | None = None
        self._exact = True
        self._by_records = False

    def backward(self, value: Tensor, outcome: Outcome) -> None:
        """Add the gradient of one value."""
        if self._is_first:
            self._check_alike(outcome)
            self._is_first = False
        weight = outcome.weight
        scale = self._scale
        if scale is None:
            scale = self._scale = self._common_scale(value, outcome)
        if not isinstance(weight, Tensor) and not weight:
            # It adds nothing, and still goes back: the other ranks wait in its backward.
            with _adding_nothing(value) as nothing:
                self._backward(nothing)
            return
        factor = (wide(weight.to(value.device)) if isinstance(weight, Tensor) else weight) / scale
        self._backward(value * (factor.to(value) if isinstance(factor, Tensor) else factor))

    def settle(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """Bring the gradients to the window's weight; what it came to over all ranks.

        Nothing is read from the device, and one small collective is made on it.
        """
        loss = RunningMean()
        metrics: dict[str, RunningMean] = {}
        for outcome in outcomes:
            loss.add(outcome.value, outcome.weight)
            for name, mean in outcome.metrics.items():
                metrics.setdefault(name, RunningMean()).add(mean.value, mean.weight)
        device = next(o.value.device for o in outcomes if isinstance(o.value, Tensor))
        names = sorted(metrics)
        own = torch.stack([one.sums(device) for one in (loss, *(metrics[name] for name in names))])
        sums = self._runtime.all_reduce(own)
        total = sums[0, 1]
        exact = self._exact and not (self._by_records and any(one.said for one in outcomes))
        if not exact and self._scale is not None:
            factor = self._scale * self._runtime.world_size / total
            multiply_gradients(self._model, self._optimizer, torch.where(total > 0, factor, 1.0))
        means = sums[:, 0] / sums[:, 1]
        records, counts = self._counts(outcomes)
        weighted = any("weight" in outcome.said for outcome in outcomes)
        shared = {name: Mean(means[row], sums[row, 1]) for row, name in enumerate(names, 1)}
        return [Outcome(means[0], total if weighted else records, records, counts, shared)]

    def _check_alike(self, outcome: Outcome) -> None:
        """See that the step gives the same things on every rank."""
        own = [f"the metric {name!r}" for name in sorted(outcome.metrics)]
        own += [f"the count {name!r}" for name in sorted(outcome.counts)]
        own += [f"the {name}" for name in sorted(outcome.said)]
        for rank, other in enumerate(gather(self._runtime, "the first update", own)):
            if other != own:
                raise RanksOutOfStep(
                    f"the step gives {', '.join(own) or 'nothing but a loss'} on rank "
                    f"{self._runtime.rank}, and {', '.join(other) or 'nothing but a loss'} on rank "
                    f"{rank}: what it gives has to be the same on every rank",
                )

    def _common_scale(self, value: Tensor, outcome: Outcome) -> Tensor | float:
        world_size = self._runtime.world_size
        if not outcome.said and not math.isnan(self._window.records):
            self._by_records = True
            return max(self._window.records, 1) / world_size
        total = self._runtime.all_reduce(wide_on(outcome.weight, value.device).clone())
        self._exact = self._window.planned == 1
        return torch.where(total > 0, total, 1.0) * self._window.planned / world_size

    def _counts(self, outcomes: Sequence[Outcome]) -> tuple[int, dict[str, int]]:
        """Records and further counts over all ranks; agreed on again only where steps gave some."""
        counts = Counter[str]()
        for outcome in outcomes:
            counts.update(outcome.counts)
        known = not math.isnan(self._window.records)
        if known and not counts and not any("records" in outcome.said for outcome in outcomes):
            return int(self._window.records), {}
        names = sorted(counts)
        own = [sum(outcome.records for outcome in outcomes), *(counts[name] for name in names)]
        records, *further = self._sums(own, names)
        return int(records), {name: int(each) for name, each in zip(names, further, strict=True)}

    def _sums(self, own: Sequence[float], names: Sequence[str]) -> list[float]:
        """The sums over all ranks, in as many messages as it takes; in one, as a rule."""
        # So that counts of other names are not added up.
        signature = crc32("\n".join(names).encode())
        sums: list[float] = []
        while own:
            piece, own = own[: SLOTS - 1], own[SLOTS - 1 :]
            everyone = agree(self._runtime, "the counts of an update", [signature, *piece])
            for rank, (other, *_) in enumerate(everyone):
                if other != signature:
                    raise RanksOutOfStep(
                        f"the step gives the counts {', '.join(names) or '(none)'} on rank "
                        f"{self._runtime.rank}, and others on rank {rank}: which it gives has to "
                        "be the same on every rank",
                    )
            sums += map(sum, zip(*(values for _, *values in everyone), strict=True))
        return sums


@contextmanager
def _adding_nothing(value: Tensor) -> Iterator[Tensor]:
    """A context in which the backward of what it yields leaves gradients of zero.

    To multiply a loss by 0 is not enough where it is not finite, such as a mean over nothing: the
    gradients within are nan then, and times 0 they still are. So what arrives at the parameters
    is replaced by zeros. It does arrive there: other ranks wait for it.
    """
    removable = [node.register_prehook(_zeros) for node in _ends(value)]
    try:
        yield torch.nan_to_num(value) * 0
    finally:
        # A host may keep these nodes for the next pass.
        for handle in removable:
            handle.remove()


def _ends(value: Tensor) -> list[Any]:
    """The places in the graph of a value where gradients are added up in parameters."""
    ends = []
    waiting: list[Any] = [value.grad_fn]
    seen = {None, value.grad_fn}
    while waiting:
        node = waiting.pop()
        if hasattr(node, "variable"):
            ends.append(node)
        for following, _ in node.next_functions:
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return ends


def _zeros(gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    return tuple(None if each is None else torch.zeros_like(each) for each in gradients)
