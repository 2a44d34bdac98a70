"""MLflow as a mirror over plain http, against a server that can be told to misbehave."""

import json
import os
import re
import socket
import subprocess
import sys
from contextlib import closing
from io import BytesIO
from threading import get_ident
from types import SimpleNamespace

import pytest
from attrs import evolve

from treadle_tracking import start_run
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
from treadle_tracking.errors import InvalidTarget
from treadle_tracking.mirrors import connection as connection_module
from treadle_tracking.mirrors.connection import Connection
from treadle_tracking.mirrors.errors import (
    AccessDenied,
    ExperimentDeleted,
    NotMLflow,
    RedirectRefused,
    RequestRefused,
    RequestTooLarge,
    RunDeleted,
    RunMissing,
    ServerBusy,
    ServerFailed,
    ServerSilent,
    ServerUnreachable,
)
from treadle_tracking.mirrors.histogram_picture import histogram_buckets
from treadle_tracking.mirrors.mlflow import MLflowMirror

STARTED = Started(wall_time=1000.25, uid="u1", experiment="digits", name="baseline", group="seeds")
BUCKETS = ((-1.0, 0.1, 3.0), (0.1, 0.5, 1.0))
ENTRIES = [
    STARTED,
    Params(wall_time=1000.25, values={"lr": 1e-3, "model": {"depth": 3}}),
    Tags(wall_time=1000.5, values={"note": "größer"}),
    Scalars(wall_time=1001.0014, step=1, values={"loss": 0.1234567890123456, "lr@0": -1e300}),
    Scalars(wall_time=1001.5, step=2**63 - 1, values={"loss": float("nan"), "up": float("inf")}),
    Image(wall_time=1001.5, step=2, name="val", png=b"png", width=2, height=1),
    Text(wall_time=1001.75, step=2, name="note", text="# größer"),
    Histogram(wall_time=1001.8, step=2, name="w", buckets=BUCKETS),
    Artifact(wall_time=1002.0, path="a ü+~.bin", size=7, sha256=""),
    Artifact(wall_time=1002.0, path="tables/t.json", size=2, sha256=""),
    Table(wall_time=1002.0, step=0, name="t", path="tables/t.json", preview=""),
    Function(wall_time=1002.0, name="augment", qualified_name="m:f", sha256="ab", path="f.py"),
    Ended(wall_time=1003.0, status="FAILED"),
    evolve(STARTED, attempt=1, wall_time=1004.0),
    Rewound(wall_time=1004.0, began=1004.0, step=5, after=1001.5),
    Committed(wall_time=1004.5, step=6),
    Params(wall_time=1005.0, values={"lr": 1.0, "late": True}),
    Ended(wall_time=1006.0, status="FINISHED"),
]


@pytest.fixture
def directory(tmp_path):
    """A run directory with two artifacts."""
    path = tmp_path / "runs" / "digits" / "baseline"
    (path / "artifacts" / "tables").mkdir(parents=True)
    (path / "artifacts" / "a ü+~.bin").write_bytes(b"weights")
    (path / "artifacts" / "tables" / "t.json").write_bytes(b"{}")
    (path / "params.json").write_bytes(b'{"lr": 0.001}')
    return path


@pytest.fixture
def opened(fake_mlflow, directory):
    """A function that opens the run as a fresh process would."""
    mirrors = []

    def _opened(uri=None, started=STARTED):
        mirrors.append(MLflowMirror(uri or fake_mlflow.uri))
        mirrors[-1].open(started, directory)
        return mirrors[-1]

    yield _opened
    for mirror in mirrors:
        mirror.close()


def the_run(fake):
    """All there is of the one run, to be compared."""
    [run] = fake.runs.values()
    points = sorted(map(repr, run["points"]))
    return run["info"], run["data"]["params"], run["data"]["tags"], points, dict(fake.files)


def test_everything_arrives(opened, fake_mlflow):
    """Numbers, parameters, tags, files and status of a run are at the server as the log has them."""
    opened().send(ENTRIES)

    info, params, tags, points, files = the_run(fake_mlflow)
    exact = json.loads(tags["treadle.params.0"])

    assert ("baseline", 1_000_250, "FINISHED", 1_006_000) == (
        info["run_name"],
        info["start_time"],
        info["status"],
        info["end_time"],
    )
    assert {"lr": "0.001", "model.depth": "3", "late": "True"} == params
    assert {"lr": 1.0, "model": {"depth": 3}, "late": True} == exact
    assert {
        "note": "größer",
        "treadle.uid": "u1",
        "treadle.group": "seeds",
        "treadle.function.augment": "m:f ab",
        "treadle.table.t": '{"path": "tables/t.json", "step": 0}',
        "treadle.attempts": "[[1004000, 1001500, 5]]",
        "mlflow.loggedImages": "True",
        "mlflow.loggedArtifacts": '[{"path": "tables/t.json", "type": "table"}]',
    } == {key: text for key, text in tags.items() if not key.startswith("treadle.params")}
    assert [
        "('loss', 1, 1001001, 0.1234567890123456)",
        f"('loss', {2**63 - 1}, 1001500, 'NaN')",
        "('lr_x0040_0', 1, 1001001, -1e+300)",
        f"('up', {2**63 - 1}, 1001500, 'Infinity')",
    ] == points
    folder = f"1/{info['run_id']}/artifacts"
    contents = {path.removeprefix(f"{folder}/"): data for path, data in files.items()}
    assert b"weights" == contents["a ü+~.bin"]
    assert b'{"lr": 0.001}' == contents["params.json"]
    assert "# größer".encode() == contents["texts/note/2.md"]
    assert BUCKETS == histogram_buckets(contents["histograms/w/2.svg"].decode())
    assert 2 == len([path for path in contents if path.startswith("images/val+step+2+")])


