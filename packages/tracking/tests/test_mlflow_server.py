"""MLflow as a mirror on a real server: what arrives over plain http is what MLflow's own client would have brought."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from base64 import b64encode
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from urllib.error import URLError

import pytest
from attrs import evolve

from treadle_tracking.entries import (
    Artifact,
    Committed,
    Ended,
    Function,
    Histogram,
    Image,
    Params,
    Rewound,
    Scalars,
    Started,
    Table,
    Tags,
    Text,
)
from treadle_tracking.mirrors.address import parse_address
from treadle_tracking.mirrors.errors import AccessDenied, ExperimentDeleted, NotMLflow, RunDeleted
from treadle_tracking.mirrors.mlflow import MLflowMirror
from treadle_tracking.mirrors.mlflow_client import ClientStore

pytestmark = pytest.mark.slow

for _module in ("mlflow", "sqlalchemy", "alembic"):
    pytest.importorskip(_module, reason="needs the extra treadle-tracking[mlflow]")
pytest.importorskip("flask", reason="needs the extra treadle-tracking[mlflow-ui]")

STARTED = Started(wall_time=1000.25, uid="u", experiment="digits", name="baseline", group="seeds")
VALUES = {"nan": float("nan"), "up": float("inf"), "down": float("-inf"), "zero": -0.0}


def png():
    pillow = pytest.importorskip("PIL.Image", reason="needs the extra treadle-tracking[images]")
    buffer = BytesIO()
    pillow.new("RGB", (2, 1), "red").save(buffer, "PNG")
    return buffer.getvalue()


def entries():
    return [
        STARTED,
        Params(
            wall_time=1000.25,
            values={
                "lr": 1e-3,
                "empty": "",
                "none": None,
                "long": "é" * 6_500,
                "many": {f"p{number}": number for number in range(250)},
            },
        ),
        Tags(wall_time=1000.5, values={"note": "größer", "lr@0": "x", "big": "y" * 9_000}),
        *(
            Scalars(
                wall_time=1001 + step / 1000,
                step=step,
                values={"loss": 1 / (step + 1), "lr@0": 1e300, "a//b": 5e-324, "x/" * 200: step},
            )
            for step in range(1_100)
        ),
        Scalars(wall_time=1001.0, step=2**63 - 1, values=VALUES),
        Scalars(wall_time=1001.0, step=-3, values=VALUES),
        Image(wall_time=1001.5, step=2, name="val/a~b", png=png(), width=2, height=1),
        Text(wall_time=1001.75, step=2, name="note", text="# größer"),
        Histogram(wall_time=1001.8, step=2, name="w/layer 1", buckets=((0.0, 1.0, 2.0),)),
        Artifact(wall_time=1002.0, path="a#1 ü+%~.bin", size=3, sha256=""),
        Artifact(wall_time=1002.0, path="empty", size=0, sha256=""),
        Artifact(wall_time=1002.0, path="gone", size=0, sha256=""),
        Artifact(wall_time=1002.0, path="tables/t.json", size=2, sha256=""),
        Table(wall_time=1002.0, step=0, name="t", path="tables/t.json", preview=""),
        Function(wall_time=1002.0, name="augment", qualified_name="m:f", sha256="ab", path="f.py"),
        Params(wall_time=1002.5, values={"lr": 2, "late": True}),
        Ended(wall_time=1003.0, status="FAILED"),
        evolve(STARTED, attempt=1, wall_time=1004.0),
        Rewound(wall_time=1004.5, began=1004.5, step=5, after=1001.5),
        Committed(wall_time=1005.0, step=6),
        Ended(wall_time=1006.0, status="FINISHED"),
    ]


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def running(folder, *arguments, **variables):
    """The address of an `mlflow server` on loopback, while the generator is not closed."""
    port = free_port()
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", **variables}
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'server.db'}", *arguments),
    ]
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
            except (URLError, OSError):
                assert process.poll() is None, (folder / "server.log").read_text()
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    yield from running(folder, "--artifacts-destination", str(folder / "served"))


@pytest.fixture
def client(server, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    return MlflowClient(server)


@pytest.fixture
def directory(plain_environment, tmp_path):
    path = tmp_path / "runs" / "digits" / "baseline"
    (path / "artifacts" / "tables").mkdir(parents=True)
    (path / "artifacts" / "a#1 ü+%~.bin").write_bytes(b"x" * 3_000_000)
    (path / "artifacts" / "empty").write_bytes(b"")
    (path / "artifacts" / "tables" / "t.json").write_text('{"columns": ["a"], "data": [[1]]}')
    (path / "params.json").write_text("{}")
    return path


def sent(uri, directory, experiment, *, by_client=False, sizes=(300,)):
    """The identity of a run that was sent in batches of these sizes, each beginning where half of the last was."""
    with closing(MLflowMirror(uri)) as mirror:
        if by_client:
            mirror._store = ClientStore(parse_address(uri), mirror.uri)
        mirror.open(evolve(STARTED, experiment=experiment), directory)
        every, start = entries(), 0
        while start < len(every):
            size = sizes[start % len(sizes)]
            mirror.send(every[start : start + size])
            start += size if len(sizes) == 1 else max(1, size // 2)
        return mirror.identity


def everything(client, identity, folder):
    """All that MLflow says of a run, to be compared with another's."""
    run = client.get_run(identity)
    points = sorted(
        (point.key, point.step, point.timestamp, repr(point.value))
        for key in run.data.metrics
        for point in client.get_metric_history(identity, key)
    )
    local = client.download_artifacts(identity, "", str(folder))
    files = {
        str(path.relative_to(local)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    info = run.info
    return (
        (info.run_name, info.status, info.start_time, info.end_time, info.user_id),
        run.data.params,
        run.data.tags,
        points,
        files,
    )


def test_http_and_the_client_bring_the_same_run(server, client, directory, tmp_path):
    """Everything that MLflow returns of a run is the same, whichever way it came."""
    states = []
    for experiment, by_client in (("by http", False), ("by client", True)):
        identity = sent(server, directory, experiment, by_client=by_client)
        (tmp_path / experiment).mkdir()
        states.append(everything(client, identity, tmp_path / experiment))

    info, params, tags, points, files = states[0]
    assert states[0] == states[1]
    assert ("baseline", "FINISHED", 1_000_250, 1_006_000) == info[:4]
    assert (255, 4 * 1_100 + 8) == (len(params), len(points))
    assert {"mlflow.loggedImages", "mlflow.loggedArtifacts", "treadle.attempts"} <= set(tags)
    assert "1.7976931348623157e+308" == next(point[3] for point in points if point[0] == "up")
    assert b"x" * 3_000_000 == files["a_x0023_1 ü+_x0025_~.bin"]
    assert 8 == len(files)


def test_sending_it_three_times_in_any_batches_changes_nothing(server, client, directory, tmp_path):
    """A server has everything once, however often and in whatever pieces it is sent, by either way."""
    once = sent(server, directory, "thrice")
    (tmp_path / "once").mkdir()
    state = everything(client, once, tmp_path / "once")

    identities = {
        sent(server, directory, "thrice", sizes=(900, 700)),
        sent(server, directory, "thrice", sizes=(250, 31, 400)),
        sent(server, directory, "thrice", by_client=True),
    }

    (tmp_path / "again").mkdir()
    assert ({once}, state) == (identities, everything(client, once, tmp_path / "again"))


def test_what_was_deleted_is_named_until_it_is_restored(server, client, directory):
    """MLflow's own commands, which the sentences name, are the way out of both."""
    identity = sent(server, directory, "deleted")
    experiment = client.get_run(identity).info.experiment_id
    client.delete_run(identity)
    with pytest.raises(RunDeleted):
        sent(server, directory, "deleted")
    client.restore_run(identity)
    client.delete_experiment(experiment)
    with pytest.raises(ExperimentDeleted):
        sent(server, directory, "deleted")
    client.restore_experiment(experiment)

    again = sent(server, directory, "deleted")

    # With an experiment its runs are deleted, and restored.
    assert identity == again


class Gate(BaseHTTPRequestHandler):
    """Before a server: lets in who knows the password, below a path."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def _serve(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if self.headers.get("Authorization") not in self.server.allowed:
            self._answer(401, {"WWW-Authenticate": "Basic"}, b"Unauthorized")
        elif not self.path.startswith("/ml/flow/"):
            self._answer(404, {"Content-Type": "text/html"}, b"<h1>Not here</h1>")
        else:
            with closing(HTTPConnection("127.0.0.1", self.server.behind)) as connection:
                headers = {"Content-Type": self.headers.get("Content-Type", "")}
                path = self.path.removeprefix("/ml/flow")
                connection.request(self.command, path, body, headers)
                response = connection.getresponse()
                self._answer(
                    response.status,
                    {"Content-Type": response.headers["Content-Type"]},
                    response.read(),
                )

    do_GET = do_POST = do_PUT = _serve  # noqa: N815

    def _answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def gate(server, tmp_path, monkeypatch):
    """The address of a server that is behind TLS, a path and a password."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=gate"),
            *("-days", "2", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    gate = ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    gate.daemon_threads = True
    gate.socket = context.wrap_socket(gate.socket, server_side=True)
    gate.behind = int(server.rpartition(":")[2])
    gate.allowed = {
        "Basic " + b64encode(b"me:gehe im").decode(),
        "Bearer token",
    }
    thread = Thread(target=gate.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{gate.server_address[1]}"
    gate.shutdown()
    gate.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("user", "variables"),
    [
        ("", {"USERNAME": "me", "PASSWORD": "gehe im"}),
        ("", {"TOKEN": "token"}),
        ("me:gehe%20im@", {}),
    ],
)
def test_a_server_behind_tls_a_path_and_a_password(
    gate, client, directory, tmp_path, monkeypatch, user, variables
):
    """A private certificate, a prefix and each way to sign in are what MLflow's own client takes them for."""
    uri = f"{gate}/ml/flow"
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(tmp_path / "cert.pem"))
    with pytest.raises(AccessDenied):
        sent(uri, directory, f"gate {user}{sorted(variables)}")
    for name, text in variables.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", text)
    uri = uri.replace("https://", f"https://{user}")

    identity = sent(uri, directory, f"gate {user}{sorted(variables)}")
    with pytest.raises(NotMLflow):
        sent(uri.removesuffix("/flow"), directory, "gate")

    (tmp_path / "files").mkdir()
    info, _, _, points, files = everything(client, identity, tmp_path / "files")
    assert ("FINISHED", 4 * 1_100 + 8, 8) == (info[1], len(points), len(files))


def test_mlflows_own_users_may_write(tmp_path, directory, monkeypatch):
    """The server's `basic-auth` app takes user and password, and refuses others."""
    pytest.importorskip("flask_wtf", reason="needs mlflow[auth]")
    settings = tmp_path / "auth.ini"
    settings.write_text(
        "[mlflow]\ndefault_permission = NO_PERMISSIONS\n"
        f"database_uri = sqlite:///{tmp_path / 'auth.db'}\n"
        "admin_username = admin\nadmin_password = a-good-pass-word\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    servers = running(
        tmp_path,
        *("--artifacts-destination", str(tmp_path / "served"), "--app-name", "basic-auth"),
        MLFLOW_AUTH_CONFIG_PATH=str(settings),
        MLFLOW_FLASK_SERVER_SECRET_KEY="key",
    )
    with closing(servers):
        uri = next(servers)
        with pytest.raises(AccessDenied):
            sent(uri, directory, "auth")
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "a-good-pass-word")

        identity = sent(uri, directory, "auth")

        from mlflow import MlflowClient

        (tmp_path / "files").mkdir()
        info, *_, files = everything(MlflowClient(uri), identity, tmp_path / "files")
    assert ("FINISHED", 8) == (info[1], len(files))


def test_a_server_without_files_takes_everything_else(tmp_path, directory, capfd):
    """Where files are kept beside the server's own disk, they are named and stay, and nothing else does."""
    servers = running(
        tmp_path, "--no-serve-artifacts", "--default-artifact-root", str(tmp_path / "kept")
    )
    with closing(servers):
        uri = next(servers)
        identity = sent(uri, directory, "without files")

        from mlflow import MlflowClient

        run = MlflowClient(uri).get_run(identity)
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("treadle:")]
    assert ("FINISHED", 255) == (run.info.status, len(run.data.params))
    assert run.data.tags["treadle.missing.params.json"].startswith("kept in the run directory only")
    assert 1 == len(said)
    assert not (tmp_path / "kept").exists()
