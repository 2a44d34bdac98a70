"""Five runs in directories and in MLflow: whatever is asked of them, both places give the same answer."""

import json
import math
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from treadle_tracking import open_runs, start_run, sync
from treadle_tracking.searching import parse

for _module in ("mlflow", "sqlalchemy", "alembic"):
    pytest.importorskip(_module, reason="needs the extra treadle-tracking[mlflow]")
pd = pytest.importorskip("pandas", reason="needs the extra treadle-tracking[frames]")

pytestmark = pytest.mark.timeout(300)

LONG = "layer/" * 60 + "grad"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)
# Where a store answers a part of the filter, and where it does not; each finds some of the five and not all.
FILTERS = [
    "status = 'FINISHED'",
    "status != 'FINISHED' and name != 'left open'",
    "status in ('FAILED', 'KILLED')",
    "experiment = 'digits' and group = 'seeds [1]'",
    "experiment in ('letters', 'none') or name like 'went%'",
    "name = 'größer / 2'",
    "name like '%open' and ended is null",
    "params.optim.lr > 1e-3",
    "params.optim.lr > 1e-3 or metrics.val_loss < 0.2",
    "params.optim.lr = '0.001'",
    "params.clip is null and params.n is not null",
    "params.n = 1152921504606846977",
    "params.layers like '[64%' and not params.n = 2",
    "params['odd @ name'] = 'x'",
    "tags.note = 'it''s fine'",
    "tags.note is null",
    "tags['mlflow.note.content'] ilike '%LOOK%'",
    "tags.outcome like '_ood'",
    "metrics.val_loss <= 0.25",
    "metrics.val_loss.min < 0.11 and metrics.val_loss.max > 1",
    "metrics.val_loss is nan",
    "metrics['lr@0'] > 1e300",
    "metrics.up = inf or metrics.up = -inf",
    "metrics.only is not null",
    f"metrics['{LONG}'] between 0.2 and 0.3",
    "duration >= 0 and started > '2020-01-01' and ended < 4e12 and not metrics.only > 0",
]
ORDERS = [
    None,
    "name desc",
    "metrics.val_loss",
    "metrics.val_loss.max desc, name",
    "params.optim.lr desc, params.mixed",
    ["params.mixed desc", "uid"],
    "tags.outcome, started desc",
    "duration desc",
]


def scale(image):
    """A function to record."""
    return image