def test_sending_everything_in_overlapping_batches_changes_nothing(opened, fake_mlflow):
    """However often the log is sent, and in whatever batches, the run is the same."""
    opened().send(ENTRIES)
    once = the_run(fake_mlflow)

    mirror = opened()
    for start in range(0, len(ENTRIES), 3):
        mirror.send(ENTRIES[start : start + 7])
    opened().send(ENTRIES)

    assert once == the_run(fake_mlflow)


def test_a_parameter_that_changes_keeps_its_first_value_in_any_batches(opened, fake_mlflow):
    """MLflow never changes a parameter, so the batches must not decide which value it gets."""
    mirror = opened()

    mirror.send([Params(wall_time=1.0, values={"lr": 1}), Params(wall_time=2.0, values={"lr": 2})])
    mirror.send([Params(wall_time=3.0, values={"lr": 3})])

    _, params, tags, *_ = the_run(fake_mlflow)
    assert ({"lr": "1"}, '{"lr":3}') == (params, tags["treadle.params.0"])


def test_many_entries_are_within_the_servers_limits(opened, fake_mlflow):
    """Requests hold a thousand entries at most, a hundred of them parameters, and a hundred tags."""
    opened().send(
        [
            Params(wall_time=1.0, values={f"p{number}": number for number in range(250)}),
            Tags(wall_time=1.0, values={f"t{number}": "x" for number in range(150)}),
            *(
                Scalars(wall_time=1.0, step=step, values={"loss": step, "acc": step})
                for step in range(1_300)
            ),
        ]
    )

    _, params, tags, points, _ = the_run(fake_mlflow)
    sizes = [len(body) for _, path, body, _ in fake_mlflow.requests if "log-batch" in path]
    assert (250, 2_600) == (len(params), len(points))
    assert 150 == len([tag for tag in tags if re.fullmatch(r"t\d+", tag)])
    assert max(sizes) <= 1_000_000


def test_one_connection_serves_the_whole_run(opened, fake_mlflow):
    """The connection is made once and kept."""
    mirror = opened()
    for _ in range(3):
        mirror.send(ENTRIES)

    assert 1 == fake_mlflow.connections


def test_making_a_mirror_asks_nothing_of_the_network(fake_mlflow):
    """The thread that trains makes the mirror, so nothing waits for a server there."""
    MLflowMirror(fake_mlflow.uri)

    assert 0 == fake_mlflow.connections


def test_no_socket_is_touched_on_the_thread_that_trains(fake_mlflow, tmp_path, monkeypatch):
    """From start to end, every connection is the mirror's own thread's."""
    threads = set()
    connect = socket.create_connection
    monkeypatch.setattr(
        socket,
        "create_connection",
        lambda *arguments: (threads.add(get_ident()), connect(*arguments))[1],
    )

    with start_run([f"tensorboard:{tmp_path}", f"mlflow:{fake_mlflow.uri}"]) as run:
        for step in range(100):
            run.log({"loss": 1.0}, step=step)

    assert "FINISHED" == the_run(fake_mlflow)[0]["status"]
    assert 1 == len(threads - {get_ident()}) == len(threads)


CLEAN = """
import sys
from treadle_tracking import start_run
with start_run(["tensorboard:runs", f"mlflow:{sys.argv[1]}"], params={"lr": 0.1}) as run:
    run.log({"loss": 1.0}, step=1)
    run.text("note", "text", step=1)
print(run.mirrored == run.mirrors, sorted({"mlflow", "sqlalchemy", "numpy", "requests"} & set(sys.modules)))
"""


