"""Lightning: the step you wrote as a LightningModule, and a run as a Logger.

Both are those of `lightning`, or of `pytorch_lightning` where that is what the program has imported.
"""

import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from inspect import signature
from typing import Any
from uuid import uuid4

from torch import nn
from torch.optim import Optimizer

from treadle.errors import MissingExtra, WrongArgument
from treadle_loop import Step, call_step, check_step
from treadle_tracking import Run, RunStatus, Terminated, start_run

__all__ = ["RunLogger", "StepModule"]

_HOSTS = ("lightning.pytorch", "pytorch_lightning")
_DRAIN_SECONDS_KILLED = 10.0  # who sends SIGTERM kills soon after


def _host() -> Any:
    """The one of the two packages that the program uses: their classes are not each other's."""
    for name in _HOSTS:
        if module := sys.modules.get(name):
            return module
    for name in _HOSTS:
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in {name, name.partition(".")[0]}:
                raise
    raise MissingExtra("treadle.integrations.lightning", "lightning")


_lightning = _host()
_LightningModule: Any = _lightning.LightningModule
_Logger: Any = import_module(f"{_lightning.__name__}.loggers").Logger
_rank_zero_only: Any = import_module(f"{_lightning.__name__}.utilities").rank_zero_only
_exceptions: Any = import_module(f"{_lightning.__name__}.utilities.exceptions")


class StepModule(_LightningModule):  # type: ignore[misc]  # a checker may be without Lightning
    """A model and the step you wrote for it, as Lightning trains them.

    It is, with the weights and metrics of a `Loss` where the step returns one,

        def training_step(self, batch, batch_idx):
            loss = self.step(self.model, batch)
            self.log("train/loss", loss)
            return loss

        def validation_step(self, batch, batch_idx):  # and test_step
            self.log("val/loss", self.step(self.model, batch), batch_size=weight, sync_dist=True)

    A mean over a validation is weighted by what each batch's mean is over, summed in float64, over all ranks. What is
    logged of a training step is that of its last batch alone, on rank 0. The optimizer's steps are Lightning's: it
    divides each loss by `accumulate_grad_batches`, whatever the batches weigh.

    `training_step` returns the loss as `"loss"` and how many records the batch held as `"records"`, which callbacks
    get as `outputs`.

    Args:
        model: What is trained.
        step: `step(model, batch)` returns the loss of a batch, a `Tensor` or a `Loss`.
        optimizer: Makes the optimizer of the model's parameters, as `partial(torch.optim.SGD, lr=0.1)` does; or
            anything else that `configure_optimizers` may return.

    Raises:
        InvalidSetting: The model or the step is something else.
        WrongArgument: The optimizer is made already, or cannot be called.
    """

    def __init__(
        self,
        model: nn.Module,
        step: Step,
        optimizer: Callable[[Iterator[nn.Parameter]], Any],
    ) -> None:
        super().__init__()
        check_step(model, step)
        if isinstance(optimizer, Optimizer) or not callable(optimizer):
            raise WrongArgument(
                f"the optimizer is of type {type(optimizer).__name__}, and a function of the model's parameters was "
                "expected, such as partial(torch.optim.SGD, lr=0.1)"
            )
        self.model = model
        self.step = step
        self._make_optimizer = optimizer

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """What the model computes."""
        return self.model(*inputs, **named)

    def configure_optimizers(self) -> Any:
        """The optimizer of the model's parameters."""
        return self._make_optimizer(self.model.parameters())

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Any] | None:  # noqa: ARG002  # as called
        """The loss and the number of records; None, which Lightning passes over, of a batch that weighs nothing.

        Raises:
            LoopError: It is a loss that cannot train, as `Engine.update` would say.
        """
        result = call_step(self.model, self.step, batch)
        loss = result.training_loss()
        for name, mean in result.means.items():
            self.log(f"train/{name}", mean.value)
        return None if loss is None else {"loss": loss, "records": result.records}

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:  # noqa: ARG002  # as called
        """Log the means over the validation as `val/…`."""
        self._evaluate("val", batch)

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:  # noqa: ARG002  # as called
        """Log the means over the test as `test/…`."""
        self._evaluate("test", batch)

    def _evaluate(self, prefix: str, batch: Any) -> None:
        result = call_step(self.model, self.step, batch)
        for name, mean in result.means_on(self.device).items():
            self.log(f"{prefix}/{name}", mean.value, batch_size=mean.weight, sync_dist=True)


