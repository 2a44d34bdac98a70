"""What tests of several modules share: TensorBoard, and an MLflow server in a thread that can be told to misbehave."""

import json
import os
import re
import ssl
import subprocess
import sys
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qs, unquote, urlencode, urlsplit
from urllib.request import Request, urlopen

import pytest


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open
    disable_nagle_algorithm = True  # the body of an answer would wait for 40 ms

    def setup(self):
        super().setup()
        self.server.fake.connections += 1

    def log_message(self, *arguments):
        pass

    def _serve(self):
        length = int(self.headers.get("Content-Length", 0))
        fake = self.server.fake
        with fake.lock:
            plan = fake.plans.pop(0) if fake.plans else None
            if plan is not None and plan.early:
                # The body is never read: whoever sends it finds the connection closed.
                self.close_connection = True
                self._answer(*plan.answer)
                return
            body = self.rfile.read(length)
            fake.requests.append((self.command, self.path, body, dict(self.headers)))
            if plan is not None and plan.hangs_up:
                self.close_connection = True
                if plan.is_done:
                    fake.answer(self.command, self.path, body, self.headers)
                return
            if plan is not None and plan.answer is not None:
                self._answer(*plan.answer)
                return
            self._answer(*fake.answer(self.command, self.path, body, self.headers))

    do_GET = do_POST = do_PUT = _serve  # noqa: N815

    def _answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # A caller that was killed is none of the server's errors.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Plan:
    """What becomes of one request, instead of an answer."""

    def __init__(self, answer=None, *, early=False, hangs_up=False, is_done=False):
        self.answer = answer
        self.early = early
        self.hangs_up = hangs_up
        self.is_done = is_done


class FakeMLflow:
    """As much of MLflow's server as the mirror asks for, after mlflow 3.17's `server/handlers.py`."""

    def __init__(self, context=None):
        self.lock = Lock()
        self.experiments = {}  # by name
        self.runs = {}  # by identity
        self.files = {}  # by path
        self.requests = []
        self.plans = []
        self.connections = 0
        self.prefix = ""
        self.authorization = None
        self.most_bytes = 10_000_000
        self.artifact_root = "mlflow-artifacts:/"
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.fake = self
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if context is None else "https"
        self.port = self._server.server_address[1]
        self.uri = f"{scheme}://127.0.0.1:{self.port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def says(self, status, body="", **headers):
        """Let the next request be answered so."""
        headers.setdefault("Content_Type", "text/plain")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else body.encode()
        self.plans.append(_Plan((status, named, data)))

    def goes_on(self):
        """Let the next request be answered as usual."""
        self.plans.append(_Plan())

    def hangs_up(self, *, is_done=False):
        """Let the next request go without an answer, though perhaps not without effect."""
        self.plans.append(_Plan(hangs_up=True, is_done=is_done))

    def refuses_early(self, status):
        """Let the next request be answered before its body is read."""
        self.plans.append(_Plan((status, {"Connection": "close"}, b"too large"), early=True))

    def asked(self):
        """What was asked for, in order."""
        return [f"{method} {path.partition('?')[0]}" for method, path, *_ in self.requests]

    def answer(self, method, path, body, headers):
        if self.authorization not in (None, headers.get("Authorization")):
            return 401, {"Content-Type": "text/html"}, b"<h1>You are not authenticated.</h1>"
        if len(body) > self.most_bytes:
            return 413, {"Content-Type": "text/html"}, b"<h1>413 Request Entity Too Large</h1>"
        parts = urlsplit(path)
        if not parts.path.startswith(f"{self.prefix}/api/2.0/"):
            return 404, {"Content-Type": "text/html"}, b"<h1>Not Found</h1>"
        endpoint = parts.path.removeprefix(f"{self.prefix}/api/2.0/")
        if endpoint.startswith("mlflow-artifacts/artifacts/"):
            self.files[unquote(endpoint.removeprefix("mlflow-artifacts/artifacts/"))] = body
            return self._json({})
        asked = json.loads(body) if body else parse_qs(parts.query)
        return getattr(self, re.sub(r"\W", "_", endpoint.removeprefix("mlflow/")))(asked)

    @staticmethod
    def _json(value, status=200):
        return status, {"Content-Type": "application/json"}, json.dumps(value).encode()

    def _refused(self, status, code, message):
        return self._json({"error_code": code, "message": message}, status)

    def experiments_get_by_name(self, asked):
        experiment = self.experiments.get(asked["experiment_name"][0])
        if experiment is None:
            return self._refused(404, "RESOURCE_DOES_NOT_EXIST", "no such experiment")
        return self._json({"experiment": experiment})

    def experiments_create(self, asked):
        if asked["name"] in self.experiments:
            return self._refused(400, "RESOURCE_ALREADY_EXISTS", "it is there")
        identity = str(len(self.experiments) + 1)
        self.experiments[asked["name"]] = {"experiment_id": identity, "lifecycle_stage": "active"}
        return self._json({"experiment_id": identity})

    def runs_search(self, asked):
        # Nothing is filtered by tags: whoever asks compares them himself.
        runs = [
            run
            for run in self.runs.values()
            if run["info"]["experiment_id"] in asked["experiment_ids"]
            and (asked["run_view_type"] == "ALL" or run["info"]["lifecycle_stage"] == "active")
        ]
        return self._json({"runs": [self._shown(run) for run in runs]})

    @staticmethod
    def _shown(run):
        data = {
            kind: [{"key": key, "value": value} for key, value in run["data"][kind].items()]
            for kind in ("params", "tags")
        }
        return {"info": run["info"], "data": data}

    def runs_create(self, asked):
        identity = f"{len(self.runs):032x}"
        info = {
            "run_id": identity,
            "experiment_id": asked["experiment_id"],
            "run_name": asked["run_name"],
            "start_time": asked["start_time"],
            "status": "RUNNING",
            "lifecycle_stage": "active",
            "artifact_uri": f"{self.artifact_root}{asked['experiment_id']}/{identity}/artifacts",
        }
        tags = {tag["key"]: tag["value"] for tag in asked["tags"]}
        self.runs[identity] = {
            "info": info,
            "data": {"params": {}, "tags": tags},
            "points": set(),
        }
        return self._json({"run": self._shown(self.runs[identity])})

    def runs_log_batch(self, asked):
        run = self.runs[asked["run_id"]]
        if run["info"]["lifecycle_stage"] == "deleted":
            return self._refused(400, "INVALID_PARAMETER_VALUE", "The run must be active")
        kinds = [asked[kind] for kind in ("params", "tags", "metrics")]
        most = zip(kinds, (100, 100, 1000), strict=True)
        if any(len(kind) > limit for kind, limit in most) or sum(map(len, kinds)) > 1000:
            return self._refused(400, "INVALID_PARAMETER_VALUE", "too many")
        for param in asked["params"]:
            if run["data"]["params"].setdefault(param["key"], param["value"]) != param["value"]:
                return self._refused(400, "INVALID_PARAMETER_VALUE", "changed parameter")
        run["data"]["tags"] |= {tag["key"]: tag["value"] for tag in asked["tags"]}
        run["points"] |= {
            (point["key"], point["step"], point["timestamp"], point["value"])
            for point in asked["metrics"]
        }
        return self._json({})

    def runs_update(self, asked):
        run = self.runs[asked.pop("run_id")]
        run["info"] |= asked
        return self._json({})

    def runs_delete(self, asked):
        self.runs[asked["run_id"]]["info"]["lifecycle_stage"] = "deleted"
        return self._json({})

    def runs_delete_tag(self, asked):
        tags = self.runs[asked["run_id"]]["data"]["tags"]
        if tags.pop(asked["key"], None) is None:
            return self._refused(404, "RESOURCE_DOES_NOT_EXIST", "no such tag")
        return self._json({})