def test_no_mlflow_is_imported(fake_mlflow, tmp_path):
    """Over http a run is mirrored without MLflow, or anything as heavy."""
    done = subprocess.run(
        [sys.executable, "-c", CLEAN, fake_mlflow.uri],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert ("True []\n", "") == (done.stdout, done.stderr)
    assert "FINISHED" == the_run(fake_mlflow)[0]["status"]


def test_a_connection_that_the_server_has_closed_is_made_anew(opened, fake_mlflow):
    """A server lets go of idle connections, and nobody hears of it."""
    mirror = opened()
    fake_mlflow.hangs_up()

    mirror.send(ENTRIES)

    assert "FINISHED" == the_run(fake_mlflow)[0]["status"]


def test_a_run_is_not_made_twice_where_the_answer_is_lost(opened, fake_mlflow):
    """Making a run is the one request that is not repeated: the next opening finds what it made."""
    fake_mlflow.experiments["digits"] = {"experiment_id": "1", "lifecycle_stage": "active"}
    fake_mlflow.goes_on()
    fake_mlflow.goes_on()
    fake_mlflow.hangs_up(is_done=True)
    with pytest.raises(ServerUnreachable):
        opened()

    opened()

    assert 1 == len(fake_mlflow.runs)


def test_a_rival_that_was_quicker_has_the_run(opened, fake_mlflow):
    """Of two runs that two machines made of one uid, both keep the one with the smaller identity."""
    create = fake_mlflow.runs_create
    fake_mlflow.runs_create = lambda asked: (create(dict(asked)), create(asked))[1]

    mirror = opened()

    stages = {key: run["info"]["lifecycle_stage"] for key, run in fake_mlflow.runs.items()}
    assert {f"{0:032x}": "active", f"{1:032x}": "deleted"} == stages
    assert f"{0:032x}" == mirror.identity


def test_a_run_is_found_though_another_of_its_uid_is_deleted(opened, fake_mlflow):
    """What a rival has left behind is passed over."""
    create = fake_mlflow.runs_create
    fake_mlflow.runs_create = lambda asked: (create(dict(asked)), create(asked))[1]

    assert opened().identity == opened().identity


def test_a_deleted_experiment_is_named(opened, fake_mlflow):
    """The name that MLflow keeps taken is said with the way to have it back."""
    fake_mlflow.experiments["digits"] = {"experiment_id": "7", "lifecycle_stage": "deleted"}
    uri = fake_mlflow.uri

    with pytest.raises(ExperimentDeleted) as caught:
        opened()

    assert (
        f"the experiment 'digits' is deleted at mlflow:{uri}, and MLflow keeps its name taken: bring it back with "
        f"`MLFLOW_TRACKING_URI={uri} mlflow experiments restore -x 7`, or remove it with `MLFLOW_TRACKING_URI={uri} "
        f"mlflow gc --backend-store-uri DATABASE_OF_THE_SERVER --experiment-ids 7`"
    ) == str(caught.value)


def test_a_deleted_run_is_not_made_again(opened, fake_mlflow):
    """Whoever deleted it is not defied; restored, it goes on."""
    identity = opened().identity
    fake_mlflow.runs[identity]["info"]["lifecycle_stage"] = "deleted"
    with pytest.raises(RunDeleted):
        opened()

    fake_mlflow.runs[identity]["info"]["lifecycle_stage"] = "active"

    assert identity == opened().identity


def test_a_run_that_is_replaced_is_another(opened, fake_mlflow, directory):
    """Replacing deletes the run that was there, whose points are not to be had away."""
    mirror = opened()
    before = mirror.identity

    mirror.replace(STARTED, directory)

    stages = {key: run["info"]["lifecycle_stage"] for key, run in fake_mlflow.runs.items()}
    assert {before: "deleted", mirror.identity: "active"} == stages


def test_what_a_run_lacks_is_named(opened, fake_mlflow):
    """What was passed over can be asked for, by the names that the run knows."""
    names = ["gone#1.bin", "deep/" * 60 + "gone"]
    mirror = opened()
    mirror.send([Artifact(wall_time=1.0, path=name, size=1, sha256="") for name in names])
    made = len(fake_mlflow.runs)

    actual = MLflowMirror(fake_mlflow.uri).lacking(STARTED, mirror.identity)

    assert (names, made) == (actual, len(fake_mlflow.runs))


def test_what_a_run_lacks_is_not_asked_of_another(opened, fake_mlflow):
    """A run that is not there says nothing, and none is made."""
    expected = (
        f"the run 'baseline', which was r1 at mlflow:{fake_mlflow.uri}, is not there any more; sending it again makes "
        f"another"
    )

    with pytest.raises(RunMissing) as caught:
        MLflowMirror(fake_mlflow.uri).lacking(STARTED, "r1")

    assert (expected, {}) == (str(caught.value), fake_mlflow.runs)


JSON = "application/json"
ANSWERS = [
    (
        (401, "<h1>Who</h1><script>x</script>"),
        AccessDenied,
        (
            "URI refuses access (401: Who). Give user and password in MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD or in ~/.mlflow/credentials, or a token in MLFLOW_TRACKING_TOKEN"
        ),
    ),
    (
        (403, '{"error_code": "PERMISSION_DENIED", "message": "Permission denied"}'),
        AccessDenied,
        (
            "URI refuses access (403: Permission denied). Ask whoever runs the server for permission to write to this "
            "experiment"
        ),
    ),
    (
        (404, "<title>404</title>"),
        NotMLflow,
        (
            "URI answers 404 (404): this is not the address of an MLflow server, or a login page hides it. If MLflow "
            "is below a path there, add that to the address, as in 'mlflow:https://HOST/PATH'"
        ),
    ),
    (
        (200, "<html>Sign in</html>"),
        NotMLflow,
        (
            "URI answers with text/plain where JSON is expected: this is not the address of an MLflow server, or a login "
            "page hides it. If MLflow is below a path there, add that to the address, as in "
            "'mlflow:https://HOST/PATH'"
        ),
    ),
    (
        (400, '{"error_code": "INVALID_PARAMETER_VALUE", "message": "Bad\\n name"}'),
        RequestRefused,
        "URI refuses a request (400 INVALID_PARAMETER_VALUE): Bad name",
    ),
    (
        (413, "too large"),
        RequestTooLarge,
        (
            "URI finds a request too large (413): whoever runs the server, or the proxy before it, sets the limit, "
            "in nginx by client_max_body_size"
        ),
    ),
    ((429, "slow down"), ServerBusy, "URI takes nothing just now (429); it is tried again"),
    ((503, "maintenance"), ServerBusy, "URI takes nothing just now (503); it is tried again"),
    (
        (500, "<p>Trace\x1b\nback"),
        ServerFailed,
        "URI has failed (500: Trace\ufffd back); it is tried again, and the server's own log says more",
    ),
    (
        (502, ""),
        ServerFailed,
        "URI has failed (502); it is tried again, and the server's own log says more",
    ),
]


@pytest.mark.parametrize(("answer", "error", "expected"), ANSWERS)
def test_what_a_server_refuses_is_one_sentence(opened, fake_mlflow, answer, error, expected):
    """Every answer but the right one has its own error, which says what to do."""
    fake_mlflow.says(*answer)

    with pytest.raises(error) as caught:
        opened()

    assert expected.replace("URI", f"mlflow:{fake_mlflow.uri}") == str(caught.value)


def test_after_any_failure_the_run_can_be_opened_again(opened, fake_mlflow):
    """Whatever a server has answered before, the next attempt is a fresh one."""
    for answer, error, _ in ANSWERS:
        fake_mlflow.says(*answer)
        with pytest.raises(error):
            opened()

    opened().send(ENTRIES)

    assert "FINISHED" == the_run(fake_mlflow)[0]["status"]


def test_a_server_that_is_down_is_one_sentence(plain_environment, directory):
    """Nobody listens: the address is said, and what to look at."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    expected = (
        f"mlflow:http://127.0.0.1:{port} cannot be reached: Connection refused. Is the server running, and is this "
        f"its address?"
    )

    with pytest.raises(ServerUnreachable) as caught:
        MLflowMirror(f"http://127.0.0.1:{port}").open(STARTED, directory)

    assert expected == str(caught.value)


def test_a_server_that_never_answers_is_given_up(plain_environment, directory, monkeypatch):
    """A black hole accepts and is silent: MLflow's own variable says for how long it is listened to."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with closing(socket.create_server(("127.0.0.1", 0))) as hole:
        uri = f"http://127.0.0.1:{hole.getsockname()[1]}"

        with pytest.raises(ServerSilent) as caught:
            MLflowMirror(uri).open(STARTED, directory)

    assert (
        f"mlflow:{uri} took a request and did not answer within 1 s; to wait longer, set the variable "
        f"MLFLOW_HTTP_REQUEST_TIMEOUT, in seconds"
    ) == str(caught.value)


def test_connecting_is_given_up_sooner_than_waiting(fake_mlflow, opened, monkeypatch):
    """A host that does not exist is known in ten seconds, a server that thinks has a minute."""
    given = []
    connect = socket.create_connection
    monkeypatch.setattr(
        socket,
        "create_connection",
        lambda address, timeout, *rest: (given.append(timeout), connect(address, timeout, *rest))[
            1
        ],
    )

    mirror = opened()

    assert ([10.0], 60.0) == (given, mirror._store._connection._connection.sock.gettimeout())


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", [7.0]),
        ("3600", [60.0]),
        ("Thu, 01 Jan 1970 00:01:40 GMT", [20.0]),
        ("Thu, 01 Jan 1970 00:00:00 GMT", []),
        ("soon", []),
    ],
)
def test_a_server_that_asks_for_time_gets_it(opened, fake_mlflow, monkeypatch, header, expected):
    """The header Retry-After, in seconds or as a date, is waited for before the next request, a minute at most."""
    slept = []
    clock = SimpleNamespace(time=lambda: 80.0, monotonic=lambda: 1000.0, sleep=slept.append)
    mirror = opened()
    monkeypatch.setattr(connection_module, "time", clock)
    fake_mlflow.says(429, "", Retry_After=header)
    with pytest.raises(ServerBusy):
        mirror.send(ENTRIES[3:4])

    mirror.send(ENTRIES[3:4])

    assert expected == slept


