"""Sweeps with Ray Tune, in a Ray of their own: each trial has one run, however it ends and how often it begins."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from attrs import field, frozen

import treadle
from treadle.errors import NotReported, WrongArgument
from treadle.integrations.ray import Sweep, check_search, report, space
from treadle_config import ConfigError
from treadle_tracking import Run, RunRecord, open_runs

pytest.importorskip("ray", reason="needs the hosts environment: hatch run hosts:test")

from ray import cloudpickle, tune
from ray.tune.schedulers import ASHAScheduler, PopulationBasedTraining

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.timeout(300),
]

MODES = ["killed", "stopped", "nan"]


@frozen
class Config:
    mode: str = "plain"
    lr: float = 0.05
    until: treadle.Limit = field(factory=lambda: treadle.parse("250 records"))
    marks: Path = Path()


def main(config: Config, run: Run) -> None:
    """A script for `launch`: 100 records in batches of 16, the last of them of 4."""
    torch.manual_seed(0)
    inputs = torch.linspace(-1, 1, 100).reshape(100, 1)
    loader = treadle.TensorLoader(inputs, 3 * inputs, batch_size=16, shuffle=True, seed=0)
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=config.lr)
    engine = treadle.Engine(model, treadle.supervised(torch.nn.functional.mse_loss), optimizer)
    moments = treadle.training(
        engine,
        loader,
        {"val": treadle.TensorLoader(inputs, 3 * inputs, batch_size=50)},
        until=config.until,
        validate="100 records",
        log="1 step",
        checkpoint="1 epoch",
        run=run,
    )
    for moment in moments:
        mark = config.marks / "killed"
        if config.mode == "killed" and moment.counts.records == 232 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class Searched:
    """What a sweep has left: Ray's results and the runs of both backends, by mode."""

    def __init__(self, folder: Path, results: Any) -> None:
        self.results = {result.config["mode"]: result for result in results}
        self.when_ray_was_done: dict[str, str] = {}  # statuses
        self.directories = self._by_mode(f"tensorboard:{folder / 'runs'}")
        self.database = self._by_mode(f"mlflow:sqlite:///{folder / 'mlflow.db'}")

    def _by_mode(self, target: str) -> dict[str, RunRecord]:
        return {str(run.params.get("mode", "sweep")): run for run in open_runs(target)}


@pytest.fixture(scope="module")
def sent_along() -> Iterator[None]:
    """What is written here goes to the trials as it is: they could not import it."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def searched(ray_address, sent_along, tmp_path_factory) -> Searched:
    """A sweep of a trial for each mode, with a limit that is also the scheduler's."""
    folder = tmp_path_factory.mktemp("searched")
    target = [f"tensorboard:{folder / 'runs'}", f"mlflow:sqlite:///{folder / 'mlflow.db'}"]
    with Sweep(target, experiment="lines", name="modes") as sweep:
        tuner = sweep.tuner(
            main,
            {
                "mode": tune.grid_search(MODES),
                "lr": tune.sample_from(lambda config: 1e30 if config["mode"] == "nan" else 0.05),
                "until": tune.sample_from(
                    lambda config: "9 epochs" if config["mode"] == "stopped" else "250 records"
                ),
            },
            {"marks": str(folder)},
            resources={"cpu": 1},
            tune_config=tune.TuneConfig(
                metric="val/loss",
                mode="min",
                scheduler=ASHAScheduler(time_attr="records", max_t=264, grace_period=264),
            ),
            run_config=tune.RunConfig(
                storage_path=str(folder / "ray"),
                failure_config=tune.FailureConfig(max_failures=1),
                verbose=0,
            ),
        )
        results = tuner.fit()
        early = Searched(folder, results).database
    searched = Searched(folder, results)
    searched.when_ray_was_done = {mode: run.status for mode, run in early.items()}
    return searched


def test_each_trial_ends_as_what_it_was(searched):
    """A trial that is done is FINISHED, one that the scheduler stops KILLED, and one that raises FAILED."""
    expected = {"sweep": "FINISHED", "killed": "FINISHED", "stopped": "KILLED", "nan": "FAILED"}

    assert expected == {mode: run.status for mode, run in searched.directories.items()}
    assert expected == {mode: run.status for mode, run in searched.database.items()}


