"""Runs read from a real MLflow server: the suite for readers, and what only a server can show."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing

import pytest

from treadle_tracking import open_runs, start_run
from treadle_tracking.mirrors.mlflow import MLflowMirror
from treadle_tracking.reading.mlflow import MLflowReader
from treadle_tracking.testing import ReaderConformance

pytestmark = pytest.mark.slow

for _module in ("mlflow", "sqlalchemy", "alembic"):
    pytest.importorskip(_module, reason="needs the extra treadle-tracking[mlflow]")
pytest.importorskip("flask", reason="needs the extra treadle-tracking[mlflow-ui]")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of an `mlflow server` on loopback, and the folder that it keeps everything in."""
    folder = tmp_path_factory.mktemp("served")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'server.db'}"),
        *("--artifacts-destination", str(folder / "files")),
    ]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "server.log").open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=output, stderr=output
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                with urllib.request.urlopen(f"{address}/health", timeout=1):
                    break
            except OSError:
                assert process.poll() is None, (folder / "server.log").read_text()
                time.sleep(0.5)
        yield address, folder
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def server(served, plain_environment):
    """The same, of which all runs that there were are deleted."""
    address, folder = served
    with closing(sqlite3.connect(folder / "server.db", timeout=30)) as database, database:
        database.execute("UPDATE runs SET lifecycle_stage = 'deleted'")
    return address, folder


class TestServer(ReaderConformance):
    """Runs that the mirror has sent to a server."""

    @pytest.fixture(autouse=True)
    def place(self, server):
        self.uri, self.folder = server

    def make(self):
        return MLflowReader(self.uri)

    def missing(self):
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        return MLflowReader(f"http://127.0.0.1:{port}")

    def everything(self):
        with closing(sqlite3.connect(self.folder / "server.db", timeout=30)) as database:
            rows = list(database.iterdump())
        files = self.folder / "files"
        return rows, {str(path): path.read_bytes() for path in files.rglob("*") if path.is_file()}

    def number(self, value):
        return value + 0.0  # MLflow has one zero

    def write(self, log, directory):
        mirror = MLflowMirror(self.uri)
        mirror.open(log[0], directory)
        mirror.send(log)
        mirror.close()


def shown(run):
    """What a run comes to, by `repr`, which tells 1 from 1.0 and knows one NaN."""
    contents = run.contents
    histories = {name: list(points) for _, name, points in run.reader.histories([run])}
    names = (contents.artifacts, contents.images, contents.texts, contents.tables)
    return repr(
        (
            (run.uid, run.experiment, run.name, run.group, run.status, run.started, run.ended),
            (run.params, sorted(run.tags.items()), sorted(run.metrics.items())),
            (sorted(histories.items()), *map(sorted, names), sorted(contents.functions.items())),
        )
    )


def test_a_run_is_the_same_in_its_directory_at_a_server_and_in_its_database(
    server, tmp_path, monkeypatch
):
    """Whichever way it is read, a run of ours is the same run."""
    monkeypatch.chdir(tmp_path)
    address, folder = server
    long = "x/" * 170 + "y"
    with start_run(
        ["tensorboard:runs", f"mlflow:{address}"],
        experiment="e" * 300,
        name=long,
        group="g@[1]",
        params={"lr": 1e-3, "model": {"act": None}, "n": 2**60 + 1, "b": [True, float("nan")]},
        tags={"@t": "1", "mlflow.runName": "mine", long: "2"},
    ) as run:
        for step in range(1_200):
            run.log({"loss": 1 / (step + 1), "lr@0": 1e300, long: float("-inf")}, step=step)
        run.text(long, "", step=-1)
        run.table("errors", [{"a": 1}], step=3)
        run.json("größe #1%", {"a": 1})
    (here,) = open_runs("tensorboard:runs")
    (there,) = open_runs(f"mlflow:{address}")
    [below] = [
        one for one in open_runs(f"mlflow:sqlite:///{folder / 'server.db'}") if one.uid == run.uid
    ]
    there.reader.download(there, "größe #1%25.json", tmp_path / "brought")

    assert shown(here) == shown(there)
    # Its files are the server's own to find.
    assert repr((list(here.points("loss")), here.params, here.tags, here.metrics)) == repr(
        (list(below.points("loss")), below.params, below.tags, {**here.metrics, **below.metrics})
    )
    assert (run.directory / "artifacts" / "größe #1%25.json").read_bytes() == (
        tmp_path / "brought"
    ).read_bytes()
    assert 200 == urllib.request.urlopen(there.url, timeout=30).status


def test_a_run_of_mlflows_client_is_read_without_it(server, monkeypatch):
    """Nested runs, images, tables and a metric without steps are read as MLflow has them."""
    from mlflow import MlflowClient

    address, _ = server
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    client = MlflowClient(address)
    experiment = client.create_experiment(f"theirs {time.time_ns()}")
    parent = client.create_run(experiment, run_name="parent").info.run_id
    child = client.create_run(
        experiment, run_name="child", tags={"mlflow.parentRunId": parent}
    ).info.run_id
    client.log_metric(child, "loss", 1.0)
    client.log_metric(child, "loss", float("nan"))
    client.log_param(child, "lr", "0.1")
    client.log_dict(child, {"a": 1}, "deep/er/c d.json")
    image = pytest.importorskip("PIL.Image", reason="needs the extra treadle-tracking[images]")
    client.log_image(child, image.new("RGB", (4, 2)), key="val/a", step=3, synchronous=True)
    client.set_terminated(child, "KILLED")
    runs = open_runs(f"mlflow:{address}", infer_types=True)
    run = runs["child"]
    kinds = [type(entry).__name__ for entry in run.reader.entries(run)]

    assert (parent, {"lr": 0.1}, "KILLED") == (run.parent, run.params, run.status)
    assert (("deep/er/c d.json",), ("val/a",)) == (run.artifacts, run.images)
    assert {(0, "1.0"), (0, "nan")} == {(step, repr(value)) for step, value in run.history("loss")}
    assert ["Started", "Params", "Image", "Artifact", "Ended"] == [
        kind for kind in kinds if kind != "Scalars"
    ]