def test_how_long_a_server_asks_for_is_said(opened, fake_mlflow):
    """Whoever retries can know when."""
    fake_mlflow.says(503, "", Retry_After="7")

    with pytest.raises(ServerBusy) as caught:
        opened()

    assert (
        7.0,
        f"mlflow:{fake_mlflow.uri} takes nothing just now (503), for 7 s; it is tried again",
    ) == (caught.value.retry_after, str(caught.value))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_on_the_same_host_is_followed(opened, fake_mlflow, status):
    """Method and body stay what they were, and what follows goes to the new place at once."""
    fake_mlflow.prefix = "/flow"
    fake_mlflow.says(
        status, "", Location=f"{fake_mlflow.uri}/flow/api/2.0/mlflow/experiments/get-by-name?x=1"
    )

    opened().send(ENTRIES)

    assert "FINISHED" == the_run(fake_mlflow)[0]["status"]
    assert ["/api/2.0/mlflow/experiments/get-by-name?experiment_name=digits"] == [
        path for _, path, *_ in fake_mlflow.requests if not path.startswith("/flow/")
    ]


def test_a_redirect_holds_until_the_next_opening(opened, fake_mlflow, directory):
    """Whoever redirects for a while is asked again after a failure."""
    mirror = opened()
    fake_mlflow.prefix = "/flow"
    fake_mlflow.says(307, "", Location="/flow/api/2.0/mlflow/runs/log-batch")
    mirror.send(ENTRIES[3:4])
    fake_mlflow.prefix = ""

    mirror.close()
    mirror.open(STARTED, directory)
    mirror.send(ENTRIES[3:5])

    assert 4 == len(the_run(fake_mlflow)[3])


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirected_body_is_sent_again(opened, fake_mlflow, status):
    """A request that was redirected in the middle of a run loses nothing, a file's neither."""
    mirror = opened()
    fake_mlflow.prefix = "/flow"
    run = next(iter(fake_mlflow.runs))
    fake_mlflow.says(
        status,
        "",
        Location=f"/flow/api/2.0/mlflow-artifacts/artifacts/1/{run}/artifacts/a%20%C3%BC%2B~.bin",
    )

    mirror.send([ENTRIES[8]])

    assert {f"1/{run}/artifacts/a ü+~.bin": b"weights"} == fake_mlflow.files


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("http://elsewhere/api/2.0/mlflow/experiments/get-by-name", None),
        ("http://elsewhere:PORT/api/2.0/mlflow/experiments/get-by-name", None),
        ("https://elsewhere/api/2.0/mlflow/experiments/get-by-name", None),
        ("https://me:secret@elsewhere/x?token=secret", "https://***@elsewhere/x"),
        ("/login?next=/api/2.0/mlflow/experiments/get-by-name", "http://127.0.0.1:PORT/login"),
        (
            "http://127.0.0.1:1/api/2.0/mlflow/experiments/get-by-name",
            "http://127.0.0.1:1/api/2.0/mlflow/experiments/get-by-name",
        ),
        ("http://127.0.0.1:port/", "what is no address"),
        ("", "http://127.0.0.1:PORT"),
    ],
)
def test_a_redirect_to_elsewhere_is_told_and_not_followed(opened, fake_mlflow, location, shown):
    """Another host, another port or a login page gets no password of anybody's."""
    location = location.replace("PORT", str(fake_mlflow.port))
    fake_mlflow.says(302, "", Location=location)
    expected = (shown or location).replace("PORT", str(fake_mlflow.port))

    with pytest.raises(RedirectRefused) as caught:
        opened()

    assert (
        f"mlflow:{fake_mlflow.uri} redirects to {expected}, which is not followed: if that is where MLflow is, name it "
        f"as the target"
    ) == str(caught.value)
    assert 1 == len(fake_mlflow.requests)