def test_trials_end_themselves(searched):
    """A trial that is stopped has ended its run, at its mirror too, before Ray ends its process."""
    expected = {"sweep": "RUNNING", "killed": "FINISHED", "stopped": "KILLED", "nan": "FAILED"}

    assert expected == searched.when_ray_was_done


def test_a_killed_trial_goes_on_as_if_nothing_had_happened(searched, tmp_path):
    """A trial that was killed has each step once, as the same script has that nobody has killed."""
    with treadle.start_run(f"tensorboard:{tmp_path}", name="alone") as run:
        main(Config(), run)
    [alone] = open_runs(f"tensorboard:{tmp_path}")
    expected = {name: alone.history(name) for name in alone.metrics}

    for trial in (searched.directories["killed"], searched.database["killed"]):
        assert expected == {name: trial.history(name) for name in trial.metrics}


def test_a_limit_ends_at_the_step_that_reaches_it(searched):
    """Of batches of 16, 16, 16, 16, 16, 16 and 4 records, 250 are reached by 264."""
    metrics = searched.results["killed"].metrics

    assert (264, 18) == (metrics["records"], metrics["steps"])


def test_the_scheduler_stops_by_records(searched):
    """A scheduler that counts records stops a trial at the first report that has as many."""
    metrics = searched.results["stopped"].metrics

    assert (300, 21) == (metrics["records"], metrics["steps"])


def test_nan_is_named(searched):
    """A trial whose loss is NaN fails, and the sweep goes on and has the reason."""
    said = str(searched.results["nan"].error)

    assert "'val/loss' is nan after 7 steps, 100 records, which is neither better nor worse" in said


def test_a_run_is_its_trial(searched):
    """A run is named after its trial, has its config as parameters, and only the user's metrics."""
    run = searched.directories["stopped"]

    assert f"main_{run.tags['trial']}" == run.name
    assert ("modes", "lines") == (run.tags["sweep"], run.experiment)
    assert {"mode", "lr", "until", "marks"} == set(run.params)
    assert ["lr", "train/loss", "val/loss"] == sorted(run.metrics)


def test_both_backends_have_the_same(searched):
    """Read from the directories and from MLflow, the runs are the same."""
    for mode, run in searched.directories.items():
        twin = searched.database[mode]

        assert (run.uid, run.name, run.experiment) == (twin.uid, twin.name, twin.experiment)
        assert (run.params, run.tags) == (twin.params, twin.tags)
        # As text, since one of them has NaN.
        assert [repr(run.history(name)) for name in sorted(run.metrics)] == [
            repr(twin.history(name)) for name in sorted(twin.metrics)
        ]


def test_mlflow_shows_trials_below_their_sweep(searched):
    """The runs of the trials say to MLflow that they belong to that of the sweep."""
    runs = searched.database

    assert {runs["sweep"].identity} == {runs[mode].parent for mode in MODES}


def test_values_come_from_the_sweep(searched):
    """The provenance of a trial's config names the sweep."""
    run = searched.directories["stopped"]
    said = (run.directory / "artifacts" / "launch" / "provenance.json").read_text()

    assert '"mode": "sweep"' in said


def test_nothing_of_rays_is_kept(searched):
    """No file that Ray writes is among a run's artifacts."""
    run = searched.directories["killed"]

    assert {"launch/config.json", "launch/provenance.json"} == set(run.artifacts)


def test_a_trial_of_ones_own(ray_address, sent_along, tmp_path):
    """A function that opens its run itself reports tensors with the counts, and Ray's timings are tags if asked for."""
    sweep = Sweep(f"tensorboard:{tmp_path / 'runs'}", timings=True)

    def train(values: dict[str, Any]) -> None:
        schedule = treadle.Schedule("2 steps")
        with sweep.trial(values) as run:
            for loss in (1.0, 0.5):
                schedule.advance(8, 1, 1)
                run.log({"loss": loss}, step=schedule.progress.steps)
                report({"loss": torch.tensor(loss)}, schedule.progress)

    with sweep:
        [result] = tune.Tuner(
            train,
            param_space={"lr": 0.1},
            run_config=tune.RunConfig(storage_path=str(tmp_path / "ray"), verbose=0),
        ).fit()
    [run] = open_runs(f"tensorboard:{tmp_path / 'runs'}").search("params.lr = 0.1")

    assert (0.5, 16, 2, 2, 0) == tuple(
        result.metrics[name] for name in ("loss", "records", "batches", "steps", "epochs")
    )
    assert ("FINISHED", ["loss"]) == (run.status, list(run.metrics))
    assert {"ray.time_total_s", "ray.training_iteration", "ray.node_ip", "ray.pid"} == {
        tag for tag in run.tags if tag.startswith("ray.")
    }


