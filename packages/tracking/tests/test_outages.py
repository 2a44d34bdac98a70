"""A real MLflow server that goes away: while a run goes on, for the whole run, and while it is sent later."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, suppress
from pathlib import Path

import pytest

from treadle_tracking import open_runs, start_run
from treadle_tracking.commands import main

pytestmark = pytest.mark.slow

for _module in ("mlflow", "sqlalchemy", "alembic"):
    pytest.importorskip(_module, reason="needs the extra treadle-tracking[mlflow]")
pytest.importorskip("flask", reason="needs the extra treadle-tracking[mlflow-ui]")


class Server:
    """An `mlflow server` on loopback that can be killed, and started again at the same address."""

    def __init__(self, folder):
        self._folder = folder
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self._port}"
        self._process = None

    def start(self):
        command = [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
            *("--port", str(self._port), "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{self._folder / 'server.db'}"),
            *("--artifacts-destination", str(self._folder / "served")),
        ]
        with (self._folder / "server.log").open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
                cwd=self._folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        for _ in range(600):
            with suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                return
            time.sleep(0.1)
        raise AssertionError(self._folder)

    def kill(self):
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@pytest.fixture(scope="module")
def one_server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    made.kill()


@pytest.fixture
def server(one_server):
    """The server, up at the start of each test."""
    with suppress(OSError), urllib.request.urlopen(f"{one_server.uri}/health", timeout=5):
        return one_server
    one_server.start()
    return one_server


def run_at(server, experiment):
    """The one run of the experiment, and the points of its loss as (step, value, milliseconds)."""
    from mlflow import MlflowClient

    client = MlflowClient(server.uri)
    [run] = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    points = client.get_metric_history(run.info.run_id, "loss")
    return run, sorted((point.step, point.value, point.timestamp) for point in points)


def test_a_server_that_dies_meanwhile_misses_nothing(server, tmp_path, capsys):
    """No `log` waits for it, it is said once, and when it is back every point arrives once."""
    with start_run(
        [f"tensorboard:{tmp_path}", f"mlflow:{server.uri}"], experiment="meanwhile"
    ) as run:
        for step in range(3_000):
            if step == 1_000:
                server.kill()
            if step == 2_000:
                server.start()
            run.log({"loss": 1 / (step + 1)}, step=step)

    found, points = run_at(server, "meanwhile")
    said = [
        line
        for line in capsys.readouterr().err.splitlines()
        if not line.startswith("treadle: waiting up to")
    ]
    assert (run.mirrors, "FINISHED") == (run.mirrored, found.info.status)
    assert [(step, 1 / (step + 1)) for step in range(3_000)] == [point[:2] for point in points]
    assert 1 >= len(said)


TRAINING = """
import sys
from pathlib import Path
from treadle_tracking import start_run
Path("weights.bin").write_bytes(b"weights")
with start_run(["tensorboard:runs", sys.argv[1]], experiment=sys.argv[2], name="run", params={"lr": 1e-3, "tags": ["a", None]}) as run:
    for step in range(1_200):
        run.log({"loss": 1 / (step + 1), "acc": float("nan")}, step=step)
    run.text("note", "# note", step=3)
    run.json("vocabulary", {"a": 1})
    run.artifact("weights.bin", "models/weights.bin")
    run.tag({"outcome": "good"})
"""


def everything(server, experiment, uid):
    """Whatever MLflow returns of the run, less what is its own: identities, addresses, and when the run was made."""
    from mlflow import MlflowClient

    client = MlflowClient(server.uri)
    run, points = run_at(server, experiment)

    def files(folder=None):
        for item in client.list_artifacts(run.info.run_id, folder):
            if item.is_dir:
                yield from files(item.path)
            else:
                yield item.path, item.file_size

    tags = {key: text for key, text in run.data.tags.items() if not key.startswith("mlflow.")}
    assert uid == tags.pop("treadle.uid")
    return (
        [point[:2] for point in points],
        run.info.status,
        run.data.params,
        tags,
        sorted(files()),
        set(run.data.metrics),
    )


def test_a_run_without_a_server_is_sent_later_as_if_it_had_been_there(server, tmp_path):
    """The run ends with exit code 0, one warning and the command; that makes the very run that a server would have had."""
    server.kill()
    there, later = tmp_path / "there", tmp_path / "later"
    for folder in (there, later):
        folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, f"mlflow:{server.uri}", "later"],
        cwd=later,
        capture_output=True,
        text=True,
        check=True,
    )
    [run] = open_runs(f"tensorboard:{later / 'runs'}")
    server.start()
    subprocess.run(
        [sys.executable, "-c", TRAINING, f"mlflow:{server.uri}", "there"], cwd=there, check=True
    )
    [online] = open_runs(f"tensorboard:{there / 'runs'}")

    warning, rest = [line for line in done.stderr.splitlines() if "waiting up to" not in line]
    command = rest.partition("; send the rest with: ")[2]
    sent = subprocess.run(
        command.replace("python", sys.executable, 1),
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )

    assert warning.startswith(
        f"treadle: mlflow:{server.uri} does not take the run (ServerUnreachable: "
    )
    assert f"python -m treadle_tracking sync {run.directory}" == command
    assert ("1 run has arrived as a whole\n", "") == (sent.stdout, sent.stderr)
    assert everything(server, "there", online.uid) == everything(server, "later", run.uid)
    found, points = run_at(server, "later")
    assert round(run.started * 1000) == found.info.start_time
    assert round(run.ended * 1000) == found.info.end_time
    assert all(run.started * 1000 - 1 <= point[2] <= run.ended * 1000 + 1 for point in points)


KILLED = """
import os, signal, sys
from treadle_tracking import start_run
run = start_run(["tensorboard:runs", sys.argv[1]], experiment="killed", name="run")
for step in range(5_000):
    run.log({"loss": 1 / (step + 1)}, step=step)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_is_mended_at_a_server_that_is_killed_too(
    server, tmp_path, monkeypatch, capsys
):
    """Whatever dies, `doctor --fix` ends the run and sends what is left, once."""
    subprocess.run(
        [sys.executable, "-c", KILLED, f"mlflow:{server.uri}"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
    )
    server.kill()
    monkeypatch.chdir(tmp_path)
    down = main(["doctor", "runs", "--fix"])
    server.start()

    up = main(["doctor", "runs", "--fix"])

    found, points = run_at(server, "killed")
    assert (1, 0, "KILLED") == (down, up, found.info.status)
    assert [(step, 1 / (step + 1)) for step in range(5_000)] == [point[:2] for point in points]
    capsys.readouterr()
    assert 0 == main(["doctor", "runs"])
    assert "looked at 1 run: nothing is wrong\n" == capsys.readouterr().out
    assert [Path("runs/killed/run")] == [path.parent for path in Path("runs").rglob("params.json")]
