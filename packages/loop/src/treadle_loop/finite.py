"""The finite check: an update that is not finite changes nothing, and is an error when one reads."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from treadle_loop.errors import NotFinite
from treadle_loop.gradients import parameters_of
from treadle_loop.loss import Outcome
from treadle_loop.means import wide
from treadle_loop.withholding import DeviceCopies, HostState, local

LOOK_EVERY = 64
"""After how many updates the device is asked whether one was withheld."""

_Result = TypeVar("_Result")


@dataclass(slots=True)
class _Watch:
    """What is known since the check began, or began anew."""

    # Whether the update last looked at is withheld, a 0-dim tensor of a truth value.
    bad: Tensor | None = None
    # Loss and norm of the update last looked at, or of the first that was withheld.
    seen: Tensor | None = None
    # How many were withheld, on the device; and how many the host has not asked about.
    withheld: Tensor | None = None
    unread: int = 0
    # How many steps were made: where fp16 skips one, nothing is there to be withheld.
    made: int = 0
    # Of each update that is not known to be finite: steps made and state of the host before it.
    before: dict[int, tuple[int, HostState]] = field(default_factory=dict)
    # An update, and how many were withheld until then, once that has arrived.
    asked: tuple[int, Tensor, torch.cuda.Event | None] | None = None
    found: bool = False


class FiniteCheck:
    """Withholds an update whose loss or gradients are not finite, and all after it, on the device.

    Gradients are not finite where their norm is not, as `clip_grad_norm_` sees it: from about 1e19
    on, float32 cannot hold a square.

    The weights are those before the first bad update, to the last bit, at every moment; and so is
    the state of the optimizer once `raise_if_bad` has raised. What cannot be set right before that
    is what the optimizer keeps on the host (AdamW's count of steps on a GPU, where it is neither
    fused nor capturable), and what came into being in a withheld step.

    The device is asked one number by `raise_if_bad`, and once in `LOOK_EVERY` updates: of a GPU
    under CUDA without waiting for it, so that the answer is seen some updates later. One without
    values, as the meta device is, is not asked.

    A fused optimizer withholds by itself, at no cost, as it does for `torch.amp.GradScaler`. For
    any other, weights and state are copied before the step and put back after it where needed:
    that takes the memory of one more copy of both while the step lasts.

    What the forward pass changes stays changed, such as the statistics of a batch norm. So does
    what an optimizer keeps elsewhere than in tensors and numbers by parameter.

    Args:
        optimizer: whose steps are withheld.
        scaled: whether losses are scaled (fp16). Gradients that are not finite are then
            the scaling's business, and only the loss is looked at.
        all_reduce: gives the sum of a 0-dim float32 tensor over the ranks; None for one rank.

    Attributes:
        updates: how many updates were looked at, the withheld ones too.
        withheld: how many steps that were made were withheld when `raise_if_bad` last raised.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        scaled: bool = False,
        all_reduce: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.updates = 0
        self.withheld = 0
        self._optimizer = optimizer
        self._scaled = scaled
        self._all_reduce = all_reduce
        self._watch = _Watch()

    @property
    def found(self) -> bool:
        """Whether an update is known to be withheld, so that `raise_if_bad` would raise."""
        return self._watch.found

    @property
    def flag(self) -> Tensor | None:
        """1 where the update last looked at is withheld, else 0: a 0-dim float32 tensor.

        None before there was anything to look at.
        """
        bad = self._watch.bad
        return None if bad is None else bad.to(torch.float32)

    def observe(self, outcomes: Sequence[Outcome], grad_norm: Tensor | None = None) -> None:
        """Look at an update before its step.

        A batch of weight 0 counts for nothing, whatever its loss; the gradients of an update
        without any other are not looked at.

        Args:
            outcomes: what its batches came to.
            grad_norm: the norm of all gradients as they are before they are clipped, a 0-dim
                tensor, where it was measured; else it is measured here.
        """
        losses = [_counted(outcome) for outcome in outcomes if _has_weight(outcome)]
        if not losses:
            return
        watch = self._watch
        # A sum is finite where all are: in float64 it does not overflow.
        loss = losses[0] if len(losses) == 1 else wide(torch.stack(losses)).sum()
        seen = _together([loss] if self._scaled else [loss, self._norm(grad_norm, loss)])
        if watch.bad is not None and watch.seen is not None:
            seen = torch.where(watch.bad, watch.seen, seen)
        # What is finite minus itself is 0, and anything else is nan, which stays in a sum.
        bad = (seen - seen).sum().isnan()
        if self._all_reduce is not None:
            bad = self._all_reduce(bad.to(torch.float32)) > 0
            if watch.bad is not None:
                bad = bad | watch.bad
        watch.seen, watch.bad = seen, bad

    def step(self, apply: Callable[[], _Result]) -> _Result:
        """Call what steps the optimizer, so that it changes nothing where that was not finite.

        Args:
            apply: `optimizer.step`, or what calls it, and returns False where it was not called.

        Returns:
            What `apply` returned.
        """
        watch, optimizer = self._watch, self._optimizer
        bad, number = watch.bad, self.updates + 1
        if bad is None:
            result = apply()
            self.updates = number
            return result
        if watch.withheld is None:
            watch.withheld = torch.zeros((), device=bad.device)
        if not watch.found and not bad.is_meta:
            watch.before[number] = watch.made, HostState(optimizer)
        if not self._scaled and _withholds_itself(optimizer):
            # GradScaler's own protocol: the step takes this tensor, and is nothing where it is 1.
            optimizer.found_inf = self.flag  # type: ignore[attr-defined]
            try:
                result = apply()
            finally:
                del optimizer.found_inf  # type: ignore[attr-defined]
        else:
            copies = DeviceCopies(optimizer)
            result = apply()
            copies.put_back(bad)
        watch.withheld.add_(bad)
        # Only now: a step that failed is none.
        self.updates, watch.unread = number, watch.unread + 1
        watch.made += result is not False
        self._look(watch.withheld)
        return result

    def raise_if_bad(self) -> None:
        """Read whether an update was withheld since the last time; one read, or none after none.

        It waits for the device.

        Raises:
            NotFinite: one was. The check then begins anew, from the weights before it.
        """
        watch = self._watch
        if watch.withheld is None or not watch.unread:
            return
        watch.unread = 0
        withheld = round(watch.withheld.item())
        if not withheld:
            watch.before, watch.asked = {}, None
            return
        first = self.updates - withheld + 1
        made, state = watch.before[first]
        self.withheld = watch.made - made
        state.put_back()
        seen = [] if watch.seen is None else watch.seen.tolist()
        self.reset()
        raise NotFinite(
            f"{_culprit(seen, first)}; it was withheld{_after(withheld - 1)}: the weights and the optimizer's "
            "state are those before it. Look at its batches, lower the learning rate, or set "
            "clip_norm",
        )

    def reset(self) -> None:
        """Forget what was looked at, as where weights and state are loaded."""
        self._watch = _Watch()

    def _look(self, withheld: Tensor) -> None:
        watch = self._watch
        due = watch.unread % LOOK_EVERY == 0 and not watch.found and not withheld.is_meta
        if due and watch.asked is None:
            watch.asked = (self.updates, *_sent(withheld))
        if watch.asked is None:
            return
        until, number, arrival = watch.asked
        if arrival is None or arrival.query():
            watch.asked, watch.found = None, number.item() > 0
            if not watch.found:
                watch.before = {key: each for key, each in watch.before.items() if key > until}

    def _norm(self, grad_norm: Tensor | None, loss: Tensor) -> Tensor:
        if grad_norm is not None:
            full: Any = getattr(grad_norm, "full_tensor", None)  # of gradients that are sharded
            return grad_norm.detach() if full is None else full().detach()
        gradients = [
            _values(local(parameter.grad))
            for parameter in parameters_of(self._optimizer)
            if parameter.grad is not None
        ]
        if not gradients:
            return loss.new_zeros(())
        # As clip_grad_norm_ does; but the norm of a half may be more than a half can hold.
        halves = {each.dtype for each in gradients} - {torch.float32, torch.float64}
        widest = reduce(torch.promote_types, halves, torch.float32) if halves else None
        norms = torch._foreach_norm(gradients, dtype=widest)  # noqa: SLF001
        norm: Tensor = torch.linalg.vector_norm(_together(norms))
        return norm


