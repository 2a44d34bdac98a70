"""A sweep with Ray Tune whose trials log to a real MLflow server, as MLflow's own client sees it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.request import urlopen

import pytest
from attrs import frozen

from treadle.integrations.ray import Sweep
from treadle_tracking import Run

pytest.importorskip("ray", reason="needs the hosts environment: hatch run hosts:test")

from mlflow import MlflowClient
from ray import cloudpickle, tune

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(300)]

ENDS = ["well", "badly", "killed"]


@frozen
class Config:
    """How a trial ends, and where it keeps how far it is."""

    ends: str
    folder: Path


def main(config: Config, run: Run) -> None:
    """Three steps, and a file; one trial raises at the second, and one is killed there and goes on."""
    reached = config.folder / config.ends
    begin = int(reached.read_text()) if run.resumed else 0
    for step in range(begin, 3):
        run.log({"loss": 1.0 / (step + 1)}, step=step)
        reached.write_text(str(step + 1))
        if step >= 1 and config.ends == "badly":
            raise RuntimeError("this trial raises")
        if step == 1 and config.ends == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
    run.artifact(reached, "reached")


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[str]:
    """The address of an `mlflow server` on loopback."""
    folder = tmp_path_factory.mktemp("server")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", f"--port={port}"]
    command += ["--workers=1", f"--backend-store-uri=sqlite:///{folder}/mlflow.db"]
    command += [f"--artifacts-destination={folder}/files"]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        until = monotonic() + 120
        while not _answers(f"http://127.0.0.1:{port}/health"):
            assert running.poll() is None, (folder / "log").read_text()
            assert monotonic() < until, "the server does not answer"
            sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(running.pid, signal.SIGTERM)  # it has workers of its own
        running.wait(30)


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def searched(ray_address, server, tmp_path_factory) -> dict[str, Any]:
    """What MLflow has of a sweep over each end: runs by the end of their trial, and that of the sweep."""
    folder = tmp_path_factory.mktemp("searched")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the trials could not import it
    try:
        with Sweep(f"mlflow:{server}", experiment="e", name="ends", directory=folder) as sweep:
            sweep.tuner(
                main,
                {"ends": tune.grid_search(ENDS)},
                {"folder": str(folder)},
                tune_config=tune.TuneConfig(metric="loss", mode="min"),
                run_config=tune.RunConfig(
                    storage_path=str(folder / "ray"),
                    failure_config=tune.FailureConfig(max_failures=1),
                    verbose=0,
                ),
            ).fit()
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    client = MlflowClient(server)
    [experiment] = client.search_experiments(filter_string="name = 'e'")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 1 + len(ENDS)
    return {run.data.params.get("ends", "sweep"): run for run in runs}


def test_each_trial_is_one_run_that_ends_as_the_trial_did(searched):
    """Also the one that was killed and went on, and the one that raised twice."""
    expected = {"sweep": "FINISHED", "well": "FINISHED", "badly": "FAILED", "killed": "FINISHED"}

    assert expected == {ends: run.info.status for ends, run in searched.items()}


def test_runs_are_named_after_their_trials_and_lie_below_the_sweep(searched):
    """The name, and the tag that MLflow's pages draw the tree by."""
    sweep = searched["sweep"].info.run_id
    for ends in ENDS:
        tags = searched[ends].data.tags

        assert (f"main_{tags['trial']}", sweep) == (
            searched[ends].info.run_name,
            tags["mlflow.parentRunId"],
        )


def test_there_is_nothing_but_what_the_user_logged(searched, server):
    """Metrics, parameters and files: none of Ray's, such as its timings and process ids."""
    client = MlflowClient(server)
    files = client.list_artifacts(searched["well"].info.run_id)

    assert {"ends", "folder"} == set(searched["well"].data.params)
    assert {"loss"} == set(searched["well"].data.metrics)
    assert ["launch", "params.json", "reached"] == [file.path for file in files]


def test_no_step_is_there_twice(searched, server):
    """In MLflow's own history, of the trial that was killed and went on with its run."""
    history = MlflowClient(server).get_metric_history(searched["killed"].info.run_id, "loss")

    assert [(0, 1.0), (1, 0.5), (2, 1 / 3)] == [(point.step, point.value) for point in history]
