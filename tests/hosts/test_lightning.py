"""A step of ours and a run of ours inside of Lightning's Trainer."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from treadle import Engine, Loss, open_runs, start_run, supervised
from treadle.errors import WrongArgument
from treadle_loop import InvalidSetting, Mean, RebuiltLoss

lightning = pytest.importorskip(
    "lightning.pytorch", reason="needs the hosts environment: hatch run hosts:test"
)

pytestmark = [
    pytest.mark.hosts,
    # Lightning asks torch in a way that torch has replaced.
    pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.` is deprecated"),
    # Advice about a validation, which not each of these trainings needs; about workers, which three batches do not need, and about a step that is passed over, which is asked for.
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no"),
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:`training_step` returned `None`"),
]

torch.manual_seed(0)
INPUTS = torch.randn(50, 4)
TARGETS = INPUTS.sum(1, keepdim=True)
DATA = TensorDataset(INPUTS, TARGETS)
sgd = partial(torch.optim.SGD, lr=0.1)
step = supervised(
    functional.mse_loss, metrics={"mae": lambda outputs, targets: (outputs - targets).abs().mean()}
)


def linear() -> nn.Module:
    torch.manual_seed(1)
    return nn.Linear(4, 1)


def loader(size: int = 8) -> DataLoader[Any]:
    return DataLoader(DATA, batch_size=size)


def trainer(**settings: Any) -> Any:
    return lightning.Trainer(
        **{
            "accelerator": "cpu",
            "max_epochs": 1,
            "logger": False,
            "log_every_n_steps": 1,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            **settings,
        }
    )


def module_of(model: nn.Module, wanted: Any = step) -> Any:
    from treadle.integrations.lightning import StepModule

    return StepModule(model, wanted, sgd)


def logger_of(*arguments: Any, **options: Any) -> Any:
    from treadle.integrations.lightning import RunLogger

    return RunLogger(*arguments, **options)


class At(lightning.Callback):
    """Does something once, after a batch."""

    def __init__(self, batch: int, act: Callable[[], None]) -> None:
        self.batch, self.act, self.batches = batch, act, 0

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.batches += 1
        if self.batches == self.batch:
            self.act()


def fail() -> None:
    raise RuntimeError("out of luck")


@pytest.fixture
def signals() -> Iterator[None]:
    """After Ctrl-C Lightning leaves it ignored."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_step_trains_the_same_weights() -> None:
    """A module of a step has, after two epochs, bitwise the weights that the engine gives."""
    expected, actual = linear(), linear()
    engine = Engine(expected, step, sgd(expected.parameters()))
    for _ in range(2):
        engine.train_epoch(loader())
    trainer(max_epochs=2).fit(module_of(actual), loader())

    assert torch.equal(expected.weight, actual.weight)


def weighing(model: nn.Module, batch: Any) -> Loss:
    """A mean over the positive targets, which may be none; the first batch has a mean over its own."""
    inputs, targets = batch
    chosen = targets[:, 0] > 1.5
    each = (model(inputs) - targets)[:, 0] ** 2
    return Loss(
        each[chosen].mean(),
        weight=chosen.sum(),
        metrics={"all": Mean(each.detach().mean(), len(each)), "largest": each.max()},
    )


def test_means_are_weighted_as_the_engine_weighs_them() -> None:
    """A mean over a validation is exactly the engine's, where batches weigh unequally and some nothing."""
    model = linear()
    tested = Engine(model, weighing).test_epoch(loader(3))
    found = trainer().validate(module_of(model, weighing), loader(3), verbose=False)
    expected = {"loss": float(tested.loss)} | {
        name: float(value) for name, value in tested.metrics.items()
    }

    assert [{f"val/{name}": value for name, value in expected.items()}] == found


