"""32 tiny trials in Ray Tune: bare, with a run each, and with the logging that Ray brings for MLflow; by the wall."""

import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from attrs import frozen
from harness import Row, Unit, again, table

from treadle.tracking import Run

TRIALS = 32
STEPS = 5
A_TRIAL = Unit("ms a trial", 1e3, decimals=0, of_ratios=2)


@frozen
class Config:
    """What differs between trials."""

    lr: float = 0.1


def tables(rounds: int) -> list[str]:
    """Print the table; it has no gate. Three rounds are enough for what takes seconds."""
    try:
        import ray
    except ImportError as error:
        print(f"\nno sweeps: {error}")
        return []
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with tempfile.TemporaryDirectory() as folder, _ray(ray):
        least = Row("Ray alone", _timed(_bare, Path(folder)))
        rows = [
            least,
            again(least),
            Row("a run each, in directories", _timed(_ours("tensorboard:{}/runs"), Path(folder))),
            Row(
                "a run each, in MLflow on sqlite",
                _timed(_ours("mlflow:sqlite:///{}/ours.db"), Path(folder)),
            ),
            Row("Ray's setup_mlflow, on sqlite", _timed(_setup_mlflow, Path(folder))),
        ]
        table(f"{TRIALS} trials of {STEPS} reports, two at a time", rows, min(rounds, 3), A_TRIAL)
    return []


@contextmanager
def _ray(ray: Any) -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    # A script that is a folder is not where Ray's workers look for modules.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        yield
    finally:
        ray.shutdown()


Sweep = Callable[[Path], Any]


def _timed(sweep: Sweep, folder: Path) -> Callable[[], float]:
    def seconds() -> float:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            began = perf_counter()
            results = sweep(Path(own))
            taken = perf_counter() - began
        assert len(results) == TRIALS
        assert not results.errors
        return taken / TRIALS

    return seconds


def _rates(tune: Any) -> dict[str, Any]:
    return {"lr": tune.grid_search([0.1 * (index + 1) for index in range(TRIALS)])}


def _run_config(tune: Any, folder: Path) -> Any:
    return tune.RunConfig(storage_path=str(folder), verbose=0)


def _bare(folder: Path) -> Any:
    from ray import tune

    def trial(config: dict[str, Any]) -> None:
        for step in range(STEPS):
            tune.report({"loss": config["lr"] / (step + 1)})

    return tune.Tuner(trial, param_space=_rates(tune), run_config=_run_config(tune, folder)).fit()


def _ours(target: str) -> Sweep:
    def sweep(folder: Path) -> Any:
        from ray import tune

        from treadle.integrations.ray import Sweep as Runs

        def main(config: Config, run: Run) -> None:
            for step in range(STEPS):
                run.log({"loss": config.lr / (step + 1)}, step=step)

        directory = folder / "runs" if target.startswith("mlflow") else None
        with Runs(target.format(folder), experiment="bench", directory=directory) as runs:
            return runs.tuner(
                main,
                _rates(tune),
                tune_config=tune.TuneConfig(metric="loss", mode="min"),
                run_config=_run_config(tune, folder),
            ).fit()

    return sweep


def _setup_mlflow(folder: Path) -> Any:
    from mlflow import MlflowClient
    from ray import tune

    store = f"sqlite:///{folder}/mlflow.db"
    # Of two trials that find a new database both make its tables, and one fails of it.
    MlflowClient(store).create_experiment("bench")

    def trial(config: dict[str, Any]) -> None:
        from ray.air.integrations.mlflow import setup_mlflow

        mlflow = setup_mlflow(
            config,
            tracking_uri=store,
            experiment_name="bench",
            create_experiment_if_not_exists=True,
        )
        for step in range(STEPS):
            mlflow.log_metric("loss", config["lr"] / (step + 1), step=step)
            tune.report({"loss": config["lr"] / (step + 1)})

    return tune.Tuner(trial, param_space=_rates(tune), run_config=_run_config(tune, folder)).fit()
