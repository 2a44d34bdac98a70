"""MLflow as a mirror, where it takes other processes to see: servers, rivals, a clean environment."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from io import BytesIO
from urllib.error import URLError

import pytest

from treadle_tracking import start_run
from treadle_tracking.mirrors.state import Sent, load_every, save_sent
from treadle_tracking.syncing import sync

pytestmark = pytest.mark.slow

for _module in ("mlflow", "sqlalchemy", "alembic"):
    pytest.importorskip(_module, reason="needs the extra treadle-tracking[mlflow]")


def complaints(written):
    """What was written to stderr, less the sentence that a run waits, which a slow machine has it say."""
    return [line for line in written.splitlines() if not line.startswith("treadle: waiting up to")]


@pytest.fixture
def server(tmp_path):
    """The address of an `mlflow server` on loopback."""
    pytest.importorskip("flask", reason="needs the extra treadle-tracking[mlflow-ui]")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1", "--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}"),
        *("--artifacts-destination", str(tmp_path / "served")),
    ]
    with (tmp_path / "server.log").open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=tmp_path, stdout=output, stderr=output
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                with urllib.request.urlopen(f"{address}/health", timeout=1):
                    break
            except (URLError, OSError):
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def test_a_server_has_everything_once(server, tmp_path, monkeypatch, capfd):
    """Over http too, sending a run again changes nothing; and nothing is printed of the server."""
    from mlflow import MlflowClient

    pillow = pytest.importorskip("PIL.Image", reason="needs the extra treadle-tracking[images]")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"weights")
    buffer = BytesIO()
    pillow.new("RGB", (2, 1)).save(buffer, "PNG")
    with start_run(
        ["tensorboard:runs", f"mlflow:{server}"],
        experiment="digits",
        params={"lr": 1e-3, "empty": "", "long": "é" * 6_500},
        tags={"lr@0": "x"},
    ) as run:
        for step in range(1_100):
            run.log({"loss": 1 / (step + 1), "lr@0": float("nan")}, step=step)
        run.image("samples", buffer.getvalue(), step=3)
        run.text("note", "# größer", step=2)
        run.artifact("weights.bin", "a#1 %ü.bin")

    [sent] = load_every(run.directory)
    for _ in range(2):
        save_sent(run.directory, Sent(uri=sent.uri))
        sync(run.directory)

    client = MlflowClient(server)
    [found] = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    points = client.get_metric_history(found.info.run_id, "loss")
    files = {
        item.path
        for folder in (None, "images", "texts/note")
        for item in client.list_artifacts(found.info.run_id, folder)
    }
    assert "FINISHED" == found.info.status
    assert [(step, 1 / (step + 1)) for step in range(1_100)] == sorted(
        (point.step, point.value) for point in points
    )
    assert ("0.001", "") == (found.data.params["lr"], found.data.params["empty"])
    assert 2 == len([name for name in files if name.startswith("images/")])
    assert {"params.json", "texts/note/2.md", "a_x0023_1 _x0025_25ü.bin"} <= files
    printed = capfd.readouterr()
    assert ("", []) == (printed.out, complaints(printed.err))


RIVAL = """
import sys
from pathlib import Path
from treadle_tracking import start_run
with start_run(["tensorboard:runs", "mlflow:sqlite:///mlflow.db"], experiment="digits") as run:
    run.log({"loss": 1.0}, step=1)
"""


def test_processes_that_start_together_share_a_new_database(tmp_path):
    """Of several first runs of all, each is there, and in one experiment."""
    from mlflow import MlflowClient

    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RIVAL], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    said = [process.communicate()[1] for process in processes]

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert [[]] * 4 == [complaints(written) for written in said]
    assert [("FINISHED", {"loss": 1.0})] * 4 == [
        (run.info.status, run.data.metrics) for run in runs
    ]


CLEAN = """
import os
from treadle_tracking import start_run
before = dict(os.environ)
with start_run(["tensorboard:runs", "mlflow:sqlite:///mlflow.db"]) as run:
    run.log({"loss": 1.0}, step=1)
from mlflow.telemetry import get_telemetry_client
import mlflow
print(dict(os.environ) == before, get_telemetry_client(), mlflow.active_run())
"""


def test_the_environment_is_left_as_it_was_and_nothing_is_reported(tmp_path):
    """MLflow's telemetry is never started, and no variable, folder or active run is left behind."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}

    done = subprocess.run(
        [sys.executable, "-c", CLEAN],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert ("True None None\n", []) == (done.stdout, complaints(done.stderr))
    assert [] == [path.name for path in home.iterdir()]