@pytest.mark.parametrize("nothing", [0, 0.0, torch.tensor(0)], ids=["int", "float", "tensor"])
def test_what_weighs_nothing_trains_nothing(nothing: Any) -> None:
    """A batch of weight 0 leaves the weights as they are."""
    model = linear()
    trainer().fit(
        module_of(model, lambda net, batch: Loss(step(net, batch).value, nothing)), loader()
    )

    assert torch.equal(linear().weight, model.weight)


def test_a_loss_that_cannot_train_is_found() -> None:
    """A loss that was made anew, on which Lightning would train nothing without a word, is an error."""

    def rebuilt(model: nn.Module, batch: Any) -> torch.Tensor:
        return torch.tensor(step(model, batch).value.item(), requires_grad=True)

    with pytest.raises(RebuiltLoss):
        trainer().fit(module_of(linear(), rebuilt), loader())


def test_callbacks_are_told_the_records() -> None:
    """A callback finds how many records each batch held."""
    held = []

    class Hold(lightning.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
            held.append(outputs["records"])

    trainer(callbacks=[Hold()]).fit(module_of(linear()), loader(16))

    assert [16, 16, 16, 2] == held


TARGET = ["tensorboard:{0}/runs", "mlflow:sqlite:///{0}/mlflow.db"]


def test_a_run_is_a_logger(tmp_path: Path) -> None:
    """Both backends have each value at Lightning's step, the parameters, and one run for fit, test and validate."""
    target = [one.format(tmp_path) for one in TARGET]
    logger = logger_of(
        target, experiment="sums", name="first", params={"lr": 0.1}, best={"val/loss": "min"}
    )
    module = module_of(linear())
    module.save_hyperparameters({"width": 4})
    fitting = trainer(max_epochs=2, logger=logger, log_every_n_steps=3)
    fitting.fit(module, loader(), loader())
    after_fit = logger.experiment
    fitting.test(module, loader(), verbose=False)
    # Of a trainer that has not trained: at step 0, which cuts nothing.
    trainer(logger=logger).validate(module, loader(), verbose=False)

    for place in target:
        [run] = open_runs(place)
        assert ("sums", "first", "FINISHED") == (run.experiment, run.name, run.status)
        assert {"lr": 0.1, "width": 4} == run.params
        assert [2, 5, 8, 11] == [at for at, _ in run.history("train/loss")]
        assert [0, 6, 13] == sorted(at for at, _ in run.history("val/loss"))
        assert [14] == [at for at, _ in run.history("test/mae")]
    assert after_fit.uid == logger._run.uid


def test_asking_where_a_run_is_does_not_go_on_with_it(tmp_path: Path) -> None:
    """A program that asks for the run's directory after the training, as to show it, leaves the run ended."""
    place = f"tensorboard:{tmp_path}/runs"
    fitting = trainer(logger=logger_of(place, experiment="sums", name="first"))
    fitting.fit(module_of(linear()), loader())
    asked = fitting.logger
    where = (asked.name, asked.version, asked.save_dir, asked.log_dir)
    [run] = open_runs(place)

    root = tmp_path / "runs"
    assert ("sums", "first", str(root), str(root / "sums/first")) == where
    assert "FINISHED" == run.status


def test_hyperparameters_are_on_the_hparams_page(tmp_path: Path) -> None:
    """The hyperparameters of a module, given as `params`, are what TensorBoard's HPARAMS page is told first."""
    plugin = pytest.importorskip("tensorboard.plugins.hparams.plugin_data_pb2")
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    module = module_of(linear())
    module.save_hyperparameters({"width": 4, "activation": "relu"})
    logger = logger_of(f"tensorboard:{tmp_path}/runs", params=module.hparams)
    trainer(logger=logger, enable_checkpointing=True).fit(module, loader())
    read = events.EventAccumulator(logger.log_dir)
    read.Reload()
    told = read.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    started = plugin.HParamsPluginData.FromString(told).session_start_info

    assert (4, "relu") == (
        started.hparams["width"].number_value,
        started.hparams["activation"].string_value,
    )


def test_batches_of_inputs_are_predicted() -> None:
    """From a loader of inputs alone, `predict` gives what the model computes of each batch."""
    model = linear()
    inputs = DataLoader(INPUTS, batch_size=32)
    predicted = trainer().predict(module_of(model), inputs)

    assert [model(INPUTS[:32]).tolist(), model(INPUTS[32:]).tolist()] == [
        batch.tolist() for batch in predicted
    ]


def test_checkpoints_are_in_the_runs_directory(tmp_path: Path) -> None:
    """Lightning saves its checkpoints into the run's directory, also where its name was taken."""
    folders = []
    for _ in range(2):
        logger = logger_of(f"tensorboard:{tmp_path}/runs", experiment="a/b", name="same")
        fitting = trainer(logger=logger, enable_checkpointing=True)
        fitting.fit(module_of(linear()), loader())
        folders.append(Path(fitting.checkpoint_callback.best_model_path).parent)

    assert [tmp_path / f"runs/a%2Fb/{name}/checkpoints" for name in ("same", "same-2")] == folders


def test_a_failure_is_failed(tmp_path: Path) -> None:
    """A training that raises leaves a FAILED run with what was logged before."""
    place = f"tensorboard:{tmp_path}/runs"
    with pytest.raises(RuntimeError, match="out of luck"):
        trainer(logger=logger_of(place), callbacks=[At(3, fail)]).fit(module_of(linear()), loader())
    [run] = open_runs(place)

    assert ("FAILED", 2) == (run.status, len(run.history("train/loss")))


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("is_own", [True, False], ids=["run", "target"])
def test_a_stop_is_killed(tmp_path: Path, number: signal.Signals, is_own: bool) -> None:
    """Ctrl-C and SIGTERM leave a KILLED run, whether the logger has started it or was given it."""
    place = f"tensorboard:{tmp_path}/runs"
    given = start_run(place) if is_own else place
    stop = At(3, lambda: os.kill(os.getpid(), number))
    with pytest.raises(SystemExit):
        trainer(logger=logger_of(given), callbacks=[stop]).fit(module_of(linear()), loader())
    [run] = open_runs(place)

    assert "KILLED" == run.status


@pytest.mark.usefixtures("signals")
def test_sigterm_lets_the_batch_end(tmp_path: Path) -> None:
    """Where the logger has started the run, Lightning ends the training after the batch in which SIGTERM arrives."""
    place = f"tensorboard:{tmp_path}/runs"
    ended = []
    stop = At(3, lambda: (os.kill(os.getpid(), signal.SIGTERM), ended.append("batch")))
    with pytest.raises(SystemExit):
        trainer(logger=logger_of(place), callbacks=[stop]).fit(module_of(linear()), loader())
    [run] = open_runs(place)

    assert (["batch"], [0, 1, 2]) == (ended, [at for at, _ in run.history("train/loss")])


# It is the run's, which goes on.
@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
def test_a_run_goes_on_without_a_step_twice(tmp_path: Path) -> None:
    """Continued from Lightning's checkpoint, the run has each step once, as if it had not failed."""
    place = f"tensorboard:{tmp_path}/runs"

    def fit(name: str, *callbacks: Any, **where: Any) -> None:
        saving = lightning.callbacks.ModelCheckpoint(save_top_k=-1)
        logger = logger_of(place, name=name, resume="auto")
        fitting = trainer(
            max_epochs=2, logger=logger, callbacks=[saving, *callbacks], enable_checkpointing=True
        )
        fitting.fit(module_of(linear()), loader(), loader(), **where)

    fit("whole")
    with pytest.raises(RuntimeError, match="out of luck"):
        fit("stopped", At(11, fail))
    saved = tmp_path / "runs/default/stopped/checkpoints/epoch=0-step=7.ckpt"
    fit("stopped", ckpt_path=saved)
    whole, stopped = (open_runs(place)[name] for name in ("whole", "stopped"))

    assert "FINISHED" == stopped.status
    assert {name: whole.history(name) for name in whole.metrics} == {
        name: stopped.history(name) for name in stopped.metrics
    }


def two_rates(model: nn.Module) -> Any:
    """A module with an optimizer for the weights and one for the rest, as the page about Lightning has it."""
    from treadle.integrations.lightning import StepModule

    class TwoRates(StepModule):
        def training_step(self, batch, batch_idx):
            computed = super().training_step(batch, batch_idx)
            for optimizer in self.optimizers():
                optimizer.zero_grad()
            self.manual_backward(computed["loss"])
            for optimizer in self.optimizers():
                optimizer.step()
            return computed

    def make(parameters):
        weight, bias = parameters
        return [torch.optim.SGD([weight], lr=0.1), torch.optim.Adam([bias], lr=0.01)]

    module = TwoRates(model, step, make)
    module.automatic_optimization = False
    return module


# As above.
@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
def test_several_optimizers_go_on_without_a_step_twice(tmp_path: Path) -> None:
    """With two optimizers, of which Lightning counts the steps of both, a run goes on as if it had not failed."""
    place = f"tensorboard:{tmp_path}/runs"

    def fit(name: str, *callbacks: Any, **where: Any) -> nn.Module:
        model = linear()
        saving = lightning.callbacks.ModelCheckpoint(save_last=True)
        logger = logger_of(place, name=name, resume="auto")
        fitting = trainer(
            max_epochs=2, logger=logger, callbacks=[saving, *callbacks], enable_checkpointing=True
        )
        fitting.fit(two_rates(model), loader(), loader(), **where)
        return model

    expected = fit("whole")
    with pytest.raises(RuntimeError, match="out of luck"):
        fit("stopped", At(11, fail))
    actual = fit("stopped", ckpt_path=tmp_path / "runs/default/stopped/checkpoints/last.ckpt")
    whole, stopped = (open_runs(place)[name] for name in ("whole", "stopped"))

    assert list(range(14)) == [at for at, _ in stopped.history("train/loss")]
    assert {name: whole.history(name) for name in whole.metrics} == {
        name: stopped.history(name) for name in stopped.metrics
    }
    assert torch.equal(expected.weight, actual.weight)
    assert torch.equal(expected.bias, actual.bias)


def test_a_run_of_ones_own_is_left_running(tmp_path: Path) -> None:
    """A run that the logger was given records what comes before, between and after, and is ended by its own block."""
    place = f"tensorboard:{tmp_path}/runs"
    with start_run(place) as run:
        trainer(logger=logger_of(run)).fit(module_of(linear()), loader())
        run.log({"later": 1.0}, step=7)
        status = run.status
    [read] = open_runs(place)

    assert ("RUNNING", "FINISHED", ((7, 1.0),)) == (status, read.status, read.history("later"))


def test_options_belong_to_a_target() -> None:
    """Options beside a run, which is started already, are refused."""
    with pytest.raises(WrongArgument) as caught:
        logger_of(start_run(None), name="late")

    assert (
        "RunLogger was given a run, already started, together with 'name'; give them to start_run, or give RunLogger a "
        "target, such as 'tensorboard:runs'"
    ) == str(caught.value)


def test_a_closed_run_is_found_at_once(tmp_path: Path) -> None:
    """A run that is closed, and would fail at the first value, is refused where the logger is made."""
    with start_run(f"tensorboard:{tmp_path}/runs", name="over") as run:
        pass

    with pytest.raises(WrongArgument) as caught:
        logger_of(run)

    assert (
        "the run 'over' is closed (FINISHED), and one that records was expected; train within its `with` block, or give "
        "RunLogger a target, such as 'tensorboard:runs'"
    ) == str(caught.value)


def test_an_optimizer_that_is_made_is_found_at_once() -> None:
    """An optimizer in place of what makes one is refused where the module is made, with what to write."""
    from treadle.integrations.lightning import StepModule

    model = linear()
    with pytest.raises(WrongArgument) as caught:
        StepModule(model, step, sgd(model.parameters()))

    assert (
        "the optimizer is of type SGD, and a function of the model's parameters was expected, such as "
        "partial(torch.optim.SGD, lr=0.1)"
    ) == str(caught.value)


def test_a_loss_is_no_step() -> None:
    """A loss function in place of the step is refused as an engine refuses it."""
    with pytest.raises(InvalidSetting, match=r"did you mean supervised\(mse_loss\)\?"):
        module_of(linear(), functional.mse_loss)


def test_a_mistyped_option_is_found_at_once() -> None:
    """An option that start_run does not take is an error where the logger is made."""
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'experimant'"):
        logger_of("tensorboard:runs", experimant="sums")


def test_nothing_is_recorded_without_a_target(tmp_path: Path) -> None:
    """With None as its target the logger records nothing, and Lightning saves where it would without a logger."""
    fitting = trainer(logger=logger_of(None), default_root_dir=tmp_path, enable_checkpointing=True)
    fitting.fit(module_of(linear()), loader())

    assert tmp_path in Path(fitting.checkpoint_callback.best_model_path).parents
    assert fitting.logger.log_dir is None


RANKS = """
import sys
import torch
from functools import partial
from lightning.pytorch import Trainer
from torch.nn import Linear, functional
from torch.utils.data import DataLoader, TensorDataset

from treadle import supervised
from treadle.integrations.lightning import RunLogger, StepModule

if __name__ == "__main__":
    torch.manual_seed(0)
    inputs = torch.randn(32, 4)
    data = TensorDataset(inputs, inputs.sum(1, keepdim=True))
    torch.manual_seed(1)
    module = StepModule(Linear(4, 1), supervised(functional.mse_loss), partial(torch.optim.SGD, lr=0.1))
    trainer = Trainer(
        accelerator="cpu", devices=2, strategy=sys.argv[1], max_epochs=2, log_every_n_steps=1,
        logger=RunLogger("tensorboard:runs", name="both"), enable_progress_bar=False, enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(data, batch_size=8), DataLoader(data, batch_size=3))
    trainer.test(module, DataLoader(data, batch_size=5), verbose=False)
"""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("strategy", ["ddp", "ddp_fork"])
def test_two_ranks_are_one_run(tmp_path: Path, strategy: str) -> None:
    """Two ranks leave one run of fit and test, whose validation is the mean over the records of both."""
    (tmp_path / "ranks.py").write_text(RANKS)
    done = subprocess.run(
        [sys.executable, "ranks.py", strategy],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert 0 == done.returncode, done.stderr
    [run] = open_runs(f"tensorboard:{tmp_path / 'runs'}")
    [saved] = (run.directory / "checkpoints").iterdir()
    module = module_of(linear())
    module.load_state_dict(torch.load(saved, weights_only=True)["state_dict"])
    torch.manual_seed(0)
    inputs = torch.randn(32, 4)
    mean = functional.mse_loss(module(inputs), inputs.sum(1, keepdim=True)).item()

    assert ("FINISHED", [0, 1, 2, 3]) == (run.status, [at for at, _ in run.history("train/loss")])
    assert pytest.approx(mean, rel=1e-6) == run.history("val/loss")[-1][1]
    assert pytest.approx(mean, rel=1e-6) == run.history("test/loss")[-1][1]


def test_the_classes_are_those_of_the_package_in_use() -> None:
    """The classes are made of `pytorch_lightning` where that is what the program has imported, and not of `lightning`."""
    code = """
import sys
import pytorch_lightning
from treadle.integrations.lightning import RunLogger, StepModule
print([kind.__mro__[1].__module__ for kind in (RunLogger, StepModule)], "lightning" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    expected = ["pytorch_lightning.loggers.logger", "pytorch_lightning.core.module"]
    assert f"{expected} False" == done.stdout.strip()