def _together(numbers: Sequence[Tensor]) -> Tensor:
    """The numbers as one tensor, on one device: not the CPU where any is elsewhere."""
    devices = {number.device: None for number in numbers}
    if len(devices) > 1:
        device = next(device for device in devices if device.type != "cpu")
        numbers = [number.to(device, non_blocking=True) for number in numbers]
    return torch.stack(list(numbers))


def _sent(number: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    """The number on its way to the host, and what says that it is there; None where it is already.

    A device that is neither has to be waited for.
    """
    if number.device.type != "cuda":
        return number, None
    sent = torch.empty((), dtype=number.dtype, device="cpu", pin_memory=True)
    sent.copy_(number, non_blocking=True)
    return sent, torch.cuda.current_stream(number.device).record_event()


def _culprit(seen: list[float], update: int) -> str:
    if seen and not math.isfinite(seen[0]):
        return f"the loss of update {update} is {seen[0]}"
    if len(seen) > 1 and not math.isfinite(seen[1]):
        return f"the norm of the gradients of update {update} is {seen[1]}, and its loss is finite"
    return f"the loss or a gradient of update {update} is not finite on another rank"


def _after(others: int) -> str:
    if others > 1:
        return f", and so were the {others} after it"
    return ", and so was the one after it" if others else ""


def _has_weight(outcome: Outcome) -> bool:
    return isinstance(outcome.weight, Tensor) or outcome.weight != 0


def _counted(outcome: Outcome) -> Tensor:
    value = torch.as_tensor(outcome.value)
    if isinstance(outcome.weight, Tensor):
        value = value.masked_fill((outcome.weight == 0).to(value.device), 0)
    return value


def _values(gradient: Tensor) -> Tensor:
    return gradient.coalesce().values() if gradient.is_sparse else gradient


def _withholds_itself(optimizer: Optimizer) -> bool:
    return getattr(optimizer, "_step_supports_amp_scaling", False) and all(
        group.get("fused") for group in optimizer.param_groups
    )