@pytest.fixture
def plain_environment(monkeypatch, tmp_path):
    """No variable of this machine's that says how servers are reached, and a home without credentials."""
    for variable in (
        *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"),
        *("MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_TRACKING_SERVER_CERT_PATH"),
        *("MLFLOW_TRACKING_CLIENT_CERT_PATH", "MLFLOW_TRACKING_AUTH", "MLFLOW_TRACKING_AWS_SIGV4"),
        *("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_WORKSPACE", "MLFLOW_ALLOW_HTTP_REDIRECTS"),
        *("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
        *("REQUESTS_CA_BUNDLE", "no_proxy", "NO_PROXY"),
    ):
        monkeypatch.delenv(variable, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def make_fake_mlflow(plain_environment):
    """A function that starts a fake server; over TLS where a context is given."""
    servers = []

    def make(context: ssl.SSLContext | None = None):
        servers.append(FakeMLflow(context))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def fake_mlflow(make_fake_mlflow):
    """A fake server over plain http."""
    return make_fake_mlflow()


class TensorBoard:
    """TensorBoard itself over a folder, started when it is first asked.

    Args:
        folder: Its log directory.
        said: A file for what it prints.
        load_fast: `auto` is its Rust data server, `false` Python alone.
    """

    def __init__(self, folder, said, load_fast):
        self._options = [
            *("--logdir", str(folder), "--host", "127.0.0.1", "--port", "0"),
            *("--reload_interval", "1", "--reload_multifile", "true", f"--load_fast={load_fast}"),
        ]
        self._said = said
        self._process = None

    def __call__(self, path, body=None, **query):
        """What it answers: JSON, or else bytes."""
        if self._process is None:
            with self._said.open("wb") as output:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tensorboard.main", *self._options],
                    stdout=output,
                    stderr=output,
                )
        address = self.until(lambda: self._said.read_text().partition(" at ")[2].partition(" ")[0])
        url = f"{address.rstrip('/')}/data/{path}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(url, data, headers), timeout=30) as response:
            answer = response.read()
        return json.loads(answer) if answer[:1] in b"[{" else answer

    @staticmethod
    def until(read):
        """What `read` gives as soon as it is something; TensorBoard starts and reads in its own time."""
        end = time.monotonic() + 90
        while not (found := read()):
            assert time.monotonic() < end, "TensorBoard did not show it in time"
            time.sleep(0.1)
        return found

    def close(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)


@pytest.fixture(params=["auto", "false"])
def serve_tensorboard(request, tmp_path):
    """A function that puts TensorBoard over a folder, with its Rust data server and with Python alone."""
    pytest.importorskip("tensorboard", reason="needs the extra treadle-tracking[tensorboard]")
    served = []

    def serve(folder):
        said = tmp_path / f"tensorboard{len(served)}.log"
        served.append(TensorBoard(folder, said, request.param))
        return served[-1]

    yield serve
    for one in served:
        one.close()


@pytest.fixture
def tensorboard(serve_tensorboard, tmp_path):
    """TensorBoard over `tmp_path / "runs"`."""
    return serve_tensorboard(tmp_path / "runs")


@pytest.fixture
def utc():
    """Local time is UTC."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def _write_log(
    directory,
    *,
    uid,
    started=1795338000.0,
    seconds=60.0,
    status="FINISHED",
    name=None,
    params=None,
    tags=None,
    points=None,
    files=None,
):
    """A run in `<root>/<experiment>/<name>`, with these points of each metric from step 1 and these artifacts."""
    from treadle_tracking.entries import Artifact, Ended, Params, Scalars, Started, Tags
    from treadle_tracking.log import LogWriter, attempt_path

    directory.mkdir(parents=True)
    log = LogWriter(attempt_path(directory))
    log.append(
        Started(
            wall_time=started,
            uid=uid,
            experiment=directory.parent.name,
            name=name or directory.name,
        )
    )
    log.append(Params(wall_time=started, values=params or {}))
    log.append(Tags(wall_time=started, values=tags or {}))
    for metric, values in (points or {}).items():
        for step, value in enumerate(values, 1):
            log.append(Scalars(wall_time=started + step, step=step, values={metric: value}))
    for path, data in (files or {}).items():
        file = directory / "artifacts" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        digest = sha256(data).hexdigest()
        log.append(Artifact(wall_time=started, path=path, size=len(data), sha256=digest))
    log.close(Ended(wall_time=started + seconds, status=status) if status else None)
    return directory


@pytest.fixture
def five_runs(tmp_path, monkeypatch, utc, write_five_runs):
    """Five runs below `runs`, in the current directory: the same, to the millisecond, every time."""
    monkeypatch.chdir(tmp_path)
    return write_five_runs(tmp_path / "runs")


@pytest.fixture(scope="session")
def write_five_runs():
    """A function that writes them below a root."""
    return _write_five_runs


def _write_five_runs(root):
    params = {"optim": {"name": "adam", "lr": 0.001}, "batch_size": 32, "clip": None}
    _write_log(
        root / "digits" / "baseline",
        uid="3f2a91bc6f0d4e1c9a7be2d15f60c834",
        seconds=192.0,
        params=params,
        tags={"outcome": "good"},
        points={"loss": [0.9, 0.4, 0.21], "val/loss": [0.8, 0.31, 0.35]},
        files={"models/last.bin": b"\0" * 4096, "notes.md": b"fine\n"},
    )
    _write_log(
        root / "digits" / "wider",
        uid="91bc40d7a35e4b7f8c2d6e90b1f3a4c5",
        started=1795341600.0,
        seconds=4510.0,
        params={**params, "optim": {"name": "adam", "lr": 0.0003}, "width": 256},
        tags={"outcome": "good, but slow"},
        points={"loss": [0.7, 0.3, 0.12], "val/loss": [0.6, 0.28, 0.22]},
    )
    _write_log(
        root / "digits" / "narrow",
        uid="c07de81f22964c0ab5d1f3e8a6b79d02",
        started=1795345200.0,
        seconds=12.5,
        status="KILLED",
        params={**params, "width": 16},
        points={"loss": [1.5]},
    )
    _write_log(
        root / "letters" / "baseline",
        uid="3fe8d2a04b614c9f91e7a05c3d82b6f1",
        started=1795348800.0,
        status="FAILED",
        params={**params, "optim": {"name": "sgd", "lr": 0.1}},
        points={"loss": [2.5, float("nan")], "val/loss": [2.4]},
    )
    _write_log(
        root / "letters" / "longer",
        uid="e5a1730cd84b49f6a2c95b0e71d6f384",
        started=1795352400.0,
        status=None,
        params={**params, "batch_size": 64},
        points={"loss": [2.5, 1.5], "val/loss": [2.4, 1.7]},
    )
    return root
