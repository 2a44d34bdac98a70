"""Runs copied to MLflow's databases, from them, and between them."""

import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from attrs import asdict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle_tracking import open_runs, start_run
from treadle_tracking.copying import CopyIncomplete, SamePlace, copy_runs
from treadle_tracking.mirrors.mlflow import MLflowMirror

for _module in ("mlflow", "sqlalchemy", "alembic"):
    pytest.importorskip(_module, reason="needs the extra treadle-tracking[mlflow]")

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)
_OF_A_RUN = ("uid", "experiment", "name", "group", "status", "started", "ended", "tags", "damage")
_EXAMPLES = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A database that MLflow has made, which takes seconds; each test has copies."""
    path = tmp_path_factory.getbasetemp() / "mlflow-template.db"
    if not path.exists():
        MLflowMirror(f"sqlite:///{path}")._store.connect()
    return path


@pytest.fixture
def places(template, tmp_path, monkeypatch):
    """The current directory, with two databases and no runs."""
    monkeypatch.chdir(tmp_path)
    for folder in ("one", "two"):
        Path(folder).mkdir()
        shutil.copy(template, f"{folder}/mlflow.db")
    return tuple(f"mlflow:sqlite:///{tmp_path}/{folder}/mlflow.db" for folder in ("one", "two"))


def augment(image):
    return image


def recorded(target="tensorboard:runs", **given):
    """A run with something of every kind, and names that are hard to keep."""
    params = {"optim": {"lr": 1e-3, "betas": [0.9, 0.99]}, "n": 2**60 + 1, "clip": None, "on": True}
    given = {"experiment": "digits", "name": "a", "group": "g", "params": params} | given
    run = start_run(target, tags={"x": "1", "a@b": "größer"}, **given)
    for step in range(5):
        run.log({"loss": 1 / (step + 1), "odd": float("nan"), "lr@0": float("-inf")}, step=step)
    for step in (2, 3):
        run.image("val/samples", PNG, step=step)
        run.text("note", f"# größer {step}", step=step)
    run.histogram("w", [0.0, 1.0, 1.0], step=3)
    run.table("errors", [{"a": 1}], step=3)
    Path("weights.bin").write_bytes(b"weights")
    run.artifact("weights.bin", "model/weights@1.bin")
    run.function("augment", augment)
    run.tag({"x": "2"})
    return run


def everything(run):
    """All that a reader has of a run, to be compared."""
    return {
        **{name: getattr(run, name) for name in _OF_A_RUN},
        "params": repr(sorted(run.params.items())),
        "histories": {
            name: [(step, time, repr(value)) for step, time, value in points]
            for _, name, points in run.reader.histories([run])
        },
        "contents": {
            name: sorted(found.items() if isinstance(found, dict) else found)
            for name, found in asdict(run.contents).items()
        },
    }


def recordings(run):
    """What a run has of images, texts, histograms and tables, by what tells them apart."""
    found = {}
    for entry in run.reader.entries(run):
        if type(entry).__name__ in {"Image", "Text", "Histogram", "Table"}:
            fields = asdict(entry, recurse=False)
            del fields["wall_time"]  # MLflow has none for most
            found[type(entry).__name__, entry.name, entry.step] = fields
    return found


def files(run, folder):
    """The content of each artifact."""
    found = {}
    for number, path in enumerate(run.artifacts):
        file = folder / f"{run.name}-{number}"
        run.reader.download(run, path, file)
        found[path] = file.read_bytes()
        file.unlink()
    return found


def outcomes(*copies):
    return [one.outcome for copied in copies for one in copied]


def test_a_run_survives_the_way_through_two_databases(places, tmp_path):
    """Directory, MLflow, directory, another MLflow: it is the same run everywhere, and once."""
    one, two = places
    recorded().close("KILLED")
    way = ["tensorboard:runs", one, "tensorboard:back", two, "tensorboard:again"]

    first = [copy_runs(*step) for step in pairwise(way)]
    second = [copy_runs(*step) for step in pairwise(way)]
    third = copy_runs(one, two)

    runs = [open_runs(place)[0] for place in way]
    assert ["copied"] * 4 + ["there"] * 5 == outcomes(*first, *second, third)
    assert [()] * 9 == [one.problems for copied in (*first, *second, third) for one in copied]
    assert [1] * 5 == [len(open_runs(place)) for place in way]
    for run in runs[1:]:
        assert everything(runs[0]) == everything(run)
        assert recordings(runs[0]) == recordings(run)
        assert files(runs[0], tmp_path) == files(run, tmp_path)


def foreign(target):
    """A run as MLflow's own client writes it."""
    from mlflow import MlflowClient

    client = MlflowClient(target.removeprefix("mlflow:"))
    uri = (Path.cwd() / "files").as_uri()
    experiment = client.create_experiment("theirs", uri)
    run = client.create_run(experiment, run_name="grand ox", start_time=1_700_000_000_000)
    identity = run.info.run_id
    client.log_param(identity, "lr", "0.1")
    client.set_tag(identity, "kind", "theirs")
    client.set_tag(identity, "mlflow.note.content", "good")
    client.set_tag(identity, "mlflow.user", "somebody")
    client.set_tag(identity, "mlflow.source.git.commit", "c0ffee")
    client.log_metric(identity, "loss", 0.5, timestamp=1_700_000_001_000, step=1)
    client.log_metric(identity, "loss", float("inf"), timestamp=1_700_000_002_000, step=2)
    client.log_metric(identity, "early", 1.0, timestamp=1, step=0)
    client.log_text(identity, "hello", "notes/a b (c).txt")
    client.set_terminated(identity, "FAILED", end_time=1_700_000_003_000)
    return identity


