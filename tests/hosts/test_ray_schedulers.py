"""Schedulers of Ray Tune that pause trials, clone them, or have several of them use one process."""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from attrs import frozen

import treadle
from treadle.integrations.ray import Sweep, report
from treadle_tracking import Run, RunRecord, open_runs

pytest.importorskip("ray", reason="needs the hosts environment: hatch run hosts:test")

from ray import cloudpickle, tune
from ray.tune.schedulers import FIFOScheduler, PopulationBasedTraining

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(300)]


@frozen
class Config:
    lr: float = 0.05


def main(config: Config, run: Run) -> None:
    """A script for `launch`: 96 records in six batches, three times."""
    inputs = torch.linspace(-1, 1, 96).reshape(96, 1)
    loader = treadle.TensorLoader(inputs, 3 * inputs, batch_size=16)
    torch.manual_seed(0)
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=config.lr)
    engine = treadle.Engine(model, treadle.supervised(torch.nn.functional.mse_loss), optimizer)
    treadle.fit(
        engine,
        loader,
        {"val": loader},
        until="3 epochs",
        validate="1 epoch",
        checkpoint="1 epoch",
        run=run,
    )


@pytest.fixture(scope="module", autouse=True)
def sent_along(ray_address: str) -> Iterator[None]:
    """What is written here goes to the trials as it is: they could not import it."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def trials(folder: Path) -> dict[float, RunRecord]:
    """The runs of the trials, by their learning rate: one for each."""
    found = open_runs(f"tensorboard:{folder / 'runs'}").search("tags.sweep = 'lines'")
    by_rate = {float(run.params["lr"]): run for run in found}
    assert len(found) == len(by_rate)
    return by_rate


def settings(folder: Path) -> Any:
    return tune.RunConfig(name="lines", storage_path=str(folder / "ray"), verbose=0)


class PausedOnce(FIFOScheduler):
    """Pauses each trial at its first report, as HyperBand and the median rule do at some of them."""

    def __init__(self) -> None:
        super().__init__()
        self.paused: set[str] = set()

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Any) -> str:
        is_first = trial.trial_id not in self.paused
        self.paused.add(trial.trial_id)
        return self.PAUSE if is_first else self.CONTINUE


def test_a_paused_trial_goes_on_in_its_run(tmp_path: Path) -> None:
    """A trial that is paused has each step once, as the same script has that nobody has paused."""
    with treadle.start_run(f"tensorboard:{tmp_path / 'alone'}") as run:
        main(Config(), run)
    [alone] = open_runs(f"tensorboard:{tmp_path / 'alone'}")
    scheduler = PausedOnce()
    with Sweep(f"tensorboard:{tmp_path / 'runs'}", name="lines") as sweep:
        tuner = sweep.tuner(
            main,
            {"lr": 0.05},
            tune_config=tune.TuneConfig(metric="val/loss", mode="min", scheduler=scheduler),
            run_config=settings(tmp_path),
        )
        tuner.fit()
    [paused] = trials(tmp_path).values()

    assert (1, "FINISHED") == (len(scheduler.paused), paused.status)
    assert {name: alone.history(name) for name in alone.metrics} == {
        name: paused.history(name) for name in paused.metrics
    }


def test_trials_in_one_process_have_a_run_each(tmp_path: Path) -> None:
    """With `reuse_actors` two trials in one process record what each of them was given, and nothing of the other."""
    with Sweep(f"tensorboard:{tmp_path / 'runs'}", name="lines", timings=True) as sweep:
        tuner = sweep.tuner(
            main,
            {"lr": tune.grid_search([0.05, 0.01])},
            tune_config=tune.TuneConfig(
                metric="val/loss", mode="min", reuse_actors=True, max_concurrent_trials=1
            ),
            run_config=settings(tmp_path),
        )
        told = {result.config["lr"]: result.metrics["val/loss"] for result in tuner.fit()}
    found = trials(tmp_path)

    assert 1 == len({run.tags["ray.pid"] for run in found.values()})
    assert told == {lr: run.metrics["val/loss"] for lr, run in found.items()}
    assert {"FINISHED": [6, 12, 18]} == {
        run.status: [step for step, _ in run.history("val/loss")] for run in found.values()
    }


def test_a_clone_has_what_it_goes_on_with(tmp_path: Path) -> None:
    """With population based training, a trial's run has its own steps, and then those it has made as another's clone."""
    sweep = Sweep(f"tensorboard:{tmp_path / 'runs'}", name="lines")

    def train(values: dict[str, float]) -> None:
        state = {"step": 0, "distance": 10.0}
        if given := tune.get_checkpoint():
            with given.as_directory() as folder:
                state = torch.load(Path(folder) / "state.pt")
        with sweep.trial(values) as run:
            run.rewind(state["step"] + 1)
            while state["step"] < 3:
                state["step"] += 1
                state["distance"] -= values["lr"]
                run.log({"distance": state["distance"]}, step=state["step"])
                with TemporaryDirectory() as folder:
                    torch.save(state, Path(folder) / "state.pt")
                    report(state, checkpoint=tune.Checkpoint.from_directory(folder))

    with sweep:
        tune.Tuner(
            train,
            param_space={"lr": tune.grid_search([1.0, 0.0])},
            tune_config=tune.TuneConfig(
                metric="distance",
                mode="min",
                reuse_actors=True,
                scheduler=PopulationBasedTraining(
                    time_attr="step",
                    perturbation_interval=2,
                    hyperparam_mutations={"lr": [2.0]},
                    resample_probability=1.0,
                    synch=True,
                ),
            ),
            run_config=settings(tmp_path),
        ).fit()
    found = trials(tmp_path)

    assert ((1, 9.0), (2, 8.0), (3, 7.0)) == found[1.0].history("distance")
    assert ((1, 10.0), (2, 10.0), (3, 6.0)) == found[2.0].history("distance")
    assert {"FINISHED"} == {run.status for run in found.values()}
