"""The engine: batches in, optimizer steps out."""

from collections.abc import Callable, Generator, Iterable
from time import perf_counter
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from treadle_loop.accumulation import Accumulation
from treadle_loop.clipping import Clipping
from treadle_loop.containers import map_tensors
from treadle_loop.devices import device_of, place, settle
from treadle_loop.epoch import EpochResult, Totals
from treadle_loop.errors import NoOptimizer, NotAWindow
from treadle_loop.gradients import drop_gradients
from treadle_loop.loss import Outcome, read_outcome
from treadle_loop.modes import evaluating
from treadle_loop.passes import GivenWindow, Window, open_pass
from treadle_loop.settings import check_accumulate, check_parts, check_scheduler
from treadle_loop.supervised import Step
from treadle_loop.trainable import check_reached, check_trainable
from treadle_loop.update import Update, UpdateFields


class Scheduler(Protocol):
    """A learning rate scheduler, or anything else to be done after each step or epoch."""

    def step(self) -> object:
        """Move on."""
        ...


class Engine:
    """A model, the step you wrote for it, and an optimizer: the loop around them.

    `for update in engine.updates(loader)` is, for `accumulate=1`, to the last bit

        for batch in loader:
            for parameter in model.parameters():
                parameter.grad = None
            step(model, batch).backward()
            clip_grad_norm_(parameters, clip_norm)  # the optimizer's, where asked for
            optimizer.step()
            scheduler.step()                        # where asked for

    and the values of a loss are not read from the device unless you read them.

    A model that is in evaluation mode is put in training mode before it trains. In one that is in
    training mode already, the modules that you put in evaluation mode stay so.

    Args:
        model: what is trained. It is not moved: put it on its device first.
        step: `step(model, batch)` returns the loss of a batch, a `Tensor` or a `Loss`.
        optimizer: what updates the parameters. An engine without one evaluates only.
        accumulate: how many batches make an update. The gradient is that of the mean over all
            that the window's losses are means over, also in the short window at the end of a pass
            and where batches are unequal.
        scheduler: its `step()` is called after each optimizer step, or at the last update of each
            pass.
        scheduler_every: `"step"` or `"epoch"`.
        clip_norm: the most that the 2-norm of the optimizer's gradients may be, all together.
            `math.inf` only measures it. Clipping comes after the window is settled.
        clip_value: the most that the absolute value of any of them may be, after `clip_norm`.
        device: where batches are moved to; by default where the model's first parameter is.

    Raises:
        InvalidSetting: a setting cannot mean anything.
    """

    def __init__(
        self,
        model: nn.Module,
        step: Step,
        optimizer: Optimizer | None = None,
        *,
        accumulate: int = 1,
        scheduler: Scheduler | None = None,
        scheduler_every: Literal["step", "epoch"] = "step",
        clip_norm: float | None = None,
        clip_value: float | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        check_parts(model, step, optimizer)
        check_accumulate(accumulate)
        check_scheduler(scheduler, scheduler_every)
        self.model = model
        self.step = step
        self.optimizer = optimizer
        self.accumulate = accumulate
        self.scheduler = scheduler
        self.scheduler_every = scheduler_every
        # An empty tensor knows the index of the device that "cuda" alone stands for.
        self._device = None if device is None else torch.empty(0, device=device).device
        self._clipping = None
        if clip_norm is not None or clip_value is not None:
            self._clipping = Clipping(clip_norm, clip_value)
        self._next_epoch = 0

    def updates(self, loader: Iterable[Any]) -> Generator[Update, None, None]:
        """Train for one pass over `loader`, one item for each optimizer step.

        When an item is yielded, its step is complete and nothing of the next has begun: you may
        validate, save, draw random numbers, or leave the loop. An exception while an update is
        being computed drops its gradients, counts nothing of it, and reaches you as it is.

        A loader with `set_position(epoch, records)`, such as `TensorLoader`, is told which pass
        of this engine begins, from 0.

        Args:
            loader: anything that yields batches. Where it has a length, that must be right; where
                it has none, one batch is drawn ahead, to know which update is the last.

        Raises:
            NoOptimizer: the engine was made without an optimizer.
            WrongLength: the loader's length was not right.
        """
        fields = self._run(loader, self._optimizer_for("updates"))
        return (Update(*each) for each in fields)

    def update(self, window: list[Any]) -> Update:
        """Make one optimizer step from a list of batches: the primitive under `updates`.

        It belongs to no pass: its `index` is 0, it is never `last`, and a scheduler for epochs is
        not called.

        Args:
            window: the batches whose gradients are accumulated, however many.

        Raises:
            NoOptimizer: the engine was made without an optimizer.
            NotAWindow: `window` is not a list, or is empty.
        """
        optimizer = self._optimizer_for("update")
        if not isinstance(window, list) or not window:
            seen = "an empty list" if window == [] else f"a {type(window).__name__}"
            raise NotAWindow(
                f"Engine.update was given {seen}, and a list of at least one batch was expected; "
                "for a single batch write engine.update([batch])",
            )
        return Update(*self._apply(optimizer, GivenWindow(window), self._device_now(), 0))

    def train_epoch(self, loader: Iterable[Any]) -> EpochResult:
        """Train for one pass over `loader`: `updates`, run to the end.

        Raises:
            NoOptimizer: the engine was made without an optimizer.
            WrongLength: the loader's length was not right.
        """
        optimizer = self._optimizer_for("train_epoch")
        totals = Totals()
        started = perf_counter()
        for outcomes, *_ in self._run(loader, optimizer):
            totals.steps += 1
            for outcome in outcomes:
                totals.add(outcome)
        return self._result(totals, "trained", started)

    def test_epoch(self, loader: Iterable[Any], *, verb: str = "tested") -> EpochResult:
        """Evaluate the model on one pass over `loader`.

        Without gradients, in evaluation mode; afterwards every module is in the mode it was in.
        The step may return a plain number here.

        Args:
            loader: anything that yields batches.
            verb: the first word of the result's line.
        """
        device = self._device_now()
        totals = Totals()
        started = perf_counter()
        # Not inference_mode: what a module caches in it could not be used in training afterwards.
        with evaluating(self.model), torch.no_grad():
            for batch in loader:
                placed = place(batch, device)
                _, outcome = read_outcome(self.step(self.model, placed), placed)
                totals.add(outcome)
        return self._result(totals, verb, started)

    def predict(
        self,
        loader: Iterable[Any],
        forward: Callable[[nn.Module, Any], Any] | None = None,
    ) -> Generator[Any, None, None]:
        """Yield the model's outputs, batch by batch, for what is not a mean.

        Without gradients and detached; the model is in evaluation mode until the last batch is
        done or the iterator is closed, as leaving a `for` loop does.

        Args:
            loader: anything that yields batches.
            forward: from the model and a batch on its device to the outputs. By default the model
                is called with the batch, or with its first item where it is a tuple or a list, as
                in `(inputs, targets)`.
        """
        device = self._device_now()
        forward = forward or _forward_inputs
        with evaluating(self.model):
            for batch in loader:
                if self.model.training:  # your code may have trained it at the last yield
                    self.model.eval()
                with torch.no_grad():  # not around the yield: your code has its own mode
                    outputs = forward(self.model, place(batch, device))
                yield map_tensors(_detached, outputs)

    def _run(
        self, loader: Iterable[Any], optimizer: Optimizer
    ) -> Generator[UpdateFields, None, None]:
        device = self._device_now()
        epoch = self._next_epoch
        self._next_epoch += 1
        set_position = getattr(loader, "set_position", None)
        if set_position is not None:
            set_position(epoch, 0)
        windows = open_pass(loader, self.accumulate)
        index = 0
        while windows.begin():
            # Nothing may be drawn from here to the yield that the loop you would have written
            # does not draw here: a body that draws random numbers must not change the training.
            yield self._apply(optimizer, windows, device, index)
            index += 1

    def _apply(
        self, optimizer: Optimizer, window: Window, device: torch.device | None, index: int
    ) -> UpdateFields:
        model, step = self.model, self.step
        if not model.training:
            model.train()
        drop_gradients(model, optimizer)
        planned = window.planned
        accumulation = None if planned == 1 else Accumulation(planned, model, optimizer)
        outcomes: list[Outcome] = []
        records = batches = 0
        try:
            for batch in window.draw():
                placed = place(batch, device)
                loss, outcome = read_outcome(step(model, placed), placed)
                value, weight = check_trainable(loss), outcome.weight
                if accumulation is not None:
                    accumulation.backward(value, weight)
                elif isinstance(weight, Tensor) or weight:  # on a device it is not read
                    value.backward()
                # In one statement, so that no number lags behind another.
                records, batches = records + outcome.records, batches + 1
                outcomes.append(outcome)
            window.drawn(batches)
            if accumulation is not None:
                accumulation.settle()
            if index == 0:
                check_reached(optimizer, outcomes)
            grad_norm = None if self._clipping is None else self._clipping.apply(optimizer)
            optimizer.step()
        except BaseException:
            drop_gradients(model, optimizer)
            raise
        if self.scheduler is not None and (self.scheduler_every == "step" or window.last):
            self.scheduler.step()
        return outcomes, grad_norm, records, batches, index, window.last

    def _optimizer_for(self, method: str) -> Optimizer:
        if self.optimizer is None:
            raise NoOptimizer(
                f"Engine.{method} trains, and this engine has no optimizer; make it with "
                "Engine(model, step, optimizer), or use test_epoch or predict",
            )
        return self.optimizer

    def _device_now(self) -> torch.device | None:
        return device_of(self.model) if self._device is None else self._device

    def _result(self, totals: Totals, verb: str, started: float) -> EpochResult:
        settle(self._device_now())
        return totals.result(verb, perf_counter() - started)


def _forward_inputs(model: nn.Module, batch: Any) -> Any:
    return model(batch[0] if isinstance(batch, (tuple, list)) else batch)


def _detached(leaf: Any) -> Any:
    return leaf.detach() if isinstance(leaf, Tensor) and leaf.requires_grad else leaf
