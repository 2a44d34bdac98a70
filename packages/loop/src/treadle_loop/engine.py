"""The engine: batches in, optimizer steps out."""

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager
from time import perf_counter
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from treadle_loop.agreement import AgreedPass
from treadle_loop.averages import AveragedWeights, Decay
from treadle_loop.computing import compiled, within
from treadle_loop.devices import device_of, place, settle
from treadle_loop.epoch import EpochResult, Totals
from treadle_loop.errors import Busy, NoAverages, NoOptimizer, NotAWindow, NotFinite, PassSuperseded
from treadle_loop.evaluation import Evaluating, Forward, evaluate, forward_inputs, outputs_of
from treadle_loop.finite import FiniteCheck
from treadle_loop.flat_state import flattened, is_flat, restored
from treadle_loop.meeting import gather
from treadle_loop.passes import GivenWindow, Pass
from treadle_loop.precision import LossScaling, Precision, autocasting, check_precision
from treadle_loop.progress import Progress
from treadle_loop.runtime import Runtime
from treadle_loop.runtimes.plain import default_runtime
from treadle_loop.settings import (
    check_accumulate,
    check_clipping,
    check_host,
    check_loader,
    check_parts,
    check_runtime,
    check_scheduler,
    check_stop,
)
from treadle_loop.sharding import whole
from treadle_loop.shares import check_shares
from treadle_loop.states import check_states, load_states, states_of
from treadle_loop.supervised import Step
from treadle_loop.update import Update
from treadle_loop.updater import Updater


class Scheduler(Protocol):
    """A learning rate scheduler, or anything else to be done after each step or epoch."""

    def step(self) -> object:
        """Advance by one."""
        ...