def test_redirects_that_go_round_are_given_up(opened, fake_mlflow):
    """Three redirects of one request are enough."""
    for _ in range(4):
        fake_mlflow.says(307, "", Location="/api/2.0/mlflow/experiments/get-by-name")

    with pytest.raises(RedirectRefused) as caught:
        opened()

    assert "redirects to itself, again and again" in str(caught.value)


def test_redirects_can_be_forbidden(opened, fake_mlflow, monkeypatch):
    """The variable by which MLflow's client follows none is heard."""
    monkeypatch.setenv("MLFLOW_ALLOW_HTTP_REDIRECTS", "false")
    fake_mlflow.says(307, "", Location="/flow/api/2.0/mlflow/experiments/get-by-name")

    with pytest.raises(RedirectRefused):
        opened()

    assert 1 == len(fake_mlflow.requests)


def test_a_path_belongs_to_the_address(opened, fake_mlflow):
    """A server below a path is found there, a blank and a slash at the end notwithstanding."""
    fake_mlflow.prefix = "/ml/fl%20ow"

    opened(f"{fake_mlflow.uri}/ml/fl ow/").send(ENTRIES)

    assert "FINISHED" == the_run(fake_mlflow)[0]["status"]
    assert {True} == {path.startswith("/ml/fl%20ow/api/") for _, path, *_ in fake_mlflow.requests}