def test_a_run_of_others_goes_and_comes_back_to_where_it_is(places, tmp_path):
    """Its uid is MLflow's id of it, so that it is known when it comes home; elsewhere it is one of ours."""
    one, two = places
    identity = foreign(one)

    copies = [
        copy_runs(*step)
        for step in [
            (one, "tensorboard:runs"),
            ("tensorboard:runs", one),
            ("tensorboard:runs", two),
            (two, one),
            (one, two),
            (two, "tensorboard:runs"),
        ]
    ]

    assert ["copied", "there", "copied", "there", "there", "there"] == outcomes(*copies)
    assert [()] * 6 == [copied[0].problems for copied in copies]
    assert [identity] * 6 == [copied[0].uid for copied in copies]
    assert [1, 1] == [len(open_runs(place)) for place in places]
    [home], [away], [run] = (open_runs(place) for place in (*places, "tensorboard:runs"))
    names = ("uid", "name", "experiment", "params", "tags", "metrics", "status", "started", "ended")
    assert [getattr(home, name) for name in names] == [getattr(run, name) for name in names]
    assert [getattr(home, name) for name in names] == [getattr(away, name) for name in names]
    assert files(home, tmp_path) == files(run, tmp_path) == files(away, tmp_path)


def test_a_run_of_others_is_not_added_to(places):
    """What its copy has recorded since cannot go back into it, and makes no second one: it is said."""
    one, _ = places
    identity = foreign(one)
    copy_runs(one, "tensorboard:runs")
    with start_run("tensorboard:runs", experiment="theirs", uid=identity, resume="must") as run:
        run.log({"loss": 0.25}, step=3)

    [copied] = copy_runs("tensorboard:runs", one)

    assert 1 == len(open_runs(one))
    assert (
        "there",
        (
            "it is another program's, and is left as it is; it lacks 1 point of the metric 'loss', its end",
        ),
    ) == (copied.outcome, copied.problems)


def test_a_run_that_goes_on_is_copied_as_it_is_by_now(places):
    """It is RUNNING in MLflow until a copy brings its end; an image alone is reason enough for another copy."""
    one, _ = places
    run = recorded()
    first = copy_runs("tensorboard:runs", one)
    same = copy_runs("tensorboard:runs", one)
    meanwhile = open_runs(one)[0].status
    run.image("val/samples", PNG, step=9)
    image = copy_runs("tensorboard:runs", one)
    run.log({"loss": 0.0}, step=9)
    run.close()
    last = copy_runs("tensorboard:runs", one)

    assert ["copied", "there", "completed", "completed"] == outcomes(first, same, image, last)
    assert "RUNNING" == meanwhile
    assert everything(open_runs("tensorboard:runs")[0]) == everything(open_runs(one)[0])


@pytest.mark.slow
def test_an_attempt_that_was_taken_back_is_taken_back_everywhere(places):
    """From a directory by a rule in a tag, from MLflow by making the run anew."""
    one, two = places
    recorded(uid="u").close()
    copy_runs("tensorboard:runs", one)
    copy_runs(one, two)
    with start_run("tensorboard:runs", experiment="digits", uid="u", resume="must") as run:
        run.rewind(2)
        run.log({"loss": 9.0}, step=2)
        again = [copy_runs("tensorboard:runs", one), copy_runs(one, two)]
        statuses = [open_runs(place)[0].status for place in places]
    last = [copy_runs("tensorboard:runs", one), copy_runs(one, two), copy_runs(one, two)]

    [run] = open_runs("tensorboard:runs")
    assert ["completed"] * 4 + ["there"] == outcomes(*again, *last)
    assert ["RUNNING", "RUNNING"] == statuses
    for place in places:
        [there] = open_runs(place)
        assert everything(run)["histories"] == everything(there)["histories"]
        assert ("FINISHED", run.ended) == (there.status, there.ended)


