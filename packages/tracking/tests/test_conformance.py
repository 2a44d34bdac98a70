"""The suite for mirrors, run by the mirror in the guide, by MLflow's, and by some that are wrong."""

import inspect
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from itertools import count
from math import copysign, inf
from pathlib import Path
from urllib.request import urlopen

import pytest

from treadle_tracking.backends import mirror
from treadle_tracking.clock import milliseconds
from treadle_tracking.entries import Ended, Scalars, Started, Tags
from treadle_tracking.mirrors.names import unescape
from treadle_tracking.mirrors.parameters import from_pieces
from treadle_tracking.testing import MirrorConformance, StoredRun

GUIDE = Path(__file__).parents[3] / "docs" / "backends.md"


def _of_guide():
    """The names that the guide defines before it tries them by hand."""
    names = {}
    if GUIDE.exists():
        blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
        for block in blocks[:3]:
            exec(block, names)
    return names


_GUIDE = _of_guide()

if _GUIDE:

    class TestJsonLines(_GUIDE["TestJsonLines"]):
        """The mirror of the guide."""


_LARGEST = 1.7976931348623157e308


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A database that MLflow has made, which takes seconds."""
    for module in ("mlflow", "sqlalchemy", "alembic"):
        pytest.importorskip(module, reason="needs the extra treadle-tracking[mlflow]")
    folder = tmp_path_factory.mktemp("template")
    made = mirror(f"mlflow:sqlite:///{folder}/mlflow.db")
    made.open(Started(wall_time=1.0, uid="first", experiment="e", name="n"), folder)
    made.close()
    return folder / "mlflow.db"


@pytest.fixture(scope="module")
def server(template, tmp_path_factory):
    """The address of a real server on loopback."""
    pytest.importorskip("flask", reason="needs the extra treadle-tracking[mlflow-ui]")
    folder = tmp_path_factory.mktemp("server")
    database = shutil.copy(template, folder)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{database}"]
    command += ["--artifacts-destination", str(folder / "files")]
    uri = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(uri, running)
        yield uri
    finally:
        os.killpg(running.pid, signal.SIGTERM)  # the server has workers of its own
        running.wait(30)


def _wait_for(uri, running):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert running.poll() is None, "the server has ended"
        try:
            with urlopen(f"{uri}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail("the server does not answer")


class _MLflow(MirrorConformance):
    """Our own mirror to MLflow, wherever that is."""

    uri = ""
    known = frozenset()

    def make(self):
        return mirror(f"mlflow:{self.uri}")

    def number(self, value):
        """MLflow's databases have no infinities, and one zero."""
        if value in (inf, -inf):
            return copysign(_LARGEST, value)
        return value + 0.0

    def stored(self):
        from mlflow import MlflowClient

        client = MlflowClient(self.uri)
        experiments = {one.experiment_id: one.name for one in client.search_experiments()}
        return [
            self._stored(client, run, experiments)
            for run in client.search_runs(list(experiments), max_results=50_000)
            if run.info.run_id not in self.known
        ]

    def _stored(self, client, run, experiments):
        identity = run.info.run_id
        return StoredRun(
            uid=run.data.tags["treadle.uid"],
            identity=identity,
            name=run.info.run_name,
            experiment=experiments[run.info.experiment_id],
            status=run.info.status,
            params=from_pieces(run.data.tags) or {},
            tags=_own_tags(run.data.tags),
            metrics={
                unescape(key): [
                    (point.step, point.value, point.timestamp / 1000)
                    for point in sorted(
                        client.get_metric_history(identity, key), key=lambda one: one.timestamp
                    )
                ]
                for key in run.data.metrics
            },
        )


def _own_tags(tags):
    """The tags of the user's own, by the names that he gave."""
    return {
        unescape(key): text
        for key, text in tags.items()
        if not key.startswith(("treadle.", "mlflow."))
    }


@pytest.mark.slow
class TestMLflowDatabase(_MLflow):
    """On a database, by MLflow's client."""

    @pytest.fixture(autouse=True)
    def place(self, template, tmp_path):
        self.database = Path(shutil.copy(template, tmp_path / "mlflow.db"))
        self.uri = f"sqlite:///{self.database}"
        self.known = {run.identity for run in self.stored()}

    def broken(self):
        made = self.make()
        self.database.write_bytes(b"of another kind")
        return made


@pytest.mark.slow
class TestMLflowServer(_MLflow):
    """On a real server, over plain http."""

    @pytest.fixture(autouse=True)
    def place(self, server):
        self.uri = server
        self.known = {run.identity for run in self.stored()}

    def broken(self):
        return mirror("mlflow:http://127.0.0.1:9")