SCRIPT = """
import os, signal, sys
from pathlib import Path
import ray, torch, treadle
from attrs import frozen
from ray import tune
from ray.tune.trainable import trainable_fn_utils
from treadle.integrations.ray import Sweep

@frozen
class Config:
    driver: int = 0
    signal: str = ""

def main(config, run):
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 96).reshape(96, 1)
    loader = treadle.TensorLoader(x, 3 * x, batch_size=16, shuffle=True, seed=0)
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    engine = treadle.Engine(model, treadle.supervised(torch.nn.functional.mse_loss), optimizer)
    for moment in treadle.training(
        engine, loader, {"val": loader}, until="3 epochs", log="1 step", checkpoint="1 epoch", run=run
    ):
        if moment.counts.steps == 9 and not Path("told").exists():
            Path("told").touch()
            os.kill(config.driver, getattr(signal, config.signal))
            # Until Tune stops the trial; that of a driver which is dead is ended by Ray.
            trainable_fn_utils.get_session().stop_event.wait()

main.__annotations__["config"] = Config

if __name__ == "__main__":
    ray.init(sys.argv[1], log_to_driver=False)
    options = {"metric": "val/loss", "mode": "min"}
    with Sweep("tensorboard:runs", experiment="lines", name="again") as sweep:
        if Path("ray/again").exists():
            trainable = sweep.trainable(main, reports=["val/loss"])
            tuner = tune.Tuner.restore(os.path.abspath("ray/again"), trainable)
        else:
            tuner = sweep.tuner(
                main,
                {"driver": os.getpid(), "signal": sys.argv[2]},
                tune_config=tune.TuneConfig(**options),
                run_config=tune.RunConfig(storage_path=os.path.abspath("ray"), verbose=0),
            )
        best = tuner.fit().get_best_result("val/loss", "min")
    print(best.metrics["records"])
"""


