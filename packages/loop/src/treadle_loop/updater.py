"""One optimizer step from one window of batches: the body of the loop."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_value_
from torch.optim import Optimizer

from treadle_loop.accumulation import Accumulation
from treadle_loop.agreement import AgreedPass
from treadle_loop.averages import AveragedWeights
from treadle_loop.devices import place
from treadle_loop.errors import Busy
from treadle_loop.finite import FiniteCheck
from treadle_loop.gradients import Dropping, parameters_of
from treadle_loop.loss import Outcome, read_outcome
from treadle_loop.passes import Window
from treadle_loop.precision import LossScaling
from treadle_loop.runtime import Runtime
from treadle_loop.shared_accumulation import SharedAccumulation
from treadle_loop.supervised import Step
from treadle_loop.trainable import check_graph_freed, check_reached, check_trainable
from treadle_loop.update import Update

# What the class itself calls, in a function of its own.
_new = tuple.__new__


class Updater:
    """What an update is made with.

    Args:
        model: what is trained.
        optimizer: updates its parameters.
        runtime: how both are reached.
        clip_norm: the most that the norm of the gradients may be; None for no limit.
        clip_value: the most that the absolute value of any of them may be; None for no limit.
        scaling: scales losses up for fp16; None for any other precision.
        averages: averaged weights, which follow each step that was made; or None.
        finite: withholds a step that would not be finite; or None.

    Attributes:
        busy: whether an update is being computed.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        runtime: Runtime,
        *,
        clip_norm: float | None,
        clip_value: float | None,
        scaling: LossScaling | None,
        averages: AveragedWeights | None,
        finite: FiniteCheck | None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.runtime = runtime
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.scaling = scaling
        self.averages = averages
        self.finite = finite
        self._backward: Callable[[Tensor], None]
        self._backward = runtime.backward if scaling is None else scaling.backward
        self._shared = runtime.world_size > 1
        self._met = False  # whether the ranks know that they do the same
        self.busy = False
        self._gradients = Dropping(model, optimizer)
        self._plain = all(each is None for each in (clip_norm, clip_value, scaling, finite))

    def update(self, step: Step, window: Window, device: torch.device | None, index: int) -> Update:
        """Train on a window of batches.

        An exception drops the gradients, and nothing of the window counts.
        """
        if self.busy:
            raise Busy(
                "an update was asked for while another of this engine is being computed, whose "
                "gradients it would drop; call it between two updates, and not in the step",
            )
        model, optimizer, backward = self.model, self.optimizer, self._backward
        decay = None
        if self.averages is not None:
            self.averages.check_out_of_place("an update was asked for")
            decay = self.averages.next_decay()  # what is wrong with it is found before the step
        if not model.training:
            model.train()
        self.busy = True
        accumulation = None
        if window.planned > 1 or self._shared:
            accumulation = self._accumulation(window)
        outcomes: Sequence[Outcome] = []
        records = batches = 0
        try:
            self._gradients.drop(anew=index == 0)
            for batch in window.draw():
                placed = place(batch, device)
                loss, outcome = read_outcome(step(model, placed), placed, window.count)
                value: Any = loss
                if type(loss) is not Tensor or loss.is_leaf:  # else it has a grad_fn
                    value = check_trainable(loss)
                weight = outcome.weight
                try:
                    if accumulation is not None:
                        accumulation.backward(value, outcome)
                    elif type(weight) is not int and isinstance(weight, Tensor):
                        # It is not read, and may be 0.
                        backward(value * (weight > 0).to(value))
                    elif weight:
                        backward(value)
                except RuntimeError as error:
                    check_graph_freed(error)
                    raise
                # In one statement, so that no number lags behind another.
                records, batches = records + outcome.records, batches + 1
                outcomes.append(outcome)  # type: ignore[attr-defined]
            window.drawn(batches)
            if accumulation is not None:
                outcomes = accumulation.settle(outcomes)
                self._met = True
                records = sum(outcome.records for outcome in outcomes)
            if index == 0:
                check_reached(optimizer, outcomes)
            if self._plain:
                grad_norm, applied = None, True
                self.runtime.step(optimizer)
            else:
                grad_norm, applied = self._finish(outcomes)
            if applied and self.averages is not None:
                withheld = None if self.finite is None else self.finite.flag
                self.averages.update(withheld, decay=decay)
        except BaseException:
            self._gradients.drop(anew=True)
            if self.scaling is not None:
                self.scaling.abandon()
            self.busy = False
            raise
        self.busy = False
        return _new(
            Update, (outcomes, grad_norm, records, batches, index, window.last, not applied)
        )

    def _accumulation(self, window: Window) -> Accumulation | SharedAccumulation:
        if isinstance(window, AgreedPass):
            return SharedAccumulation(
                window,
                self.runtime,
                self.model,
                self.optimizer,
                self._backward,
                is_first=not self._met,
            )
        return Accumulation(
            window.planned,
            self.model,
            self.optimizer,
            self._backward,
            narrow=self.scaling is not None,
        )

    def _finish(self, outcomes: Sequence[Outcome]) -> tuple[Tensor | None, bool]:
        """Limit the gradients and step; their norm, and whether the step was not skipped."""
        scaling, finite, grad_norm = self.scaling, self.finite, None
        if scaling is not None and (self.clip_norm, self.clip_value) != (None, None):
            scaling.unscale()
        if self.clip_norm is not None:
            grad_norm = self.runtime.clip(self.model, self.optimizer, self.clip_norm)
        if finite is not None:  # before an infinite gradient is clipped to a finite one
            finite.observe(outcomes, grad_norm)
        if self.clip_value is not None:
            clip_grad_value_(parameters_of(self.optimizer), self.clip_value)
        step = self._step if scaling is None else scaling.step
        return grad_norm, step() if finite is None else finite.step(step)

    def _step(self) -> bool:
        self.runtime.step(self.optimizer)
        return True