@pytest.mark.parametrize("uri", ["http://h:port", "http://h/?x=1", "http://[h", "https://me@:80"])
def test_an_address_of_no_server_is_refused(uri):
    """What cannot be asked is told before the run begins."""
    with pytest.raises(InvalidTarget) as caught:
        MLflowMirror(uri)

    shown = uri.replace("me@", "***@")
    assert (
        f"target 'mlflow:{shown}' is no address of a server; expected mlflow:http://HOST:PORT/PATH"
        == str(caught.value)
    )


def test_a_request_that_is_too_large_is_divided(opened, fake_mlflow):
    """A proxy that takes little gets little at a time, and is not asked for more again."""
    mirror = opened()
    fake_mlflow.most_bytes = 20_000
    points = [Scalars(wall_time=1.0, step=step, values={"loss": 1.0}) for step in range(900)]

    mirror.send(points)
    after = len(fake_mlflow.requests)
    mirror.send([evolve(entry, step=entry.step + 900) for entry in points])

    assert 1_800 == len(the_run(fake_mlflow)[3])
    assert [] == [body for _, _, body, _ in fake_mlflow.requests[after:] if len(body) > 20_000]


def test_a_single_entry_that_is_too_large_is_passed_over(opened, fake_mlflow, capfd):
    """What cannot be divided is named, on stderr once and in a tag, and what follows it arrives."""
    mirror = opened()
    fake_mlflow.most_bytes = 4_000
    entries = [
        Tags(wall_time=1.0, values={"a": "1", "prompt": "x" * 5_000, "z": "1"}),
        Scalars(wall_time=1.0, step=1, values={"loss": 1.0}),
    ]

    mirror.send(entries)
    mirror.send(entries)

    tags = the_run(fake_mlflow)[2]
    assert ("1", "1", None) == (tags["a"], tags["z"], tags.get("prompt"))
    assert "larger than the server takes" == tags["treadle.missing.prompt"]
    assert (
        f"treadle: 'prompt' is not at mlflow:{fake_mlflow.uri}: larger than the server takes; the run directory has "
        f"it\n"
    ) == capfd.readouterr().err
    assert 1 == len(the_run(fake_mlflow)[3])


@pytest.mark.parametrize("early", [False, True])
def test_a_file_that_is_too_large_is_passed_over(opened, fake_mlflow, directory, capfd, early):
    """A proxy may refuse a file after it was sent or while it is: both are one sentence and a tag."""
    (directory / "artifacts" / "a ü+~.bin").write_bytes(b"x" * 30_000_000)
    mirror = opened()
    if early:
        fake_mlflow.most_bytes = 100_000_000
        fake_mlflow.refuses_early(413)

    mirror.send(ENTRIES[8:])

    info, _, tags, *_ = the_run(fake_mlflow)
    assert "larger than the server takes" == tags["treadle.missing.a ü_x002B__x007E_.bin"]
    assert "FINISHED" == info["status"]
    assert (
        f"treadle: 'a ü+~.bin' is not at mlflow:{fake_mlflow.uri}: larger than the server takes; the run directory "
        f"has it\n"
    ) == capfd.readouterr().err


def test_a_file_that_arrives_after_all_is_missing_no_more(opened, fake_mlflow, directory):
    """The tag that said so is removed, and is not missed if somebody else was quicker."""
    gone = Artifact(wall_time=1.0, path="late.bin", size=1, sha256="")
    opened().send([gone])
    before = the_run(fake_mlflow)[2]["treadle.missing.late.bin"]
    (directory / "artifacts" / "late.bin").write_bytes(b"x")
    mirrors = [opened(), opened()]

    for mirror in mirrors:
        mirror.send([gone])

    assert "not in the run directory any more" == before
    assert "treadle.missing.late.bin" not in the_run(fake_mlflow)[2]