class RunLogger(_Logger):  # type: ignore[misc]  # as above
    """A run as a logger of Lightning's: `Trainer(logger=RunLogger("tensorboard:runs", experiment="digits"))`.

    The step of a value is the one that Lightning gives it: how many optimizer steps there were before the one that the
    value is of. Hyperparameters become the run's parameters. `ModelCheckpoint` saves into the run's `checkpoints/`,
    and what was logged before is committed then. On ranks other than 0 nothing is recorded.

    A run that the logger starts is ended with the trainer's call: FINISHED, or FAILED by an exception, or KILLED by
    Ctrl-C and by SIGTERM, which Lightning then handles, and which ends the training after the batch. The next call goes
    on with the same run. A run of your own is yours to end, but for Ctrl-C and SIGTERM, of which Lightning leaves
    nothing that a `with` could see; SIGTERM ends the training at once then.

    Args:
        run: A target, as for `start_run`, which starts a run where one is first asked for; or a run.
        **options: What else `start_run` takes, but for the rank; with a run, nothing.

    Raises:
        TypeError: `start_run` takes no such option.
        WrongArgument: There are options beside a run, or the run is closed.
    """

    def __init__(self, run: Run | str | Sequence[str] | None, **options: Any) -> None:
        super().__init__()
        self._given = self._run = run if isinstance(run, Run) else None
        self._target = None if isinstance(run, Run) else run
        self._options = options
        self._repeats = options.get("resume", "never") != "never"
        if self._given is None:
            signature(start_run).bind(run, rank=0, **options)
            if options.get("uid") is None and not self._repeats:
                # The same run in all calls, also where each of them is made in a process of its own.
                options |= {"uid": uuid4().hex, "resume": "auto"}
        elif self._given.status != "RUNNING":
            raise WrongArgument(
                f"the run {self._given.name!r} is closed ({self._given.status}), and one that records was expected; "
                "train within its `with` block, or give RunLogger a target, such as 'tensorboard:runs'"
            )
        elif options:
            raise WrongArgument(
                f"RunLogger was given a run, already started, together with {', '.join(map(repr, options))}; give them to "
                "start_run, or give RunLogger a target, such as 'tensorboard:runs'"
            )

    @property
    def experiment(self) -> Run:
        """The run, for all that it can record: `self.logger.experiment.image(…)`."""
        is_over = self._given is None and self._run is not None and self._run.status != "RUNNING"
        if self._run is None or is_over:
            self._run = self._start()
        return self._run

    def _start(self) -> Run:
        terminate = signal.getsignal(signal.SIGTERM)
        run = start_run(self._target, rank=_rank_zero_only.rank, **self._options)
        if signal.getsignal(signal.SIGTERM) is not terminate:
            # It is Lightning's, which ends the training between two batches; a run would end it anywhere.
            signal.signal(signal.SIGTERM, terminate)
        if run.resumed and not self._repeats:
            # A later call of the trainer's replaces nothing, and its steps may begin at 0 again.
            run.load_state_dict(run.state_dict())
        self._options |= {"uid": run.uid, "resume": "auto"}
        self._repeats = False
        return run

    def _where(self) -> Run:
        """The run, though it is over: a program that asks where it is, or was, does not go on with it."""
        return self.experiment if self._run is None else self._run

    @property
    def name(self) -> str:
        """The name of the experiment's directory."""
        run = self._where()
        return run.directory.parent.name if run.recording else run.experiment

    @property
    def version(self) -> str:
        """The name of the run's directory."""
        run = self._where()
        return run.directory.name if run.recording else run.name

    @property
    def save_dir(self) -> str | None:
        """The directory of all runs; None where nothing is recorded."""
        run = self._where()
        return str(run.root) if run.recording else None

    @property
    def log_dir(self) -> str | None:
        """The run's directory; None where nothing is recorded."""
        run = self._where()
        return str(run.directory) if run.recording else None

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Record metrics at a step. Raises as `Run.log`, `InvalidStep` without a step."""
        self.experiment.log(metrics, step=step)  # type: ignore[arg-type]  # it says what is expected

    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Add parameters; see `Run.params`."""
        self.experiment.params(vars(params) if isinstance(params, Namespace) else params)

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Commit what was recorded so far."""
        self.experiment.commit(checkpoint_callback._last_global_step_saved)  # noqa: SLF001

    def save(self) -> None:
        """Do nothing: what was recorded is in the run's directory."""

    def finalize(self, status: str) -> None:
        """End the run as what it was."""
        run = self._run
        ended = _ended(status)
        if run is None or ended is None or (self._given is not None and ended != "KILLED"):
            return
        if ended == "KILLED":
            run.close(ended, timeout=_DRAIN_SECONDS_KILLED)
        else:
            run.close(ended)


def _ended(status: str) -> RunStatus | None:
    if status == "success":
        return "FINISHED"
    if status != "failed":
        return None  # a job is put back into Slurm's queue, and what is said here is said in a signal's handler
    killed = isinstance(
        sys.exception(), KeyboardInterrupt | Terminated | _exceptions.SIGTERMException
    )
    return "KILLED" if killed else "FAILED"