def _write(targets):
    """Write four runs that have ended, and start a fifth; the fifth, which goes on."""
    params = {"optim": {"name": "adam", "lr": 1e-3}, "amp": True, "clip": None, "mixed": 1}
    with start_run(
        targets,
        experiment="digits",
        name="größer / 2",
        uid="a1",
        group="seeds [1]",
        params={**params, "n": 2**60 + 1, "layers": [64, 0.5, "x", None], "empty": {}},
        tags={"note": "it's fine", "outcome": "good", "mlflow.note.content": "Look"},
    ) as run:
        for step in range(-1, 40):
            run.log(
                {"val_loss": 1 / (step + 2), "lr@0": 1e301, LONG: 0.1234567890123456}, step=step
            )
        run.log({LONG: 0.25, "up": math.inf, "val_loss": 0.25}, step=40)
        run.log({"val_loss": 0.25, "tiny": 5e-324}, step=40)
        run.image("samples", PNG, step=3)
        run.text("summary", "# Fine", step=3)
        run.histogram("weights", [1.0, 2.0], step=3)
        run.table("errors", [{"a": 1}], step=3)
        run.function("scale", scale)
        run.json("best", {"a": 1})
    with (
        suppress(ZeroDivisionError),
        start_run(
            targets,
            experiment="digits",
            name="failed",
            uid="a2",
            params={
                **params,
                "optim": {"name": "sgd", "lr": 1},
                "amp": False,
                "mixed": "1",
                "n": 2,
            },
            tags={"outcome": "bad"},
        ) as run,
    ):
        run.log({"val_loss": 0.5, "up": -math.inf}, step=2**62)
        run.log({"val_loss": math.nan}, step=2**62 + 1)
        raise ZeroDivisionError
    with start_run(targets, experiment="digits", name="went back", uid="a3", params=params) as run:
        for step in range(10):
            run.log({"val_loss": 2.0 - step / 10} | ({"only": 1.0} if step > 5 else {}), step=step)
    with start_run(
        targets,
        experiment="digits",
        uid="a3",
        resume="must",
        params={"optim": {"lr": 0.01}, "layers": [64]},
        tags={"outcome": "good"},
    ) as run:
        run.log({"val_loss": 0.125}, step=4)
    run = start_run(
        targets,
        experiment="letters",
        name="killed",
        uid="a4",
        params={"optim": {"lr": 1e-2}, "odd @ name": "x", "mixed": None, "layers": [], "n": 2.5},
    )
    run.log({"val_loss": 0.1, "only": 0.0}, step=1)
    run.log({"val_loss": 1.1, "only": math.nan}, step=1)
    run.close("KILLED")
    run = start_run(targets, experiment="letters", name="left open", uid="a5", tags={"note": " "})
    run.log({"val_loss": 3.0}, step=1)
    run.tag({"outcome": "unknown"})
    return run


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The target of an `mlflow server` on loopback."""
    pytest.importorskip("flask", reason="needs the extra treadle-tracking[mlflow-ui]")
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
    try:
        for _ in range(240):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                    break
            except OSError:
                assert process.poll() is None, (folder / "server.log").read_text()
                time.sleep(0.5)
        yield f"mlflow:http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module", params=["database", pytest.param("server", marks=pytest.mark.slow)])
def targets(request, tmp_path_factory):
    """A directory and an MLflow, with the five runs in both."""
    folder = tmp_path_factory.mktemp("both")
    if request.param == "server":
        there = request.getfixturevalue("server")
    else:
        there = f"mlflow:sqlite:///{folder / 'mlflow.db'}"
    here = f"tensorboard:{folder / 'runs'}"
    before = Path.cwd()
    os.chdir(folder)
    run = _write([here, there])
    try:
        sync(run.directory)
        yield here, there
    finally:
        run.close()
        os.chdir(before)


def _opened(targets):
    with ExitStack() as stack:
        places = [open_runs(target) for target in targets]
        for runs in places:
            stack.callback(runs.close)
        yield places


@pytest.fixture(scope="module")
def both(targets):
    """The runs of both, of which all are read."""
    for places in _opened(targets):
        assert [5, 5] == [len(runs) for runs in places]
        yield places


@pytest.fixture
def unread(targets):
    """The same, of which a search reads only what the place does not leave out."""
    yield from _opened(targets)


def uids(runs):
    return [run.uid for run in runs]


def test_the_five_runs_are_in_both(both):
    """Both places have the five, in the order of their start, each as it ended."""
    expected = ["a1", "a2", "a3", "a4", "a5"]
    statuses = ["FINISHED", "FAILED", "FINISHED", "KILLED", "RUNNING"]

    assert [(expected, statuses)] * 2 == [
        (uids(runs), [run.status for run in runs]) for runs in both
    ]


def test_frames_are_the_same(both):
    """The tables of runs have the same columns, types and values."""
    here, there = (runs.dataframe() for runs in both)

    pd.testing.assert_frame_equal(here, there, check_exact=True)
    assert (5, "Float64") == (len(here), str(here["metrics.val_loss"].dtype))


def test_histories_are_the_same(both):
    """So have the tables of points: of every metric, and of one, with nothing of what was taken back."""
    for names in ((), ("val_loss",), (LONG, "only")):
        here, there = (runs.history(*names) for runs in both)

        pd.testing.assert_frame_equal(here, there, check_exact=True)
    assert 40 < len(both[0].history("val_loss"))
    assert not (both[1].history("only")["uid"] == "a3").any()


@pytest.mark.parametrize("wanted", FILTERS)
def test_searches_are_the_same(both, unread, wanted):
    """A filter finds the same runs, whether the place is asked for all of them or for some."""
    matches = parse(wanted).matches
    one_by_one = [uids(run for run in runs if matches(run, ranges(run))) for runs in both]
    searched = [uids(runs.search(wanted)) for runs in (*both, *unread)]

    assert [one_by_one[0]] * 6 == [*one_by_one, *searched]
    assert 0 < len(one_by_one[0]) < 5
    # A place that can leave runs out is asked for some of them wherever a filter says of which.
    asked = "not read yet" if parse(wanted).conditions else "5 runs"
    assert ["5 runs", asked] == [repr(runs).rpartition(": ")[2][:-1] for runs in unread]


def ranges(run):
    return {name: points.extremes for _, name, points in run.reader.histories([run])}


@pytest.mark.parametrize("order_by", ORDERS)
@pytest.mark.parametrize("limit", [None, 3])
def test_orders_are_the_same(both, order_by, limit):
    """An order gives the same runs in the same order, cut off at the same place."""
    here, there = (uids(runs.search("", order_by=order_by, limit=limit)) for runs in both)

    assert here == there
    assert (limit or 5) == len(here)


def test_comparisons_are_the_same(both):
    """Runs compared with each other differ in the same values; a run and its mirror differ in nothing."""
    here, there = (runs.compare() for runs in both)
    pairs = [one.compare(mine, theirs) for one in both for mine, theirs in zip(*both, strict=True)]

    assert (here.text(200), here.config_diff()) == (there.text(200), there.config_diff())
    pd.testing.assert_frame_equal(here.dataframe(), there.dataframe())
    assert [True] * 10 == [pair.is_same for pair in pairs]
    assert [here.functions().keys()] == [there.functions().keys()]


def test_json_is_the_same(both):
    """Parameters are the same in JSON, to the byte, and so is what is known of a run beside where it is."""
    here, there = both
    where = {"target", "identity", "directory", "url"}
    known = [
        json.dumps(
            [
                {name: value for name, value in run.items() if name not in where}
                for run in runs.json(contents=True)
            ],
            sort_keys=True,
        )
        for runs in both
    ]

    assert json.dumps(here.params_json()) == json.dumps(there.params_json())
    assert known[0] == known[1]