def test_files_that_are_kept_elsewhere_are_named_and_stay(opened, fake_mlflow, capfd):
    """Where the server does not take files itself, everything else arrives, and tags say what does not."""
    fake_mlflow.artifact_root = "s3://me:secret@bucket/runs/"
    opened().send(ENTRIES)

    info, params, tags, points, files = the_run(fake_mlflow)
    place = info["artifact_uri"].replace("me:secret", "***")
    said = f"kept in the run directory only, not at {place}"

    assert ("FINISHED", 3, 4, {}) == (info["status"], len(params), len(points), files)
    assert dict.fromkeys(
        [
            *("params.json", "images/val", "texts/note", "histograms/w", "tables/t.json"),
            "a ü_x002B__x007E_.bin",
        ],
        said,
    ) == {
        key.removeprefix("treadle.missing."): text
        for key, text in tags.items()
        if key.startswith("treadle.missing.")
    }
    assert [] == [key for key in tags if key.startswith("mlflow.")]
    assert (
        f"treadle: mlflow:{fake_mlflow.uri} keeps files at {place}, where they cannot be sent over http: numbers, "
        f"parameters and tags go on, and files stay in the run directory\n"
    ) == capfd.readouterr().err


def test_files_of_the_servers_own_host_are_sent(opened, fake_mlflow):
    """An address that names the server itself is one that can be sent to; another's is not."""
    fake_mlflow.artifact_root = f"mlflow-artifacts://127.0.0.1:{fake_mlflow.port}/"
    opened().send(ENTRIES[:9])
    sent = len(fake_mlflow.files)
    fake_mlflow.artifact_root = "mlflow-artifacts://elsewhere:5000/"
    opened(started=evolve(STARTED, uid="u2")).send(ENTRIES[:9])

    assert (6, 6) == (sent, len(fake_mlflow.files))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, '{"error_code": "INVALID_PARAMETER_VALUE", "message": "Invalid path"}'),
        (404, "no such endpoint"),
        (503, "Endpoint disabled due to the server running with `--no-serve-artifacts`"),
    ],
)
def test_a_file_that_is_refused_does_not_stop_the_rest(opened, fake_mlflow, status, said, capfd):
    """A server without files, or one that dislikes a path, gets everything else."""
    mirror = opened()
    fake_mlflow.says(status, said)

    mirror.send(ENTRIES[8:])

    info, _, tags, *_ = the_run(fake_mlflow)
    assert tags["treadle.missing.a ü_x002B__x007E_.bin"].startswith(
        f"the server does not take it ({status}: "
    )
    assert "FINISHED" == info["status"]
    assert 1 == capfd.readouterr().err.count("treadle: ")


@pytest.mark.parametrize("status", [401, 429, 503])
def test_a_file_that_may_be_taken_later_is_tried_again(opened, fake_mlflow, status):
    """A password that has run out loses no file."""
    mirror = opened()
    fake_mlflow.says(status, "not now")

    with pytest.raises((AccessDenied, ServerBusy)):
        mirror.send(ENTRIES[8:])

    assert {} == fake_mlflow.files


def test_a_big_file_is_read_as_it_goes(fake_mlflow):
    """However large a file is, a small part of it is in memory."""
    sizes = []

    class Watched(BytesIO):
        def read(self, size=-1):
            sizes.append(size)
            return super().read(size)

    connection = Connection(fake_mlflow.uri, "mlflow:x")
    path = "/api/2.0/mlflow-artifacts/artifacts/a"

    answer = connection.request("PUT", path, Watched(b"x" * 1_000_000), size=1_000_000)

    connection.close()
    assert (200, {65_536}) == (answer.status, set(sizes))
    assert {"a": b"x" * 1_000_000} == fake_mlflow.files


def test_a_proxy_of_the_environment_is_asked(opened, fake_mlflow, monkeypatch):
    """A proxy gets the whole address and its own password, and hosts that need none get none."""
    monkeypatch.setenv("HTTP_PROXY", f"http://me:pro%40xy@127.0.0.1:{fake_mlflow.port}")
    real = fake_mlflow.answer
    fake_mlflow.answer = lambda method, path, *rest: real(
        method, path.removeprefix("http://mlflow.invalid:5000"), *rest
    )

    opened("http://mlflow.invalid:5000").send(ENTRIES)
    through = len(fake_mlflow.requests)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    opened()

    assert "FINISHED" == the_run(fake_mlflow)[0]["status"]
    heads = [headers for *_, headers in fake_mlflow.requests]
    assert {("mlflow.invalid:5000", "Basic bWU6cHJvQHh5")} == {
        (head["Host"], head["Proxy-Authorization"]) for head in heads[:through]
    }
    assert {None} == {head.get("Proxy-Authorization") for head in heads[through:]}


def test_a_file_is_sent_once_a_version(opened, fake_mlflow, directory):
    """A checkpoint that a log names after every epoch is one file, and goes out again only when it is another."""
    path = directory / "artifacts" / "last.pt"
    path.write_bytes(b"one")
    entry = Artifact(wall_time=1.0, path="last.pt", size=3, sha256="")
    mirror = opened()
    for _ in range(3):
        mirror.send([entry] * 10)
    first = len([name for name in fake_mlflow.asked() if "PUT" in name])
    other = path.with_suffix(".new")
    other.write_bytes(b"two")
    other.replace(path)

    mirror.send([entry])

    assert (1, 2) == (first, len([name for name in fake_mlflow.asked() if "PUT" in name]))
    assert [b"two"] == list(fake_mlflow.files.values())


