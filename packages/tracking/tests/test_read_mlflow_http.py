"""Runs read from a server over plain http, with nothing of MLflow installed, however the server behaves."""

import json
import socket
import sys
from collections import Counter
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from treadle_tracking import open_runs
from treadle_tracking.errors import InvalidTarget
from treadle_tracking.mirrors import connection as connection_module
from treadle_tracking.mirrors.errors import (
    AccessDenied,
    NotMLflow,
    RedirectRefused,
    ServerBusy,
    ServerFailed,
    ServerSilent,
    ServerUnreachable,
)
from treadle_tracking.mirrors.parameters import pieces
from treadle_tracking.reading.condition import Condition
from treadle_tracking.reading.errors import UnknownArtifact

API = "/api/2.0/mlflow/"


class Server:
    """As much of MLflow's server as a reader asks for, after mlflow 3.17's `server/handlers.py`."""

    def __init__(self):
        self.experiments = {"1": "digits"}
        self.runs = {}  # by identity
        self.points = {}  # by identity and key
        self.files = {}  # by identity and path
        self.page = 1_000
        self.most_points = 25_000
        self.has_bulk = True
        self.prefix = ""
        self.asked = []
        self.says = {}  # by endpoint, an answer instead of ours
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *arguments):
                pass

            def _serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, kind, data = server.answer(self.path, body, self.headers)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _serve  # noqa: N815

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.uri = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def add(self, identity, *, experiment="1", tags=None, params=None, points=(), files=None):
        """Have a run, with points of (key, step, time, value)."""
        latest = {}
        for key, step, time, value in points:
            self.points.setdefault((identity, key), []).append((step, time, value))
            latest[key] = max(latest.get(key, (step, time, value)), (step, time, value))
        self.files[identity] = files or {}
        self.runs[identity] = {
            "info": {
                "run_id": identity,
                "experiment_id": experiment,
                "run_name": f"run {identity}",
                "status": "FINISHED",
                "start_time": 1000,
                "end_time": 2000,
                "artifact_uri": f"mlflow-artifacts:/{experiment}/{identity}/artifacts",
                "lifecycle_stage": "active",
            },
            "data": {
                "tags": [{"key": key, "value": text} for key, text in (tags or {}).items()],
                "params": [{"key": key, "value": text} for key, text in (params or {}).items()],
                "metrics": [
                    {"key": key, "step": step, "timestamp": time, "value": value}
                    for key, (step, time, value) in latest.items()
                ],
            },
        }

    def answer(self, path, body, headers):
        parts = urlsplit(path)
        endpoint = parts.path.removeprefix(self.prefix)
        self.asked.append(endpoint)
        if endpoint in self.says:
            return self.says[endpoint]
        if not parts.path.startswith(self.prefix):
            return 404, "text/html", b"<h1>Not Found</h1>"
        asked = json.loads(body) if body else parse_qs(parts.query)
        if endpoint.startswith("/api/2.0/mlflow-artifacts/artifacts/"):
            _, identity, _, path = unquote(endpoint).split("/", 5)[5].split("/", 3)
            return self._file(identity, path)
        if endpoint == "/get-artifact":
            return self._file(asked["run_uuid"][0], asked["path"][0])
        if endpoint == "/ajax-api/2.0/mlflow/metrics/get-history-bulk" and self.has_bulk:
            return self._bulk(asked)
        known = {
            "experiments/search": self._experiments,
            "runs/search": self._runs,
            "metrics/get-history": self._history,
            "artifacts/list": self._list,
        }
        made = known.get(endpoint.removeprefix(API)) if endpoint.startswith(API) else None
        return (404, "text/html", b"<h1>Not Found</h1>") if made is None else made(asked)

    @staticmethod
    def _json(value, status=200):
        return status, "application/json", json.dumps(value).encode()

    def _paged(self, name, items, asked):
        token = asked.get("page_token", 0)
        start = int(token[0] if isinstance(token, list) else token)
        more = {"next_page_token": str(start + self.page)} if items[start + self.page :] else {}
        return self._json({name: items[start : start + self.page], **more})

    def _experiments(self, asked):
        found = [
            {"experiment_id": identity, "name": name} for identity, name in self.experiments.items()
        ]
        return self._paged("experiments", found, asked)

    def _runs(self, asked):
        if asked["filter"] and "IS NOT NULL" in asked["filter"]:
            return self._json({"error_code": "INVALID_PARAMETER_VALUE", "message": "?"}, 400)
        found = [
            run
            for run in self.runs.values()
            if run["info"]["experiment_id"] in asked["experiment_ids"]
        ]
        return self._paged("runs", found, asked)

    def _bulk(self, asked):
        if len(asked["run_id"]) > 100:
            return self._json({"error_code": "INVALID_PARAMETER_VALUE", "message": "?"}, 400)
        found = [
            {"run_id": run, "key": "k", "step": step, "timestamp": time, "value": value}
            for run in asked["run_id"]
            for step, time, value in self.points.get((run, asked["metric_key"][0]), ())
        ]
        return self._json({"metrics": found[: self.most_points]})

    def _history(self, asked):
        found = [
            {"key": "k", "step": step, "timestamp": time, "value": value}
            for step, time, value in self.points.get(
                (asked["run_id"][0], asked["metric_key"][0]), ()
            )
        ]
        return self._paged("metrics", found, asked)

    def _list(self, asked):
        folder = f"{asked['path'][0]}/" if "path" in asked else ""
        found = {}
        for path, data in self.files[asked["run_id"][0]].items():
            if path.startswith(folder):
                name, slash, _ = path.removeprefix(folder).partition("/")
                found[folder + name] = {
                    "path": folder + name,
                    "is_dir": bool(slash),
                    "file_size": len(data),
                }
        return self._json({"files": list(found.values())})

    def _file(self, identity, path):
        data = self.files.get(identity, {}).get(path)
        if data is None:
            code = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such artifact"}
            return self._json(code, 404)
        return 200, "application/octet-stream", data