class Engine:
    """A model, the step you wrote for it, and an optimizer: the loop around them.

    With `accumulate=1`, `for update in engine.updates(loader)` is, to the last bit,

        for batch in loader:
            for parameter in model.parameters():
                parameter.grad = None
            step(model, batch).backward()
            clip_grad_norm_(parameters, clip_norm)  # the optimizer's, where asked for
            optimizer.step()
            scheduler.step()                        # where asked for

    and the values of a loss are not read from the device unless you read them.

    A model in evaluation mode is put in training mode before it trains. If it is in training mode
    already, those of its modules that you put in evaluation mode stay there.

    Args:
        model: what is trained. It is not moved: put it on its device first.
        step: `step(model, batch)` returns the loss of a batch, a `Tensor` or a `Loss`.
        optimizer: what updates the parameters. An engine without one can only evaluate.
        accumulate: how many batches make an update. The gradient is that of the mean over all
            that the window's losses are means over, even in the short window at the end of a pass
            and where batches differ in size.
        scheduler: its `step()` is called after each optimizer step, or at the last update of each
            pass.
        scheduler_every: `"step"` or `"epoch"`.
        clip_norm: the largest 2-norm that all gradients of the optimizer may have together.
            `math.inf` only measures it. What is clipped is the gradient of the whole window.
        clip_value: the largest absolute value that any of them may have, after `clip_norm`.
        precision: `"fp32"` computes in the precision of the model; `"bf16"` and `"fp16"` compute
            the step under `torch.autocast`, which expects a model in fp32. With `"fp16"`, losses
            are scaled up (`torch.amp.GradScaler`) and a step whose gradients overflow is skipped,
            which the host reads from the device once per update.
        ema: the decay of an exponential moving average of the parameters, or a function that
            returns it for the number of steps so far; see `averaged`.
        compile: whether the step, forward and loss, goes through `torch.compile`; or a mapping of
            arguments for it.
        check_finite: whether a loss or a gradient that is not finite withholds its update, and
            those after it, and ends the pass with `NotFinite`. The device is asked whether there
            was one once every 64 updates, without waiting under CUDA, and at the end of the pass.
        device: where batches are moved to; by default where the model's first parameter is.
        runtime: what runs the loop; by default torch, in one process. See `runtimes`.

    Raises:
        InvalidSetting: a setting makes no sense.
        PrecisionUnavailable: torch has no loss scaling for fp16 on the model's device.
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
        precision: Precision = "fp32",
        ema: Decay | None = None,
        compile: bool | Mapping[str, Any] = False,
        check_finite: bool = False,
        device: torch.device | str | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        check_parts(model, step, optimizer)
        check_accumulate(accumulate)
        check_scheduler(scheduler, scheduler_every, optimizer)
        self.accumulate = accumulate
        self.scheduler = scheduler
        self.scheduler_every = scheduler_every
        self._runtime = default_runtime(model, optimizer) if runtime is None else runtime
        check_precision(precision)
        check_runtime(self._runtime)
        check_host(precision, self._runtime)
        self._precision: Precision = precision
        self._model = model
        # Without the wrapper of a host: its names are those of the model that was written.
        self._module = self._runtime.unwrap(model)
        self._evaluating = Evaluating(self._module)
        self._step = step
        self._compiled = compiled(step, setting=compile)
        # An empty tensor knows the index of the device that "cuda" alone stands for.
        self._device = None if device is None else torch.empty(0, device=device).device
        self._averages = None if ema is None else AveragedWeights(self._module, ema)
        self._scaling = self._finite = self._updater = None
        check_clipping(clip_norm=clip_norm, clip_value=clip_value)
        self._unwrapped = None
        if optimizer is not None:
            self._unwrapped = self._runtime.unwrap_optimizer(optimizer)
            if precision == "fp16":
                self._scaling = LossScaling(self._unwrapped, _type_of(self._device_now()))
                if self._unwrapped is not optimizer:
                    # The step of a host's wrapper, where torch's schedulers look, is passed by.
                    optimizer._opt_called = True  # type: ignore[attr-defined]  # noqa: SLF001
            if check_finite:
                self._finite = FiniteCheck(
                    self._unwrapped,
                    scaled=precision == "fp16",
                    all_reduce=self._runtime.all_reduce if self._runtime.world_size > 1 else None,
                )
            self._updater = Updater(
                model,
                optimizer,
                self._runtime,
                clip_norm=clip_norm,
                clip_value=clip_value,
                scaling=self._scaling,
                averages=self._averages,
                finite=self._finite,
            )
        self._progress = Progress(self._runtime.world_size)

    @property
    def model(self) -> nn.Module:
        """What is trained."""
        return self._model

    @property
    def step(self) -> Step:
        """What computes the loss."""
        return self._step

    @property
    def optimizer(self) -> Optimizer | None:
        """What updates the parameters."""
        return None if self._updater is None else self._updater.optimizer

    @property
    def epoch(self) -> int:
        """Which pass over the data comes next, or is in progress, from 0; part of `state_dict`."""
        return self._progress.epoch + self._progress.complete

    @property
    def updates_made(self) -> int:
        """How many updates all passes have made so far; part of `state_dict`."""
        return self._progress.made

    @property
    def runtime(self) -> Runtime:
        """The host that it trains in, with its rank and what the ranks can tell each other."""
        return self._runtime

    def updates(
        self, loader: Iterable[Any], *, stop: Callable[[], bool] | None = None
    ) -> Generator[Update, None, None]:
        """Train for one pass over `loader`, yielding one item per optimizer step.

        When an item is yielded, its step is complete and nothing of the next has begun: you may
        validate, save, draw random numbers, or leave the loop. An exception while an update is
        being computed drops its gradients, counts nothing of it, and reaches you as it is.

        A loader with `set_position(epoch, records)`, such as `TensorLoader`, or a `DataLoader`
        whose sampler has it, such as `EpochSampler`, is told which pass of this engine begins, from
        0. So is one with `set_epoch(epoch)`, such as torch's `DistributedSampler`. After
        `load_state_dict` in the middle of a pass, the rest of that pass comes first.

        Args:
            loader: anything that yields batches. If it has a length, that must be right; if it has
                none, one batch is drawn ahead, to know which update is the last.
            stop: asked between two updates whether the pass should end here, such as
                `stop_on_signals()`. On several ranks, if one of them asks for it, the pass ends on
                all of them, after the next update.

        Raises:
            NoOptimizer: the engine was made without an optimizer.
            InvalidSetting: the loader yields single records or nothing, `stop` is not a function,
                or an attribute of the engine was set to something that makes no sense.
            WrongLength: the loader's length was not right.
            CannotSeek: the pass is to be resumed in its middle, which the loader cannot do.
            InvalidPosition: the pass to resume was begun in another order of the records.
            RecordsRepeated: there are several ranks, and the loader repeats records to have equally
                many on each.
            UnequalRanks: the ranks have unequal numbers of batches.
            RankFailed: another rank could not draw its batches.
            RanksOutOfStep: another rank is doing something else.
            PassSuperseded: the body loaded a state, or began another pass of this engine.
            Busy: it was called within the step.
            AveragesInPlace: it was called within `averaged()`.
            NotFinite: with `check_finite`, a loss or gradient was not: of this pass, raised within
                it or at its end; of one that was left early, raised before anything is drawn.
            PrecisionUnavailable: torch has no such precision on the device.
            LoopError: whatever else `update` raises for a loss that cannot train.
        """
        return self._run(loader, self._updater_for("updates"), stop)

    def update(self, window: list[Any]) -> Update:
        """Make one optimizer step from a list of batches: the primitive under `updates`.

        It belongs to no pass: its `index` is 0, it is never `last`, a scheduler for epochs is not
        called, and the position in the data does not move. With `check_finite`, `NotFinite` is
        raised by the next `test_epoch`, `state_dict`, or pass; on one rank also by an update soon
        after, before that one does anything.

        Args:
            window: the batches whose gradients are accumulated, however many.

        Raises:
            NoOptimizer: the engine was made without an optimizer.
            NotAWindow: `window` is not a list, or is empty.
            Busy: it was called within the step.
            AveragesInPlace: it was called within `averaged()`.
            InvalidSetting: the function given as `ema` did not return a decay.
            NotFinite: with `check_finite`, an earlier update was not.
            PrecisionUnavailable: torch has no such precision on the device.
            LossNotATensor: the step returned a number, or no loss at all.
            UnreducedLoss: the loss has more than one value.
            UnreducedMetric: a metric has more than one value.
            LossWithoutGraph: the loss does not remember how it was computed.
            RebuiltLoss: the loss is a new tensor that merely requires a gradient.
            GraphFreed: another backward pass has freed its graph.
            NothingTrained: no gradient reached a parameter of the optimizer.
            RecordsUnknown: neither batch nor step says how many records there are.
            RecordsDisagree: the arrays of a batch have different leading sizes.
            UnequalRanks: the ranks were given lists of unequal lengths.
            RankFailed: another rank could not begin the update.
            RanksOutOfStep: another rank is doing something else.
        """
        updater = self._updater_for("update")
        if self._finite is not None and self._finite.found and self._runtime.world_size == 1:
            self._check_finite()
        batches = window if isinstance(window, list) else []
        device = self._device_now()
        windows = self._agreed(lambda: GivenWindow(batches), device, None)
        # On several ranks all learn of it: the others would wait for this one.
        if not windows.begin():
            seen = "an empty list" if window == [] else f"a {type(window).__name__}"
            raise NotAWindow(
                f"Engine.update was given {seen}, and a list of at least one batch was expected; "
                "for a single batch write engine.update([batch])",
            )
        update = updater.update(self._step_on(device), windows, device, 0)
        self._step_scheduler(update)
        return update

    def train_epoch(
        self, loader: Iterable[Any], *, stop: Callable[[], bool] | None = None
    ) -> EpochResult:
        """Train for one pass over `loader`, by running `updates` to the end; see `updates`.

        If `stop` ends it early, the result covers the part that was trained, and is not `complete`.
        """
        updater = self._updater_for("train_epoch")
        totals = Totals()
        started = perf_counter()
        for update in self._run(loader, updater, stop):
            totals.take(update)
        return self._result(totals, "trained", started)

    def test_epoch(self, loader: Iterable[Any], *, verb: str = "tested") -> EpochResult:
        """Evaluate the model on one pass over `loader`.

        This is done without gradients, in evaluation mode; afterwards every module is in the mode
        it was in. The step may return a plain number here. On several ranks, each evaluates what
        its loader yields, and the result is that of all records together. They may have unequal
        numbers of batches. But a sharded model needs all ranks for each batch, so there every rank
        must have at least one, and repeats its last, uncounted, for as long as another has more.

        Args:
            loader: anything that yields batches.
            verb: the first word of the result's line.

        Raises:
            InvalidSetting: the loader yields single records, or nothing.
            WrongLength: the loader's length was not right.
            NotFinite: with `check_finite`, something in a training that was left early was not.
            PrecisionUnavailable: torch has no such precision on the device.
            LossNotATensor: the step returned neither a loss nor a number.
            UnreducedLoss: the loss has more than one value.
            UnreducedMetric: a metric has more than one value.
            RecordsUnknown: neither batch nor step says how many records there are.
            RecordsDisagree: the arrays of a batch have different leading sizes.
            RecordsRepeated: there are several ranks, and the loader repeats records to have equally
                many on each.
            UnequalRanks: the model is sharded, and a rank has no batch at all.
            RankFailed: another rank could not evaluate.
            RanksOutOfStep: another rank is doing something else.
        """
        self._check_finite()
        device = self._device_now()
        started = perf_counter()
        step = self._step_on(device)
        totals = evaluate(self._evaluating, step, loader, device, self._runtime)
        return self._result(totals, verb, started)

    def predict(
        self, loader: Iterable[Any], forward: Forward | None = None
    ) -> Generator[Any, None, None]:
        """Yield the model's outputs, batch by batch, for whatever is not a mean.

        They are detached, computed without gradients, in the engine's precision, and not compiled.
        The model is in evaluation mode until the last batch is done or the iterator is closed, as
        leaving a `for` loop does. Several may be in progress at once. On several ranks, each gets
        the outputs for its own batches; with a sharded model, all of them have to call it and run
        it to the end, and each needs at least one batch, as in `test_epoch`.

        Args:
            loader: anything that yields batches.
            forward: a function of the model and a batch on its device that returns the outputs. By
                default the model is called with the batch, or with its first item if it is a tuple
                or a list, as in `(inputs, targets)`.

        Raises:
            InvalidSetting: the loader yields single records, or nothing.
            PrecisionUnavailable: torch has no such precision on the device.
            UnequalRanks: the model is sharded, and a rank has no batch at all.
            RankFailed: it is sharded, and another rank could not draw its batch.
            RanksOutOfStep: it is sharded, and another rank is doing something else.
        """
        check_loader(loader)
        device = self._device_now()
        in_precision = self._in_precision(forward or forward_inputs, device)
        return outputs_of(self._evaluating, in_precision, loader, device, self._runtime)

    def averaged(self) -> AbstractContextManager[None]:
        """A context in which the model has its averaged weights, and its own again afterwards.

        Raises:
            NoAverages: the engine was made without `ema`.
            AveragesInPlace: on entering it, within itself.
        """
        if self._averages is None:
            raise NoAverages(
                "Engine.averaged was called, and this engine averages no weights; make it with "
                "Engine(..., ema=0.999)",
            )
        return self._averages.swapped()

    def state_dict(self) -> dict[str, Any]:
        """Everything that a training needs to resume exactly: plain dicts and tensors.

        It covers the model, the optimizer (with the names of its parameters, if all are the
        model's), the scheduler, the scale of fp16, the averaged weights, the random state of torch,
        Python and numpy, and the position in the data. The tensors are those of the training, not
        copies: save them before it goes on.

        On several ranks, all of them have to call it, and each gets the whole state.

        Raises:
            Busy: an update is being computed.
            AveragesInPlace: it was called within `averaged()`.
            InvalidSetting: the scheduler has no state.
            NotFinite: with `check_finite`, something was not.
            RanksOutOfStep: another rank is doing something else.
        """
        whole_state: dict[str, Any] = whole(self._state())
        return whole_state

    def sharded_state_dict(self) -> dict[str, Tensor]:
        """The same, as tensors by name, for `torch.distributed.checkpoint`; all ranks must call it.

        For a sharded model, each rank gets only its own parts, as `DTensor`, and nothing is
        gathered. Names are like `model.0.weight`; `rest`, of dtype uint8, has everything that is
        not a tensor of model, optimizer or averages. `load_state_dict` takes it, whole or in parts.

        Raises:
            Busy: an update is being computed.
            AveragesInPlace: it was called within `averaged()`.
            InvalidSetting: the scheduler has no state.
            NotFinite: with `check_finite`, something was not.
            RanksOutOfStep: another rank is doing something else.
        """
        return flattened(self._state())

    def _state(self) -> dict[str, Any]:
        self._check_idle("state_dict")
        self._check_finite()
        ranks = gather(self._runtime, "state_dict", self._progress.state_dict())
        return {**states_of(self._parts()), "ranks": ranks}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume exactly from what `state_dict` or `sharded_state_dict` returned.

        In the middle of a pass, the next call of `updates` or `train_epoch` resumes it with the
        random state that was saved: what the program draws in between changes nothing. At the end
        of a pass it does.

        On another number of ranks than it was saved on, the remaining records are the same, but the
        random numbers are not.

        Raises:
            Busy: an update is being computed.
            AveragesInPlace: it was called within `averaged()`.
            StateMismatch: it is the state of another model, of an optimizer with its parameters in
                another order, or of an engine that was made differently; it is an
                `AveragesDisagree` if the averages are those of another model. Nothing was changed.
            NumpyMissing: it holds the random state of numpy, which cannot be imported. Nothing was
                changed.
        """
        self._check_idle("load_state_dict")
        state = restored(state) if is_flat(state) else state
        ranks = check_states(self._parts(), state)
        position = self._progress.state_for(ranks, self._runtime.rank)
        load_states(self._parts(), state)
        if self._finite is not None:
            self._finite.reset()
        self._progress.load_state_dict(position)

    def _run(
        self, loader: Iterable[Any], updater: Updater, stop: Callable[[], bool] | None
    ) -> Generator[Update, None, None]:
        # Before anything is drawn, which would change the position and the random numbers.
        check_stop(stop)
        check_accumulate(self.accumulate)
        check_scheduler(self.scheduler, self.scheduler_every, updater.optimizer)
        if self._averages is not None:
            self._averages.check_out_of_place("a pass of training was asked for")
        self._check_finite()
        device = self._device_now()
        step = self._step_on(device)
        progress = self._progress
        stop = self._stopping(stop)
        alone = self._runtime.world_size == 1  # else the ranks agree on a stop, in begin()
        if alone and stop is not None and stop():
            return  # before a pass is opened, which would leave the one that was stopped behind

        def open_pass() -> Pass:  # on several ranks, where the others can be told of a refusal
            check_loader(loader)
            check_shares(loader, self._runtime)
            return progress.open_pass(loader, self.accumulate, device)

        windows = self._agreed(open_pass, device, stop)
        while windows.begin():
            # Nothing may be drawn from here to the yield that the loop you would have written
            # does not draw here: a body that draws random numbers must not change the training.
            update = updater.update(step, windows, device, progress.updates)
            progress.used(update.records, update.batches, last=update.last)
            if self.scheduler is not None:
                self._step_scheduler(update)
            turn = progress.turn
            yield update
            if progress.turn != turn:
                raise PassSuperseded(
                    "a state was loaded, or another pass of this engine begun, while this pass was "
                    "under way, and its place in the data is lost; leave a pass (break) before you "
                    "do either",
                )
            if alone and stop is not None and stop():
                break
        self._check_finite()

    def _stopping(self, stop: Callable[[], bool] | None) -> Callable[[], bool] | None:
        """A pass ends where something is known not to be finite, on all ranks at once."""
        finite = self._finite
        if finite is None:
            return stop
        return lambda: finite.found or (stop is not None and stop())

    def _step_scheduler(self, update: Update) -> None:
        due = update.last if self.scheduler_every == "epoch" else not update.skipped
        if self.scheduler is not None and due:
            self.scheduler.step()

    def _agreed(
        self,
        open_pass: Callable[[], Pass],
        device: torch.device | None,
        stop: Callable[[], bool] | None,
    ) -> Pass:
        if self._runtime.world_size == 1:
            return open_pass()
        return AgreedPass(
            open_pass, self._runtime, self._model, lambda batch: place(batch, device), stop
        )

    def _step_on(self, device: torch.device | None) -> Step:
        """The step as it is computed: compiled, and in the precision that was asked for."""
        step: Step = self._in_precision(self._compiled, device)
        return step

    def _in_precision(self, compute: Any, device: torch.device | None) -> Any:
        """A function of the model and a batch, in the precision of the engine or of its host."""
        host = self._runtime.autocast
        if host is not None:
            return within(host, compute)
        if self._precision == "fp32":
            return compute
        return autocasting(compute, self._precision, _type_of(device))

    def _parts(self) -> dict[str, Any]:
        return {
            "model": self._module,
            "optimizer": self._unwrapped,
            "scheduler": self.scheduler,
            "scaling": self._scaling,
            "averages": self._averages,
        }

    def _updater_for(self, method: str) -> Updater:
        if self._updater is None:
            raise NoOptimizer(
                f"Engine.{method} trains, and this engine has no optimizer; make it with "
                "Engine(model, step, optimizer), or use test_epoch or predict",
            )
        return self._updater

    def _check_idle(self, method: str) -> None:
        if self._updater is not None and self._updater.busy:
            raise Busy(
                f"Engine.{method} was called while an update is being computed, when half of it "
                "may be done; call it between two updates: in the body of `for update in "
                "engine.updates(loader)`",
            )

        if self._averages is not None:
            self._averages.check_out_of_place(f"Engine.{method} was called")

    def _check_finite(self) -> None:
        finite = self._finite
        if finite is None:
            return
        try:
            finite.raise_if_bad()
        except NotFinite:
            if self._averages is not None:  # whose values were withheld, and not their count
                self._averages.updates -= finite.withheld
            raise

    def _device_now(self) -> torch.device | None:
        return device_of(self._model) if self._device is None else self._device

    def _result(self, totals: Totals, verb: str, started: float) -> EpochResult:
        settle(self._device_now())
        return totals.result(verb, perf_counter() - started)


def _type_of(device: torch.device | None) -> str:
    return "cpu" if device is None else device.type