class TestMLflowOverHttp(MirrorConformance):
    """On a server that is a stand-in, without MLflow."""

    @pytest.fixture(autouse=True)
    def place(self, fake_mlflow):
        self.fake = fake_mlflow

    def make(self):
        return mirror(f"mlflow:{self.fake.uri}")

    def broken(self):
        return mirror("mlflow:http://127.0.0.1:9")

    def stored(self):
        names = {one["experiment_id"]: name for name, one in self.fake.experiments.items()}
        return [self._stored(run, names) for run in self.fake.runs.values()]

    def _stored(self, run, experiments):
        info, tags = run["info"], run["data"]["tags"]
        metrics = {}
        for key, step, timestamp, value in sorted(run["points"], key=lambda point: point[2]):
            # JSON has no word for some; MLflow's own is a text.
            point = (int(step), float(value), timestamp / 1000)
            metrics.setdefault(unescape(key), []).append(point)
        return StoredRun(
            uid=tags["treadle.uid"],
            identity=info["run_id"],
            name=info["run_name"],
            experiment=experiments[info["experiment_id"]],
            status=info["status"],
            params=from_pieces(tags) or {},
            tags=_own_tags(tags),
            metrics=metrics,
        )


class _Memory:
    """A mirror in memory that does one thing wrong, or nothing."""

    def __init__(self, runs, wrong, uri):
        self.uri = "memory:https://me:pw@here" if wrong == "shows a secret" else uri
        self.identity = None
        self._runs = runs
        self._wrong = wrong
        self._entries = []

    def open(self, started, directory):
        if self._runs is None:
            if self._wrong == "hides what fails":
                return
            raise ConnectionError
        uid = started.name if self._wrong == "knows runs by their names" else started.uid
        self.identity = (
            f"{uid}/{len(self._runs)}" if self._wrong == "makes a run each time" else uid
        )
        self._entries = self._runs.setdefault((uid, self.identity), [])

    def send(self, entries):
        for entry in entries:
            if self._wrong == "knows every kind" and type(entry).__name__ == "_Unheard":
                raise TypeError(entry)
            if entry not in self._entries or self._wrong == "keeps what is repeated":
                self._entries.append(entry)

    def close(self):
        if self._wrong == "changes a run at its end" and self._entries:
            self._entries.append(Ended(wall_time=2e9, status="KILLED"))
        if self._wrong == "wants to be open":
            assert self.identity


def _folded(uid, identity, entries, wrong):
    tags, metrics, status = {}, {}, "RUNNING"
    for entry in entries:
        match entry:
            case Started():
                status = "RUNNING"
            case Ended():
                status = entry.status
            case Tags():
                tags.update(entry.values)
            case Scalars():
                time = milliseconds(entry.wall_time) / 1000
                time = 0.0 if wrong == "has its own times" else time
                for name, value in entry.values.items():
                    key = name.lower() if wrong == "has one case" else name
                    kept = float(f"{value:.6g}") if wrong == "rounds" else value
                    metrics.setdefault(key, []).append((entry.step, kept, time))
    return StoredRun(uid=uid, identity=identity, status=status, tags=tags, metrics=metrics)


def _run_one(name, wrong, folder):
    """Run one test of the suite on a mirror in memory."""
    runs = {}
    made = count()

    class Suite(MirrorConformance):
        def make(self):
            uri = f"memory:{next(made)}" if wrong == "has a new uri each time" else "memory:here"
            return _Memory(runs, wrong, uri)

        def broken(self):
            return _Memory(None, wrong, "memory:broken")

        def stored(self):
            return [_folded(*key, entries, wrong) for key, entries in runs.items()]

    suite = Suite()
    fixtures = {"directory": [folder], "run": []}
    given = {key: _plain(getattr(Suite, key))(suite, *values) for key, values in fixtures.items()}
    given["log"] = _plain(Suite.log)(suite, given["run"])
    test = getattr(suite, name)
    wanted = inspect.signature(test).parameters
    test(**{key: value for key, value in given.items() if key in wanted})


def _plain(fixture):
    """The function that became a fixture."""
    return fixture._get_wrapped_function()


@pytest.mark.parametrize("name", [name for name in vars(MirrorConformance) if name[:5] == "test_"])
def test_a_mirror_that_is_right_passes(tmp_path, name):
    """The suite finds nothing in a mirror that keeps each entry once, by the run's uid."""
    _run_one(name, "nothing", tmp_path)


@pytest.mark.parametrize(
    ("wrong", "test"),
    [
        ("keeps what is repeated", "three_times_is_once"),
        ("keeps what is repeated", "overlaps_are_sent_once"),
        ("keeps what is repeated", "two_at_once_are_one_run"),
        ("keeps what is repeated", "a_kill_before_the_note_loses_and_doubles_nothing"),
        ("makes a run each time", "opening_again_finds_the_run"),
        ("knows runs by their names", "another_uid_is_another_run"),
        ("knows every kind", "what_is_unknown_is_passed_over"),
        ("hides what fails", "what_does_not_arrive_raises"),
        ("changes a run at its end", "closing_changes_nothing"),
        ("wants to be open", "closing_changes_nothing"),
        ("shows a secret", "its_uri_can_be_kept"),
        ("has a new uri each time", "its_uri_can_be_kept"),
        ("has its own times", "a_whole_run_arrives"),
        ("has one case", "metrics_of_any_name_and_value_arrive"),
        ("rounds", "metrics_of_any_name_and_value_arrive"),
    ],
)
def test_a_mirror_that_is_wrong_does_not_pass(tmp_path, wrong, test):
    """Each thing that a mirror can do wrong is found by a test that says which."""
    with pytest.raises((AssertionError, TypeError)):
        _run_one(f"test_{test}", wrong, tmp_path)