@pytest.fixture
def server(plain_environment):
    started = Server()
    yield started
    started.close()


def opened(server, **options):
    return open_runs(f"mlflow:{server.uri}{server.prefix}", **options)


def histories(runs, names=None):
    found = runs.records[0].reader.histories(runs.records, names)
    return {(run.identity, name): list(points) for run, name, points in found}


def test_a_run_is_read_without_mlflow(server, monkeypatch):
    """What search and the histories give is the run, and its page is named; nothing of MLflow is imported."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    exact = {"lr": 0.5, "n": 2**70}
    server.prefix = "/below"
    server.add(
        "abc",
        tags={"treadle.uid": "u", "mlflow.runName": "run abc", "note": "x", **pieces(exact)},
        params={"lr": "0.5"},
        points=[("loss", 1, 1000, 0.5), ("loss", 2, 2000, 1.7976931348623157e308)],
    )
    [run] = opened(server)

    assert ("u", "digits", "run abc", "FINISHED", 1.0, 2.0) == (
        run.uid,
        run.experiment,
        run.name,
        run.status,
        run.started,
        run.ended,
    )
    assert (exact, {"note": "x"}, {"loss": float("inf")}) == (run.params, run.tags, run.metrics)
    assert [(1, 1000, 0.5), (2, 2000, float("inf"))] == list(run.points("loss"))
    assert f"{server.uri}/below/#/experiments/1/runs/abc" == run.url


def test_numbers_may_be_words(server):
    """NaN and the infinities are read as JSON has no words for them, and as protobuf writes them."""
    server.add("a", points=[("x", 1, 1, 0.0), ("y", 1, 1, 0.0), ("z", 1, 1, 0.0)])
    metrics = server.runs["a"]["data"]["metrics"]
    for metric, value in zip(metrics, ("NaN", "Infinity", float("nan")), strict=True):
        metric["value"] = value
        metric["step"] = "7"
    server.points["a", "x"] = [(7, 1, "-Infinity"), (8, 1, float("nan")), (9, 1, 5)]
    [run] = opened(server)

    assert "{'x': nan, 'y': inf, 'z': nan}" == repr(run.metrics)
    assert "((7, -inf), (8, nan), (9, 5.0))" == repr(run.history("x"))


@pytest.mark.parametrize("has_bulk", [True, False])
@pytest.mark.parametrize("most", [3, 10, 200, 25_000])
def test_histories_are_whole_however_few_points_an_answer_has(server, monkeypatch, has_bulk, most):
    """What the server cuts without a word is asked for again, in smaller parts and at last page by page."""
    import treadle_tracking.reading.mlflow_http as module

    monkeypatch.setattr(module, "_BULK_POINTS", most)
    server.most_points, server.has_bulk, server.page = most, has_bulk, 4
    expected = {}
    for number in range(130):
        points = [(step, step, step / 8) for step in range(number % 13)]
        server.add(str(number), points=[("loss", *point) for point in points])
        if points:
            expected[str(number), "loss"] = points
    runs = opened(server)

    assert expected == histories(runs)
    assert {} == histories(runs, ["other"])
    if has_bulk and most == 25_000:
        assert 2 == Counter(server.asked)["/ajax-api/2.0/mlflow/metrics/get-history-bulk"]


def test_runs_and_experiments_are_read_page_by_page(server):
    """However few a page has, each is there once."""
    server.page = 3
    server.experiments = {str(number): f"e{number}" for number in range(8)}
    for number in range(17):
        server.add(str(number), experiment=str(number % 8))
    runs = opened(server)

    assert sorted(map(str, range(17))) == sorted(run.identity for run in runs)
    assert tuple(f"e{number}" for number in range(8)) == runs.experiments


def test_a_filter_that_the_server_does_not_know_leaves_nothing_out(server):
    """An older server, which refuses a filter, is asked for everything."""
    server.add("a", params={"lr": "1"})
    reader = opened(server)._reader
    condition = Condition(kind="param", name="lr", operator="is not null")

    assert ["a"] == [run.identity for run in reader.runs([condition])]


@pytest.mark.parametrize(
    "root", ["mlflow-artifacts:/1/a/artifacts", "s3://bucket/1/a", "/mlruns/a"]
)
def test_files_are_brought_wherever_the_server_keeps_them(server, tmp_path, root):
    """A file comes byte by byte by either endpoint; one that is none is told, and leaves nothing behind."""
    server.add("a", files={"deep/er/ü #1.bin": b"x" * 300_000, "params.json": b"{}"})
    server.runs["a"]["info"]["artifact_uri"] = root
    [run] = opened(server)
    run.reader.download(run, "deep/er/ü #1.bin", tmp_path / "brought")

    assert b"x" * 300_000 == (tmp_path / "brought").read_bytes()
    assert ("deep/er/ü #1.bin", "params.json") == run.artifacts
    for path in ("deep", "../a", "", "/etc/hostname", "deep/er/", "deep//er/ü #1.bin"):
        with pytest.raises(UnknownArtifact):
            run.reader.download(run, path, tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "a/../b", "other/x", ".", ""])
def test_a_listing_that_leads_elsewhere_is_passed_over(server, path):
    """What a server claims to be outside of the run's folder, or in another one, is no artifact."""
    server.add("a")
    listing = {"files": [{"path": path, "is_dir": False}, {"path": path, "is_dir": True}]}
    server.says[f"{API}artifacts/list"] = Server._json(listing)
    [run] = opened(server)

    assert () == run.artifacts


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"<h1>You are not authenticated.</h1>", AccessDenied),
        (403, b"", AccessDenied),
        (404, b"<h1>Not Found</h1>", NotMLflow),
        (500, b"", ServerFailed),
        (503, b"", ServerBusy),
        (302, b"", RedirectRefused),
        (200, b"<h1>Hello</h1>", NotMLflow),
        (200, b"[]", NotMLflow),
        (200, b"[" * 100_000, NotMLflow),
        (200, b'{"experiments": 5}', NotMLflow),
        (200, b'{"experiments": [5]}', NotMLflow),
        (200, b'{"experiments": [{"name": "x"}]}', NotMLflow),
    ],
)
def test_what_is_no_mlflow_is_told_when_it_is_opened(server, status, body, error):
    """A wrong address, and whoever is before a server, is an error of this package's at once."""
    server.says[f"{API}experiments/search"] = (status, "text/html", body)

    with pytest.raises(error):
        opened(server)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"runs": [{}]}',
        b'{"runs": [{"info": {"run_id": "a"}}]}',
        b'{"runs": 5}',
        b'{"runs": [{"info": {"run_id": "a", "experiment_id": "1", "start_time": "x"}}]}',
        b'{"runs": [{"info": {"run_id": "a", "experiment_id": "7"}}]}',
        b'{"runs": [{"info": {"run_id": "a", "experiment_id": "1"}, "data": {"metrics": [{"key": "a", "value": {}}]}}]}',
        b'{"runs": [{"info": {"run_id": "a", "experiment_id": "1"}, "data": {"metrics": [{"key": "a", "step": 1e400}]}}]}',
        b'{"runs": [{"info": {"run_id": "a", "experiment_id": "1"}, "data": {"tags": {"a": 1}}}]}',
        b'{"runs": [], "next_page_token": "again"}',
        b'{"runs": [{"info": {"run_id": "a", "experiment_id": "1", "end_time": 1e300}}]}',
        b"\xff\xfe",
    ],
)
def test_nonsense_is_told_when_runs_are_read(server, body):
    """Whatever a server writes in the place of runs, it is one sentence, or no run."""
    runs = opened(server)
    server.says[f"{API}runs/search"] = (200, "application/json", body)

    try:
        found = list(runs)
    except NotMLflow:
        found = []
    assert [] == found


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"metrics": [{}], "next_page_token": 1}',
        b'{"metrics": [{"run_id": "a", "value": "x"}]}',
        b'{"metrics": [{"run_id": "a", "value": 1, "step": 9223372036854775808}]}',
        b'{"metrics": [{"run_id": "a", "value": null}]}',
    ],
)
def test_nonsense_is_told_when_histories_are_read(server, body):
    """Whatever a server writes in the place of points is one sentence."""
    server.add("a", points=[("loss", 1, 1, 0.5)])
    [run] = opened(server)
    for endpoint in ("/ajax-api/2.0/mlflow/metrics/get-history-bulk", f"{API}metrics/get-history"):
        server.says[endpoint] = (200, "application/json", body)

    with pytest.raises(NotMLflow):
        run.history("loss")