def test_another_run_gets_every_file(opened, fake_mlflow, directory):
    """A run that was made anew has nothing yet."""
    mirror = opened()
    mirror.send(ENTRIES)
    before = len(fake_mlflow.files)

    mirror.replace(STARTED, directory)
    mirror.send(ENTRIES)

    assert 2 * before == len(fake_mlflow.files)


def test_a_big_file_has_longer_to_be_answered(fake_mlflow, opened, directory, monkeypatch):
    """A server may have to bring it elsewhere first: a second for every five million bytes."""
    given = []
    real = Connection.request

    def request(self, *arguments, **named):
        given.append(named.get("extra_seconds", 0.0))
        return real(self, *arguments, **named)

    monkeypatch.setattr(Connection, "request", request)
    with (directory / "artifacts" / "a ü+~.bin").open("wb") as file:
        file.truncate(10_000_000)

    opened().send([ENTRIES[8]])

    assert 2.0 == max(given)


@pytest.mark.parametrize("body", ["{}", "[]", '{"experiment": 5}'])
def test_json_of_somebody_else_is_named(fake_mlflow, body, tmp_path):
    """A server that answers everything with JSON is no MLflow, whatever the JSON is."""
    fake_mlflow.says(200, body, Content_Type="application/json")
    with closing(MLflowMirror(fake_mlflow.uri)) as mirror, pytest.raises(NotMLflow) as caught:
        mirror.open(STARTED, tmp_path)

    assert (
        f"mlflow:{fake_mlflow.uri} answers with JSON that MLflow does not write: this is not the address of an MLflow "
        f"server, or a login page hides it. If MLflow is below a path there, add that to the address, as in "
        f"'mlflow:https://HOST/PATH'"
    ) == str(caught.value)


def test_an_experiment_that_is_deleted_meanwhile_is_named(fake_mlflow, tmp_path):
    """MLflow says only that the run must be active; the mirror finds out why it is not."""
    mirror = MLflowMirror(fake_mlflow.uri)
    mirror.open(STARTED, tmp_path)
    fake_mlflow.experiments[STARTED.experiment]["lifecycle_stage"] = "deleted"
    for run in fake_mlflow.runs.values():
        run["info"]["lifecycle_stage"] = "deleted"

    with closing(mirror), pytest.raises(ExperimentDeleted):
        mirror.send([Scalars(wall_time=1.0, step=1, values={"loss": 1.0})])


def test_a_run_that_is_deleted_meanwhile_is_named(fake_mlflow, tmp_path):
    """Likewise."""
    mirror = MLflowMirror(fake_mlflow.uri)
    mirror.open(STARTED, tmp_path)
    for run in fake_mlflow.runs.values():
        run["info"]["lifecycle_stage"] = "deleted"

    with closing(mirror), pytest.raises(RunDeleted):
        mirror.send([Scalars(wall_time=1.0, step=1, values={"loss": 1.0})])


def test_a_host_with_a_blank_in_it_is_refused_at_once(plain_environment):
    """Not by a thread, later."""
    with pytest.raises(InvalidTarget) as caught:
        MLflowMirror("http://ho st")

    assert (
        "target 'mlflow:http://ho st' is no address of a server; expected mlflow:http://HOST:PORT/PATH"
    ) == str(caught.value)


@pytest.mark.slow
def test_threads_a_forked_process_and_a_loaders_workers_make_one_run(fake_mlflow, tmp_path):
    """Whoever else has the run, it is there once, with every point that the process of the run has logged."""
    torch = pytest.importorskip("torch", reason="torch is no dependency of treadle-tracking")
    script = """
import os, sys, threading
import torch
from treadle_tracking import start_run

class Numbers(torch.utils.data.Dataset):
    def __init__(self, run):
        self.run = run
    def __len__(self):
        return 8
    def __getitem__(self, index):
        self.run.log({"worker": 1.0}, step=index)
        return index

def work(number):
    for step in range(100):
        run.log({f"loss{number}": float(step)}, step=step)

with start_run([f"tensorboard:{sys.argv[1]}", f"mlflow:{sys.argv[2]}"], name="a") as run:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    loaded = list(torch.utils.data.DataLoader(Numbers(run), num_workers=2))
    child = os.fork()
    if child == 0:
        run.log({"child": 1.0}, step=1)
        run.close()
        os._exit(0)
    os.waitpid(child, 0)
    for thread in threads:
        thread.join()
    print(len(loaded))
"""
    assert torch is not None
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "runs"), fake_mlflow.uri],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    [run] = fake_mlflow.runs.values()

    assert "8\n" == done.stdout
    assert {(f"loss{number}", step) for number in range(4) for step in range(100)} == {
        (key, step) for key, step, _, _ in run["points"]
    }
    assert (400, "FINISHED") == (len(run["points"]), run["info"]["status"])
