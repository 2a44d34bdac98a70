"""Runs copied from one MLflow server to another, over plain http."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from urllib.error import URLError

import pytest
from attrs import asdict

from treadle_tracking import open_runs, start_run
from treadle_tracking.copying import SamePlace, copy_runs
from treadle_tracking.mirrors.errors import ServerUnreachable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

for _module in ("mlflow", "sqlalchemy", "alembic"):
    pytest.importorskip(_module, reason="needs the extra treadle-tracking[mlflow]")
pytest.importorskip("flask", reason="needs the extra treadle-tracking[mlflow-ui]")

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """The addresses of two servers on loopback."""
    started = []
    try:
        for name in ("one", "two"):
            folder, port = tmp_path_factory.mktemp(name), free_port()
            command = [
                *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
                *("--port", str(port), "--workers", "1"),
                *("--backend-store-uri", f"sqlite:///{folder / 'server.db'}"),
                *("--artifacts-destination", str(folder / "served")),
            ]
            with (folder / "server.log").open("wb") as output:
                process = subprocess.Popen(
                    command,
                    cwd=folder,
                    stdout=output,
                    stderr=output,
                    env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
                )
            started.append((process, f"http://127.0.0.1:{port}", folder / "server.log"))
        for one in started:
            _wait(*one)
        yield [address for _, address, _ in started]
    finally:
        for process, *_ in started:
            process.terminate()
            process.wait(30)


def _wait(process, address, log):
    for _ in range(240):
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=1):
                return
        except (URLError, OSError):
            assert process.poll() is None, log.read_text()
            time.sleep(0.5)


def read(run, folder):
    """All that is read of a run, its files too."""
    names = ("uid", "experiment", "name", "group", "status", "started", "ended", "tags", "params")
    file = folder / "downloaded"
    artifacts = {}
    for path in run.artifacts:
        run.reader.download(run, path, file)
        artifacts[path] = file.read_bytes()
        file.unlink()
    return {
        **{name: getattr(run, name) for name in names},
        "points": {name: sorted(points) for _, name, points in run.reader.histories([run])},
        "artifacts": artifacts,
        "recordings": sorted(
            repr({**asdict(entry, recurse=False), "wall_time": 0})
            for entry in run.reader.entries(run)
            if type(entry).__name__ in {"Image", "Text", "Histogram", "Table"}
        ),
        "functions": run.functions,
    }


def test_runs_go_from_server_to_server_and_back(servers, plain_environment, tmp_path, monkeypatch):
    """Each is the same everywhere, with its files, and there once, however often it is copied."""
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        with start_run("tensorboard:runs", name=name, params={"lr": 0.1, "on": True}) as run:
            for step in range(1500):
                run.log({"loss": 1 / (step + 1)}, step=step)
            run.image("samples", PNG, step=2)
            run.text("note", "# größer", step=2)
            run.histogram("w", [0.0, 1.0, 1.0], step=3)
            run.table("errors", [{"a": 1}])
            run.function("read", read)
            Path("a#1 ü.bin").write_bytes(b"x" * 3_000_000)
            run.artifact("a#1 ü.bin")
    one, two = (f"mlflow:{address}" for address in servers)
    way = ["tensorboard:runs", one, two, "tensorboard:back"]
    steps = [*pairwise(way), (two, one), ("tensorboard:back", two)]

    first = [copied.outcome for step in steps for copied in copy_runs(*step)]
    second = [copied for step in steps for copied in copy_runs(*step)]
    with pytest.raises(SamePlace):
        copy_runs(one, one.replace("127.0.0.1", "localhost") + "/")

    runs = [open_runs(place) for place in way]
    assert ["copied"] * 6 + ["there"] * 4 == first
    assert {("there", ())} == {(copied.outcome, copied.problems) for copied in second}
    assert [2] * 4 == list(map(len, runs))
    expected = [read(run, tmp_path) for run in runs[0]]
    for place in runs[1:]:
        actual = [read(place[run.uid], tmp_path) for run in runs[0]]
        place.close()
        assert expected == actual


def test_a_server_that_is_not_there_fails_at_once(plain_environment, tmp_path, monkeypatch):
    """As a target and as a source."""
    monkeypatch.chdir(tmp_path)
    start_run("tensorboard:runs").close()
    nobody = f"mlflow:http://127.0.0.1:{free_port()}"
    with pytest.raises(ServerUnreachable):
        copy_runs("tensorboard:runs", nobody)
    with pytest.raises(ServerUnreachable):
        copy_runs(nobody, "tensorboard:back")

    assert not Path("back").exists()