def test_a_reason_for_failing_is_that_of_whoever_reads(server):
    """What a reader cannot have is not promised to be tried again, and no permission to write is asked for."""
    messages = []
    for status in (403, 500, 503):
        server.says[f"{API}experiments/search"] = (status, "text/plain", b"no")
        with pytest.raises((AccessDenied, ServerFailed, ServerBusy)) as raised:
            opened(server)
        messages.append(str(raised.value))

    uri = f"mlflow:{server.uri}"
    advice = "Ask whoever runs the server for permission to read its experiments"
    assert [
        f"{uri} refuses access (403: no). {advice}",
        f"{uri} has failed (500: no); try again later, and the server's own log says more",
        f"{uri} takes nothing just now (503); try again later",
    ] == messages


def test_a_server_that_is_not_there_is_told(plain_environment):
    """No connection, and an address that is none, are one sentence when the runs are opened."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ServerUnreachable):
        open_runs(f"mlflow:http://127.0.0.1:{port}")
    with pytest.raises(InvalidTarget):
        open_runs("mlflow:http://host:5000?a=b")


def test_a_password_in_the_address_is_used_and_not_shown(server):
    """User and password of the address are sent, and are in no message, target or page."""
    server.add("a")
    heads = []
    answer = server.answer
    server.answer = lambda path, body, headers: (
        heads.append(headers.get("Authorization")),
        answer(path, body, headers),
    )[1]
    target = f"mlflow:{server.uri.replace('//', '//ann:secret@')}"
    runs = open_runs(target)
    [run] = runs

    assert {"Basic YW5uOnNlY3JldA=="} == set(heads)
    assert "secret" not in repr((runs, run, run.url, run.target))
    assert f"{server.uri}/#/experiments/1/runs/a" == run.url


def test_a_server_that_trickles_is_given_up(plain_environment, monkeypatch):
    """An answer of which a byte comes now and then, for ever, is an error once it has taken longer than any line would."""
    clock = iter(range(0, 10**9, 40))
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with closing(listener.accept()[0]) as peer:
            peer.recv(65_536)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            try:
                while True:
                    peer.sendall(b" ")
            except OSError:
                pass

    thread = Thread(target=serve, daemon=True)
    thread.start()

    class Time:
        @staticmethod
        def monotonic():
            return float(next(clock))

    monkeypatch.setattr(connection_module, "time", Time)
    monkeypatch.setattr(connection_module, "_SLOWEST", 10**12)
    with pytest.raises(ServerSilent):
        open_runs(f"mlflow:http://127.0.0.1:{listener.getsockname()[1]}")
    thread.join(10)
    listener.close()


def test_a_body_that_ends_early_is_told(plain_environment):
    """An answer that breaks off is a broken connection, and no shorter answer."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with closing(listener.accept()[0]) as peer:
            peer.recv(65_536)
            peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"experiments": []}')

    thread = Thread(target=serve, daemon=True)
    thread.start()
    with pytest.raises(ServerUnreachable):
        open_runs(f"mlflow:http://127.0.0.1:{listener.getsockname()[1]}")
    thread.join(10)
    listener.close()


def test_a_reader_that_was_closed_connects_again(server):
    """After `close`, what is asked is answered."""
    server.add("a", points=[("loss", 1, 1, 0.5)])
    runs = opened(server)
    [run] = runs
    run.reader.close()
    run.reader.close()

    assert ((1, 0.5),) == run.history("loss")