@pytest.mark.parametrize(
    ("name", "code", "was"),
    [("SIGKILL", -signal.SIGKILL, "UNFINISHED"), ("SIGINT", 0, "KILLED")],
)
def test_a_sweep_goes_on_after_its_driver_was_stopped(ray_address, tmp_path, name, code, was):
    """A sweep that is restored goes on with the runs it had: each trial has one, and each step once."""
    (tmp_path / "sweep.py").write_text(SCRIPT)
    start = partial(
        subprocess.run,
        [sys.executable, "sweep.py", ray_address, name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    stopped = start()
    assert code == stopped.returncode, stopped.stderr
    assert was == _by_short_name(tmp_path)["again"].status

    again = start()

    assert 0 == again.returncode, again.stderr
    assert "288" == again.stdout.split()[-1]
    runs = _by_short_name(tmp_path)
    assert {"again": "FINISHED", "main": "FINISHED"} == {
        short: run.status for short, run in runs.items()
    }
    assert list(range(1, 19)) == [step for step, _ in runs["main"].history("train/loss")]


def _by_short_name(folder: Path) -> dict[str, RunRecord]:
    runs = open_runs(f"tensorboard:{folder / 'runs'}")
    return {run.name.partition("_")[0]: run for run in runs}


def test_what_is_given_for_one_sweep_is_not_changed(tmp_path):
    """Settings of Ray that two sweeps share are as they were, and each sweep keeps its own name."""
    shared = tune.RunConfig(storage_path=str(tmp_path / "ray"))
    search = tune.TuneConfig(metric="val/loss", mode="min")
    for name in ("one", "two"):
        with Sweep(f"tensorboard:{tmp_path / 'runs'}", name=name) as sweep:
            tuner = sweep.tuner(main, {"lr": 0.1}, tune_config=search, run_config=shared)

            assert (None, name) == (shared.name, tuner._local_tuner.get_run_config().name)


@pytest.mark.parametrize(
    ("tune_config", "run_config", "wrong", "advice"),
    [
        (
            {"scheduler": ASHAScheduler(time_attr="record", max_t=600)},
            {},
            "time_attr is 'record'",
            "Did you mean 'records'?",
        ),
        (
            {"metric": "val_loss", "mode": "min"},
            {},
            "metric is 'val_loss'",
            "Did you mean 'val/loss'?",
        ),
        (
            {},
            {"stop": {"accuracy": 0.9}},
            "stop is 'accuracy'",
            "Name it in reports=['accuracy']",
        ),
    ],
)
def test_a_search_for_what_is_not_there(tune_config, run_config, wrong, advice):
    """A unit or a metric that no trial reports is an error before the sweep, with what was meant."""
    with pytest.raises(NotReported) as error:
        check_search(
            tune.TuneConfig(**tune_config), tune.RunConfig(**run_config), reports=["val/loss"]
        )

    assert (
        f"{wrong}, which no trial reports: there are 'val/loss', 'records', 'batches', 'steps' and 'epochs', and "
        f"Ray's own, such as 'training_iteration'. {advice}"
    ) == str(error.value)


def test_a_search_for_what_is_there():
    """The counts, Ray's own numbers and what is reported can be searched and stopped by."""
    tune_config = tune.TuneConfig(
        metric="val/loss", mode="min", scheduler=ASHAScheduler(time_attr="epochs")
    )
    run_config = tune.RunConfig(stop={"records": 600, "training_iteration": 5})

    assert None is check_search(tune_config, run_config, reports=["val/loss"])


def test_a_space_that_fits_is_as_it_was():
    """A search space of a config's own paths and types is what Tune is given."""
    values = {"lr": tune.loguniform(1e-4, 1e-1), "mode": tune.choice(["plain", "killed"])}

    assert values == space(Config, values)


def test_a_space_that_does_not_fit():
    """A path that there is not, and a domain of another type, are all named before the sweep."""
    with pytest.raises(ConfigError) as error:
        space(Config, {"rate": tune.uniform(0, 1), "lr": tune.choice([0.1, "high"])})

    assert ["rate"] == [problem.path for problem in error.value.problems]
    with pytest.raises(ConfigError) as error:
        space(Config, {"lr": tune.choice([0.1, "high"])})
    assert ["lr"] == [problem.path for problem in error.value.problems]


@frozen
class Sgd:
    momentum: float = 0.0


@frozen
class Adam:
    lr: float = 0.1


@frozen
class Chosen:
    optim: Sgd | Adam = field(factory=Sgd)


def test_what_is_chosen_may_have_domains_in_it():
    """A choice between kinds with domains of their own is a search space, and is checked to its last value."""

    def optimizer(*momenta):
        return {
            "optim": tune.choice(
                [
                    {"type": "sgd", "momentum": tune.choice(list(momenta))},
                    {"type": "adam", "lr": tune.loguniform(1e-4, 1e-1)},
                ]
            )
        }

    given = optimizer(0.0, 0.9)

    assert given == space(Chosen, given)
    with pytest.raises(ConfigError, match=r"optim\.momentum"):
        space(Chosen, optimizer(0.0, 0.9, 0.5, "much"))


def test_a_scheduler_that_clones_is_refused(tmp_path):
    """Population based training, which would find nothing to copy and run all trials to their ends, is refused with what to do."""
    with Sweep(f"tensorboard:{tmp_path}") as sweep, pytest.raises(WrongArgument) as caught:
        sweep.tuner(
            main,
            {},
            tune_config=tune.TuneConfig(
                metric="val/loss",
                mode="min",
                scheduler=PopulationBasedTraining(
                    time_attr="records", hyperparam_mutations={"lr": [0.1]}
                ),
            ),
        )

    assert (
        "the scheduler is a PopulationBasedTraining, which clones trials by Ray's checkpoints, and a main saves "
        "into its run's directory instead; write a function for ray.tune.Tuner that calls sweep.trial, and give its "
        "checkpoints to report(…, checkpoint=…)"
    ) == str(caught.value)