@pytest.mark.slow
def test_a_run_that_goes_on_again_is_running_again(places):
    """Where nothing was taken back, the run there is added to, and has its end when there is one."""
    one, two = places
    recorded(uid="u").close()
    copy_runs("tensorboard:runs", one)
    copy_runs(one, two)
    ids = [open_runs(place)[0].identity for place in places]
    with start_run("tensorboard:runs", experiment="digits", uid="u", resume="must") as run:
        run.log({"loss": 9.0}, step=9)
        copy_runs("tensorboard:runs", one)
        copy_runs(one, two)
        statuses = [open_runs(place)[0].status for place in places]
    last = [copy_runs("tensorboard:runs", one), copy_runs(one, two)]

    assert ["RUNNING", "RUNNING"] == statuses
    assert ["completed", "completed"] == outcomes(*last)
    assert ids == [open_runs(place)[0].identity for place in places]
    assert ["FINISHED", "FINISHED"] == [open_runs(place)[0].status for place in places]


FOREIGN = Path(__file__).parent / "foreign"


@pytest.mark.slow
@pytest.mark.skipif(not FOREIGN.is_dir(), reason="needs the files of others in tests/foreign")
def test_directories_of_others_are_copied(places):
    """What TensorBoard's other writers have left becomes runs like all, here and in MLflow, each once."""
    one, _ = places
    shutil.copytree(FOREIGN, "theirs")

    first = [copy_runs("tensorboard:theirs", place) for place in ("tensorboard:runs", one)]
    second = [copy_runs("tensorboard:theirs", place) for place in ("tensorboard:runs", one)]
    third = copy_runs("tensorboard:runs", one)

    theirs = open_runs("tensorboard:theirs")
    assert {"copied"} == set(outcomes(*first))
    assert {"there"} == set(outcomes(*second, third))
    assert len(theirs) > 0
    for place in ("tensorboard:runs", one):
        runs = open_runs(place)
        assert len(theirs) == len(runs)
        for run in theirs:
            copy = everything(runs[run.uid])
            assert {**everything(run), "status": copy["status"]} == copy
            assert recordings(run) == recordings(runs[run.uid])


def test_a_run_of_another_name_there_is_completed_where_it_is(places):
    """`experiment` is for new runs: what is there is found by its uid, in whatever experiment."""
    one, _ = places
    run = recorded()
    first = copy_runs("tensorboard:runs", one, experiment="all")
    run.log({"loss": 0.0}, step=9)
    run.close()
    second = copy_runs("tensorboard:runs", one)

    assert ["copied", "completed"] == outcomes(first, second)
    assert ["all", "all"] == [copied[0].experiment for copied in (first, second)]
    assert ["all"] == [run.experiment for run in open_runs(one)]


def test_the_same_database_is_an_error(places):
    """By whatever path it is named."""
    one, _ = places
    recorded(["tensorboard:runs", one]).close()
    Path("link.db").symlink_to("one/mlflow.db")
    with pytest.raises(SamePlace):
        copy_runs(one, "mlflow:sqlite:///link.db")
    with pytest.raises(SamePlace):
        copy_runs(one, "mlflow:sqlite:///two/../one/mlflow.db")


def test_a_run_that_was_mirrored_is_there(places):
    """A copy to where a run was sent as it was recorded adds nothing."""
    one, _ = places
    recorded(["tensorboard:runs", one]).close()

    copied = copy_runs("tensorboard:runs", one)

    assert ["there"] == outcomes(copied)


def test_a_run_that_was_deleted_there_is_named(places):
    """MLflow's bin is not looked into: nothing is made beside it."""
    from mlflow import MlflowClient

    one, _ = places
    for name in "ab":
        recorded(name=name, uid=f"u{name}").close()
    [copied, _] = copy_runs("tensorboard:runs", one)
    MlflowClient(one.removeprefix("mlflow:")).delete_run(copied.identity)

    with pytest.raises(CopyIncomplete) as caught:
        copy_runs("tensorboard:runs", one)

    assert ["ub"] == [copied.uid for copied in caught.value.copied]
    assert "the run 'a' is deleted at mlflow:sqlite:///" in caught.value.failures["ua"]


@pytest.mark.slow
def test_a_database_that_is_not_there_is_made(tmp_path, monkeypatch):
    """A target may be new; a source may not."""
    monkeypatch.chdir(tmp_path)
    recorded().close()

    copied = copy_runs("tensorboard:runs", "mlflow:sqlite:///new/mlflow.db")

    assert ["copied"] == outcomes(copied)
    assert everything(open_runs("tensorboard:runs")[0]) == everything(
        open_runs("mlflow:sqlite:///new/mlflow.db")[0]
    )


_ODD = st.sampled_from(["lr@0", "a//b", "x" * 300, "_x0040_", "größe", ".."])
_NAMES = _ODD | st.text(
    st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=8
)
_KEYS = st.text("abcé/@[]-_ 1", min_size=1, max_size=8)  # a dot in a parameter's would nest it
# The greatest double is what MLflow's databases make of infinity.
_VALUES = st.floats().filter(lambda value: abs(value) != sys.float_info.max)


@pytest.mark.slow
@settings(max_examples=20, **_EXAMPLES)
@given(
    metrics=st.dictionaries(
        _NAMES,
        st.lists(st.tuples(st.integers(-5, 2**40), _VALUES), min_size=1, max_size=4),
        max_size=3,
    ),
    params=st.dictionaries(
        _KEYS,
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _NAMES,
        max_size=3,
    ),
    tags=st.dictionaries(_KEYS, _NAMES, max_size=3),
    texts=st.dictionaries(_NAMES, _NAMES, max_size=2),
    name=_NAMES,
    status=st.sampled_from(["FINISHED", "FAILED", "KILLED"]),
)
def test_random_runs_survive_the_way_through_two_databases(
    template, tmp_path_factory, metrics, params, tags, texts, name, status
):
    """Whatever a run has of numbers, parameters, tags and texts is what it was, after two databases and two directories."""
    base = template.parent / "mlflow-random"
    if not base.exists():
        for folder in ("one", "two"):
            (base / folder).mkdir(parents=True)
            shutil.copy(template, base / folder / "mlflow.db")
    places = [f"mlflow:sqlite:///{base / folder / 'mlflow.db'}" for folder in ("one", "two")]
    root = tmp_path_factory.mktemp("runs")
    source, back = f"tensorboard:{root}/runs", f"tensorboard:{root}/back"
    run = start_run(source, name=name, params=params, tags=tags)
    for metric, points in metrics.items():
        for step, value in points:
            run.log({metric: value + 0.0}, step=step)  # MLflow has no -0.0
    for number, (text_name, text) in enumerate(texts.items()):
        run.text(text_name, text, step=number)
    run.close(status)
    copies = [
        copy_runs(source, places[0]),
        copy_runs(_only(places[0], run.uid), places[1]),
        copy_runs(_only(places[1], run.uid), back),
        copy_runs(source, places[0]),
        copy_runs(source, places[1]),
        copy_runs(back, places[0]),
    ]

    [before], [after] = open_runs(source), open_runs(back)
    assert ["copied"] * 3 + ["there"] * 3 == outcomes(*copies)
    assert everything(before) == everything(after)


def _only(place, uid):
    """The one run of a place that is asked for, as a source."""
    runs = open_runs(place)
    [index] = [number for number, run in enumerate(runs) if run.uid == uid]
    return runs[index : index + 1]


_COPYING = "import sys; from treadle_tracking.copying import copy_runs; copy_runs(*sys.argv[1:])"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_copy_that_is_killed_again_and_again_is_finished_by_the_next(places):
    """Wherever it stopped, one run is there, and every point once."""
    one, _ = places
    for number in range(4):
        with recorded(uid=f"u{number}") as run:
            for step in range(2000):
                run.log({"many": step / 7}, step=step)
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", _COPYING, "tensorboard:runs", places[1]], check=True)
    whole = time.monotonic() - began
    killed = 0
    for part in (0.4, 0.55, 0.7, 0.85):
        copying = subprocess.Popen([sys.executable, "-c", _COPYING, "tensorboard:runs", one])
        try:
            copying.wait(part * whole)
        except subprocess.TimeoutExpired:
            copying.send_signal(signal.SIGKILL)
            killed += copying.wait() != 0
    copy_runs("tensorboard:runs", one)

    source, there = open_runs("tensorboard:runs"), open_runs(one)
    assert killed > 0
    assert 4 == len(there)
    assert [everything(run) for run in source] == [everything(there[run.uid]) for run in source]
    assert ["there"] * 4 == outcomes(copy_runs("tensorboard:runs", one))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_processes_copy_at_once(places):
    """Each run is there once, with every point once."""
    one, _ = places
    for number in range(5):
        recorded(uid=f"u{number}").close()
    both = [
        subprocess.Popen([sys.executable, "-c", _COPYING, "tensorboard:runs", one])
        for _ in range(2)
    ]
    codes = [copying.wait() for copying in both]

    source, there = open_runs("tensorboard:runs"), open_runs(one)
    assert [0, 0] == codes
    assert 5 == len(there)
    assert [everything(run) for run in source] == [everything(there[run.uid]) for run in source]
