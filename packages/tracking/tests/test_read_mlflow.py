"""Runs read from MLflow's databases: those of this package as they were recorded, those of others as they are there."""

import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from treadle_tracking import open_runs, start_run, sync
from treadle_tracking.entries import (
    Artifact,
    Ended,
    Params,
    Rewound,
    Scalars,
    Started,
    Tags,
    Text,
)
from treadle_tracking.errors import MissingExtra, UnknownMetric, UnsupportedParam
from treadle_tracking.mirrors.errors import FileStoreRefused
from treadle_tracking.mirrors.mlflow import MLflowMirror
from treadle_tracking.params import plain_params
from treadle_tracking.reading.condition import Condition
from treadle_tracking.reading.errors import DatabaseUnreadable, SchemaDiffers, UnknownArtifact
from treadle_tracking.reading.inference import inferred
from treadle_tracking.reading.mlflow import MLflowReader

for _module in ("mlflow", "sqlalchemy", "alembic"):
    pytest.importorskip(_module, reason="needs the extra treadle-tracking[mlflow]")

STARTED = Started(wall_time=1000.25, uid="u", experiment="digits", name="baseline", group="seeds")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A database that MLflow has made, which takes seconds; each test has a copy."""
    path = tmp_path_factory.getbasetemp() / "mlflow-template.db"
    if not path.exists():
        MLflowMirror(f"sqlite:///{path}")._store.connect()
    return path


@pytest.fixture
def database(template, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(template, tmp_path / "mlflow.db"))


@pytest.fixture
def client(database):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{database}")


@pytest.fixture
def experiment(client, tmp_path):
    """An experiment that MLflow's client has made."""
    return client.create_experiment("theirs", (tmp_path / "files").as_uri())


@pytest.fixture
def send(database, tmp_path):
    """A function that sends entries as a fresh process would."""

    def _send(*entries, started=STARTED):
        directory = tmp_path / "runs" / "digits" / "baseline"
        directory.mkdir(parents=True, exist_ok=True)
        mirror = MLflowMirror(f"sqlite:///{database}")
        mirror.open(started, directory)
        mirror.send(entries)
        mirror.close()
        return mirror.identity

    return _send


def opened(database, **options):
    return open_runs(f"mlflow:sqlite:///{database}", **options)


def both(root, database):
    """The same runs from their directories and from MLflow."""
    return open_runs(f"tensorboard:{root}"), opened(database)


def shown(run):
    """What a run comes to, wherever it is read: by `repr`, which tells 1 from 1.0 and knows one NaN."""
    contents = run.contents
    histories = {name: list(points) for _, name, points in run.reader.histories([run])}
    return repr(
        (
            (run.uid, run.experiment, run.name, run.group, run.status, run.started, run.ended),
            run.params,
            sorted(run.tags.items()),
            sorted(run.metrics.items()),
            sorted(histories.items()),
            [
                sorted(names)
                for names in (
                    contents.artifacts,
                    contents.images,
                    contents.texts,
                    contents.histograms,
                    contents.tables,
                )
            ],
            sorted(contents.functions.items()),
        )
    )


def augment(image):
    """A function to record."""
    return image


def png():
    return bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
        "0000000049454e44ae426082"
    )


def test_a_run_is_the_same_in_its_directory_and_in_mlflow(database, tmp_path):
    """Everything that a run records reads alike from both, also under names that MLflow refuses or cuts."""
    long = "x/" * 170 + "y"
    with start_run(
        ["tensorboard:runs", f"mlflow:sqlite:///{database}"],
        experiment="e" * 300,
        name=long,
        group="g@[1]",
        params={
            "lr": 1e-3,
            "model": {"depth": 3, "act": None},
            "n": 2**60 + 1,
            "b": [True, math.inf],
        },
        tags={"@t": "1", "mlflow.runName": "mine", "mlflow.user": "ann", long: "2"},
    ) as run:
        for step in range(3):
            run.log({"loss": 1 / (step + 1), "lr@0": 1e300, long: math.nan}, step=step)
        run.log({"up": math.inf, "down": -math.inf, "loss": -5.0}, step=-1)
        run.image(f"val/{long}", png(), step=2)
        run.image("a~b", png(), step=2)
        run.text("notes.md/größe", "# größer", step=1)
        run.text(long, "", step=-1)
        run.histogram("w.svg", [1.0, 2.0, 3.0], step=2)
        run.table("errors", [{"a": 1}], step=3)
        run.table("errors", [{"a": 1}])
        run.table("per/class", [{"a": 1}])
        run.function("augment@1", augment)
        run.json("texts/vocab", {"a": 1})
        run.json("params", {"a": 1})
        run.json("images", {"a": 1})
    (here,), (there,) = both(tmp_path / "runs", database)

    assert shown(here) == shown(there)
    assert 14 == sum(
        len(names)
        for names in (there.artifacts, there.images, there.texts, there.tables, there.functions)
    )


def test_a_run_that_went_back_is_the_same_in_both(database, tmp_path):
    """Points that a resumed run has abandoned are read from neither, and its metrics are the last of what was kept."""
    targets = ["tensorboard:runs", f"mlflow:sqlite:///{database}"]
    with start_run(targets, experiment="e", name="n", uid="u") as run:
        for step in range(10):
            run.log({"loss": 10.0 - step, "only": 1.0} if step > 5 else {"loss": 20.0}, step=step)
    with start_run(targets, experiment="e", uid="u", resume="must") as run:
        run.log({"loss": 0.5}, step=4)
    (here,), (there,) = both(tmp_path / "runs", database)

    assert shown(here) == shown(there)
    assert {"loss": 0.5} == there.metrics
    with pytest.raises(UnknownMetric):
        there.history("only")


_letters = st.characters(codec="utf-8", exclude_characters="\0")
_names = st.text(_letters, min_size=1, max_size=8) | st.sampled_from(
    ["x" * 300, "/" * 300, "a/../b", "..", "lr@0", "a.md", "a.md/b", "_x0040_", "é" * 300, "A", "a"]
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(_letters, max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_names, inner, max_size=2),
    max_leaves=4,
)
_steps = st.integers(-2, 8)
# MLflow has one zero, and the largest double is its infinity.
_doubles = (
    st.floats()
    .map(lambda value: value + 0.0)
    .filter(lambda value: abs(value) != 1.7976931348623157e308)
)
_calls = st.one_of(
    st.tuples(st.just("log"), st.dictionaries(_names, _doubles, min_size=1, max_size=2), _steps),
    st.tuples(st.just("tag"), st.dictionaries(_names, st.text(_letters, max_size=5), max_size=2)),
    st.tuples(st.just("image"), _names, st.just(png()), _steps),
)
# Of these, MLflow has no times, so that they stay where an attempt is abandoned.
_lasting = st.one_of(
    st.tuples(st.just("text"), _names, st.text(_letters, max_size=5), st.just(-3)),
    st.tuples(st.just("histogram"), _names, st.lists(st.floats(0, 1), max_size=3), st.just(-3)),
    st.tuples(st.just("table"), st.sampled_from(["t", "t/3", "x" * 300, "@"]), st.just([{"a": 1}])),
    st.tuples(st.just("function"), st.sampled_from(["f", "x" * 300, "@"]), st.just(augment)),
    st.tuples(st.just("json"), st.sampled_from(["j", "texts/a", "#1", "images/x"]), st.just({})),
)


def _record(run, calls):
    for name, *arguments in calls:
        has_step = name in {"log", "image", "text", "histogram"}
        given_values = arguments[:-1] if has_step else arguments
        getattr(run, name)(*given_values, **({"step": arguments[-1]} if has_step else {}))


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    names=st.tuples(_names, _names, st.none() | _names),
    params=st.dictionaries(_names, _values, max_size=3),
    first=st.lists(_calls | _lasting, max_size=8),
    second=st.lists(_calls, max_size=5),
)
def test_any_run_is_the_same_in_its_directory_and_in_mlflow(
    template, tmp_path_factory, names, params, first, second
):
    """Whatever a run records, and went back from after it was sent, reads alike from both."""
    try:
        plain_params(params)
    except UnsupportedParam:
        assume(False)
    experiment, name, group = names
    folder = tmp_path_factory.mktemp("any")
    shutil.copy(template, folder / "mlflow.db")
    root, mlflow = f"tensorboard:{folder / 'runs'}", f"mlflow:sqlite:///{folder / 'mlflow.db'}"
    with start_run(
        root, experiment=experiment, name=name, uid="u", group=group, params=params
    ) as run:
        _record(run, first)
    sync(run.directory, to=mlflow)
    if second:
        with start_run(root, experiment=experiment, uid="u", resume="must") as run:
            _record(run, second)
        sync(run.directory)
    (here,), (there,) = open_runs(root), open_runs(mlflow)

    assert shown(here) == shown(there)


def test_entries_make_the_run_again(send, database):
    """What a copy is made of comes in the order of time, with the values of one step and time together."""
    identity = send(
        STARTED,
        Params(wall_time=1000.5, values={"lr": {"a": 0.1}}),
        Tags(wall_time=1000.5, values={"@": "1"}),
        Scalars(wall_time=1001.0, step=1, values={"a": 1.0, "b": 2.0}),
        Scalars(wall_time=1001.0, step=1, values={"a": 1.5}),
        Scalars(wall_time=1003.0, step=2, values={"a": 3.0}),
        Text(wall_time=1001.5, step=1, name="note", text="hello"),
        Ended(wall_time=1004.0, status="FAILED"),
    )
    [run] = opened(database)

    assert identity == run.identity
    assert [
        STARTED,
        Params(wall_time=1000.25, values={"lr": {"a": 0.1}}),
        Tags(wall_time=1000.25, values={"@": "1"}),
        Scalars(wall_time=1001.0, step=1, values={"a": 1.0, "b": 2.0}),
        Scalars(wall_time=1001.0, step=1, values={"a": 1.5}),
        Text(wall_time=1001.0, step=1, name="note", text="hello"),
        Scalars(wall_time=1003.0, step=2, values={"a": 3.0}),
        Ended(wall_time=1004.0, status="FAILED"),
    ] == list(run.reader.entries(run))


def test_a_resumed_run_has_not_ended(send, database):
    """A run that goes on is running, though MLflow still has when it ended before."""
    send(
        Ended(wall_time=1001.0, status="FAILED"),
        evolve(STARTED, attempt=1, wall_time=1002.0),
        Rewound(wall_time=1002.0, began=1002.0, step=0),
    )
    [run] = opened(database)

    assert ("RUNNING", None) == (run.status, run.ended)


def test_exact_parameters_that_are_damaged_are_read_as_far_as_they_can(send, client, database):
    """Where the tags are not whole the file has them, and where there is none the texts; the run says so."""
    directory = Path("runs/digits/baseline").absolute()
    directory.mkdir(parents=True)
    (directory / "params.json").write_text('{"lr": 0.5}')
    identity = send(Params(wall_time=1001.0, values={"lr": 0.5}))
    client.set_tag(identity, "treadle.params.0", "{}")
    [from_file] = opened(database)
    for file in Path("mlartifacts").rglob("params.json"):
        file.unlink()
    [from_texts] = opened(database)
    [inferred_types] = opened(database, infer_types=True)

    problem = "the tags treadle.params of the exact parameters are missing, or not whole"
    assert {"lr": 0.5} == from_file.params
    assert f"{problem}; they are read from the run's params.json" == from_file.damage
    assert {"lr": "0.5"} == from_texts.params
    assert (
        f"{problem}, and there is no params.json: they are read as the texts that MLflow shows"
        == from_texts.damage
    )
    assert {"lr": 0.5} == inferred_types.params


def test_a_run_of_others_is_read_as_mlflow_has_it(client, experiment, database):
    """Its uid is MLflow's, its parameters are texts by flat names, and what MLflow notes of it is among its tags."""
    parent = client.create_run(experiment, start_time=4000, run_name="parent")
    child = client.create_run(
        experiment,
        start_time=5000,
        run_name="child",
        tags={
            "mlflow.parentRunId": parent.info.run_id,
            "mlflow.source.name": "train.py",
            "mlflow.user": "ann",
            "mlflow.note.content": "a note",
            "mine": "1",
        },
    )
    identity = child.info.run_id
    for name, text in {
        "optim.lr": "0.001",
        "a_x0040_": "True",
        "zip": "012",
        "k": "x" * 300,
    }.items():
        client.log_param(identity, name, text)
    client.log_metric(identity, "loss", 1.0, timestamp=6000)
    client.log_metric(identity, "loss", 2.0, timestamp=6000)
    client.log_metric(identity, "loss", math.nan, timestamp=7000, step=3)
    first, second = opened(database)
    typed = opened(database, infer_types=True)["child"]

    assert ("parent", "RUNNING", None, {}) == (
        first.name,
        first.status,
        first.parent,
        first.metrics,
    )
    assert (identity, identity, "theirs", "child", None, 5.0, None, parent.info.run_id) == (
        second.uid,
        second.identity,
        second.experiment,
        second.name,
        second.group,
        second.started,
        second.ended,
        second.parent,
    )
    texts = {"optim.lr": "0.001", "a_x0040_": "True", "zip": "012", "k": "x" * 300}
    assert texts == second.params
    assert {**texts, "optim.lr": 0.001, "a_x0040_": True} == typed.params
    assert {
        "mlflow.source.name": "train.py",
        "mlflow.user": "ann",
        "mlflow.note.content": "a note",
        "mine": "1",
    } == second.tags
    assert ["loss"] == list(second.metrics)
    assert [(0, 6000, 1.0), (0, 6000, 2.0)] == list(second.points("loss"))[:2]
    assert second.url is None


def test_files_of_others_are_what_mlflow_shows_them_as(client, experiment, database):
    """Images of the step slider are images, tables are tables, and everything else is an artifact."""
    identity = client.create_run(experiment, run_name="n").info.run_id
    image = pytest.importorskip("PIL.Image", reason="needs the extra treadle-tracking[images]")
    client.log_image(
        identity, image.new("RGB", (4, 2)), key="val/a b", step=3, timestamp=9000, synchronous=True
    )
    client.log_image(identity, image.new("RGB", (4, 2)), "images/plain.png")
    # As `log_table` does, less pandas, of which it uses what pandas warns of.
    client.log_dict(identity, {"columns": ["a", "b"], "data": [[1, "x"]]}, "tables/errors.json")
    tables = [{"path": "tables/errors.json", "type": "table"}]
    client.set_tag(identity, "mlflow.loggedArtifacts", json.dumps(tables))
    client.log_dict(identity, {"a": 1}, "deep/er/c%d.json")
    client.log_text(identity, "no text of ours", "texts/a/1.md")
    [run] = opened(database)
    entries = list(run.reader.entries(run))
    [found] = [entry for entry in entries if type(entry).__name__ == "Image"]
    [table] = [entry for entry in entries if type(entry).__name__ == "Table"]

    assert ("deep/er/c%d.json", "images/plain.png", "tables/errors.json", "texts/a/1.md") == (
        run.artifacts
    )
    assert (("val/a b",), ("tables/errors",), ()) == (run.images, run.tables, run.texts)
    assert ("val/a b", 3, 9.0, 4, 2) == (
        found.name,
        found.step,
        found.wall_time,
        found.width,
        found.height,
    )
    assert ("tables/errors", "tables/errors.json", "| a | b |\n| --- | --- |\n| 1 | x |") == (
        table.name,
        table.path,
        table.preview,
    )
    run.reader.download(run, "deep/er/c%d.json", Path("brought"))
    assert {"a": 1} == json.loads(Path("brought").read_text())


def test_what_is_deleted_is_left_out(client, experiment, database):
    """Neither a deleted run nor a run of a deleted experiment is read."""
    kept, gone = (client.create_run(experiment).info.run_id for _ in range(2))
    other = client.create_experiment("gone")
    client.create_run(other)
    client.delete_run(gone)
    client.delete_experiment(other)

    assert [kept] == [run.identity for run in opened(database)]


def test_runs_are_read_page_by_page(client, experiment, database, monkeypatch):
    """Of more runs and experiments than a page holds, each is there once."""
    import treadle_tracking.reading.mlflow_client as module

    monkeypatch.setattr(module, "_PAGE", 3)
    others = [client.create_experiment(f"e{number}") for number in range(7)]
    made = {client.create_run(one, start_time=1).info.run_id for one in [experiment, *others] * 2}
    found = [run.identity for run in MLflowReader(f"sqlite:///{database}").runs()]

    assert (16, made) == (len(found), set(found))


def test_histories_of_many_runs_and_metrics(client, experiment, database, monkeypatch):
    """However many runs are asked for at once, each history is whole and its own."""
    import treadle_tracking.reading.mlflow_client as module

    monkeypatch.setattr(module, "_RUNS_AT_ONCE", 2)
    from mlflow.entities import Metric

    for number in range(5):
        run = client.create_run(experiment, run_name=str(number)).info.run_id
        points = [Metric("loss", number + step / 8, step, step) for step in range(number)]
        client.log_batch(run, metrics=[*points, Metric("x", 1.0, 0, 2**62)])
    runs = opened(database).records
    found = {
        (run.name, name): list(points) for run, name, points in runs[0].reader.histories(runs, None)
    }

    assert {
        **{(str(number), "x"): [(2**62, 0, 1.0)] for number in range(5)},
        **{
            (str(number), "loss"): [(step, step, number + step / 8) for step in range(number)]
            for number in range(1, 5)
        },
    } == found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("1", 1), ("-1", -1), ("0.1", 0.1), ("1e-05", 1e-05), ("inf", math.inf)),
        *(("True", True), ("False", False), ("None", None), ("1.0", 1.0), ("1e+16", 1e16)),
        *(("", ""), ("01", "01"), ("1_0", "1_0"), (" 1", " 1"), ("0.10", "0.10"), ("1e5", "1e5")),
        *(("true", "true"), ("٣", "٣"), ("[1]", "[1]"), ("9" * 5000, "9" * 5000), ("+1", "+1")),
    ],
)
def test_a_text_is_a_number_only_where_it_is_exactly_its_own(text, value):
    """Types are guessed where nothing is lost by it: the value's `repr` is the text."""
    assert repr(value) == repr(inferred(text))


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    """A mistyped path is told, and nothing is made there."""
    path = tmp_path / "none" / "mlflow.db"
    with pytest.raises(DatabaseUnreadable) as raised:
        open_runs(f"mlflow:sqlite:///{path}")

    assert (
        f"no runs can be read from mlflow:sqlite:///{path}: there is no such file. Name the database that they were "
        f"sent to, as in 'mlflow:sqlite:///mlflow.db'" == str(raised.value)
    )
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_database_is_told(tmp_path, content):
    """What is no database of MLflow's is named, and left as it was."""
    path = tmp_path / "mlflow.db"
    path.write_bytes(content)
    with pytest.raises(DatabaseUnreadable):
        open_runs(f"mlflow:sqlite:///{path}")

    assert [(path, content)] == [(one, one.read_bytes()) for one in tmp_path.iterdir()]


def test_a_database_that_is_damaged_is_told_with_the_way_out(tmp_path):
    """To name another database would be no help: the runs are in their directories."""
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    with pytest.raises(DatabaseUnreadable) as raised:
        opened(path)

    assert (
        f"no runs can be read from mlflow:sqlite:///{path}: file is not a database. It is damaged, or another kind of "
        f"file. Runs that have their directories are sent to a new one by: python -m treadle_tracking sync DIR --to "
        f"mlflow:sqlite:///new.db"
    ) == str(raised.value)


def test_a_database_that_is_locked_is_told_with_the_way_out(database, monkeypatch):
    """Another program that is writing is waited for some seconds, and then named."""
    monkeypatch.setattr("treadle_tracking.reading.database._PATIENCE", 0.0)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(DatabaseUnreadable) as raised:
            opened(database)

    assert (
        f"no runs can be read from mlflow:sqlite:///{database}: another program has locked it, for more than 0 s. Try "
        f"again when that program is done with it"
    ) == str(raised.value)


def test_a_database_that_is_locked_later_is_told_likewise(send, database, monkeypatch):
    """Wherever in reading another program comes in between, MLflow's error of sqlalchemy's of sqlite's is one sentence."""
    from mlflow.exceptions import MlflowException
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy.exc import OperationalError

    send(Scalars(wall_time=1001.0, step=1, values={"loss": 1.0}))

    def search(*_):
        # MLflow waits for twenty seconds, whatever it is told.
        with (
            closing(sqlite3.connect(database)) as other,
            closing(sqlite3.connect(database, timeout=0.0)) as own,
        ):
            other.execute("BEGIN EXCLUSIVE")
            try:
                own.execute("SELECT * FROM runs")
            except sqlite3.Error as error:
                cause = OperationalError("SELECT", {}, error)
                cause.__cause__ = error
                raise MlflowException(str(cause)) from cause

    monkeypatch.setattr(SqlAlchemyStore, "search_runs", search)
    with pytest.raises(DatabaseUnreadable) as raised:
        list(opened(database))

    assert "another program has locked it, for more than 5 s" in str(raised.value)


def test_a_folder_is_refused_with_the_way_out(tmp_path, monkeypatch):
    """MLflow's old file store is refused in the sentence that says how it is brought into a database."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileStoreRefused, match="mlflow migrate-filestore --source"):
        open_runs("mlflow:./mlruns")


@pytest.mark.parametrize(("version", "words"), [("451aebb31d03", "older"), ("f" * 12, "newer")])
def test_a_database_of_another_version_is_told_and_not_upgraded(database, version, words):
    """A database whose tables are older or newer than the MLflow that is installed stays as it is."""
    from mlflow import __version__

    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [version])
        connection.execute("DROP TABLE trace_tags")
    connection.close()
    before = database.read_bytes()
    with pytest.raises(SchemaDiffers) as raised:
        opened(database)

    advice = {
        "older": f"Reading does not change it: make a copy of the database, and upgrade it with `mlflow db upgrade "
        f"sqlite:///{database}`, or install the version that wrote it",
        "newer": "Install that one: pip install --upgrade mlflow-skinny",
    }[words]
    assert (
        f"the database mlflow:sqlite:///{database} is of {'an older' if words == 'older' else 'a newer'} version of "
        f"MLflow than {__version__}, which is installed. {advice}" == str(raised.value)
    )
    assert before == database.read_bytes()


def test_reading_writes_nothing_anywhere(send, database, tmp_path):
    """No byte of the database and no file beside it, or in the current directory, changes."""
    send(Scalars(wall_time=1001.0, step=1, values={"loss": 1.0}))

    def everything():
        return {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    before, folders = everything(), sorted(tmp_path.rglob("*"))
    runs = opened(database)
    [run] = runs
    assert ((1, 1.0),) == run.history("loss")
    list(run.reader.entries(run))
    run.reader.close()

    assert (before, folders) == (everything(), sorted(tmp_path.rglob("*")))


def test_a_missing_library_is_named(database, monkeypatch):
    """Without MLflow's client, a database is refused in one sentence that names the extra."""
    import treadle_tracking.mirrors.mlflow_client as module

    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra) as raised:
        opened(database)

    assert (
        f"reading mlflow:sqlite:///{database} needs mlflow, which is not installed: "
        f"pip install 'treadle-tracking[mlflow]'" == str(raised.value)
    )


def test_an_unknown_artifact_is_named_with_those_that_there_are(send, database, tmp_path):
    """Whoever asks for an artifact that is none is told what he may have meant."""
    directory = tmp_path / "runs" / "digits" / "baseline" / "artifacts"
    directory.mkdir(parents=True)
    (directory / "model.pt").write_bytes(b"x")
    send(Artifact(wall_time=1001.0, path="model.pt", size=1, sha256=""))
    [run] = opened(database)
    with pytest.raises(UnknownArtifact) as raised:
        run.reader.download(run, "model.bin", tmp_path / "brought")

    assert "the run 'baseline' has no artifact 'model.bin'. Did you mean 'model.pt'?" == str(
        raised.value
    )


@pytest.fixture(scope="module")
def searched(template, tmp_path_factory):
    """A reader of runs of all kinds, ours and others', some of which went back."""
    folder = tmp_path_factory.mktemp("searched")
    path = Path(shutil.copy(template, folder / "mlflow.db"))
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{path}")
    directory = folder / "runs" / "e" / "n"
    directory.mkdir(parents=True)
    for number, value in enumerate(NUMBERS):
        mirror = MLflowMirror(f"sqlite:///{path}")
        start = evolve(
            STARTED,
            uid=f"u{number}",
            name=WORDS[number % len(WORDS)],
            experiment="abc"[number % 3] * (1 if number % 2 else 300),
            group=WORDS[number % len(WORDS)] if number % 2 else None,
            wall_time=1000.0 + number,
        )
        entries = [
            Tags(wall_time=1001.0, values={"t": WORDS[-number % len(WORDS)]} if number % 4 else {}),
            Params(
                wall_time=1001.0, values={"p": [None, 1, "x"][number % 3]} if number % 5 else {}
            ),
            Scalars(wall_time=1001.0 + number, step=5, values={"m": value}),
            Ended(wall_time=1002.0 + number, status="FINISHED" if number % 2 else "FAILED"),
        ]
        if number % 3 == 0:
            later = 1100.0 + number
            entries += [
                evolve(start, attempt=1, wall_time=later),
                Rewound(wall_time=later, began=later, step=2),
                Scalars(wall_time=later + 1, step=3, values={"m": NUMBERS[number - 1]}),
            ]
        mirror.open(start, directory)
        mirror.send(entries)
        mirror.close()
    theirs = client.create_experiment("theirs")
    for number, word in enumerate(WORDS):
        run = client.create_run(theirs, start_time=number, run_name=word).info.run_id
        client.set_tag(run, "t", word)
        client.set_tag(run, "mlflow.user", "ann")
        client.log_param(run, "p", word or "-")
        client.log_metric(run, "m", NUMBERS[number])
    reader = MLflowReader(f"sqlite:///{path}")
    yield reader, list(reader.runs())
    reader.close()


NUMBERS = [
    *(0.0, 1.0, -1.5, 1e-05, 1e300, 5e-324, math.inf, -math.inf, math.nan, 0.1 + 0.2),
    *(1.7976931348623155e308, 2.0**53, 3.0),
]
WORDS = ["a", "A", "a b", "a-b", "größe", "a%", "x" * 260, "it's", "FINISHED", "a/b.c"]


def _holds(condition, run):
    """Whether a run meets a condition, found out in the plainest way; None is null."""
    value = {
        "attribute": lambda: getattr(run, condition.name),
        "param": lambda: run.params.get(condition.name),
        "tag": lambda: run.tags.get(condition.name),
        "metric": lambda: run.metrics.get(condition.name),
    }[condition.kind]()
    if condition.name in {"started", "ended"} and value is not None:
        value = round(value * 1000)
    operator, given_value = condition.operator, condition.value
    if operator in {"is null", "is not null"}:
        return (value is None) == (operator == "is null")
    if value is None:
        return False
    if operator in {"in", "not in"}:
        return (value in given_value) == (operator == "in")
    if operator in {"like", "not like"}:
        return isinstance(value, str) and _like(given_value, value) == (operator == "like")
    if operator in {"=", "!="}:
        return (value == given_value) == (operator == "=")
    if isinstance(value, str) != isinstance(given_value, str):
        return False
    return {
        "<": lambda: value < given_value,
        "<=": lambda: value <= given_value,
        ">": lambda: value > given_value,
        ">=": lambda: value >= given_value,
    }[operator]()


def _like(pattern, text):
    import re

    parts = {"%": ".*", "_": "."}
    whole = "".join(parts.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(whole, text, re.DOTALL) is not None


_words = st.sampled_from([*WORDS, "a_b", "%", "a%", "", "x%", "_", "zzz"])
_compared = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
_numbers = st.sampled_from([*NUMBERS, 1, 2**53 + 1, 10**400, -(2**70)]) | st.floats(allow_nan=False)
_conditions = st.one_of(
    st.builds(
        Condition,
        kind=st.just("metric"),
        name=st.sampled_from(["m", "n", "a'b", "a`b"]),
        operator=_compared,
        value=_numbers,
    ),
    st.builds(
        Condition,
        kind=st.sampled_from(["tag", "param"]),
        name=st.sampled_from(["t", "p", "q", "mlflow.runName", "treadle.uid", "a`b"]),
        operator=st.sampled_from(["=", "!=", "like", "not like"]),
        value=_words,
    ),
    st.builds(
        Condition,
        kind=st.sampled_from(["tag", "param", "metric"]),
        name=st.sampled_from(["t", "p", "m", "q", "mlflow.user", "mlflow.runName"]),
        operator=st.sampled_from(["is null", "is not null"]),
    ),
    st.builds(
        Condition,
        kind=st.just("attribute"),
        name=st.sampled_from(["name", "group", "uid", "experiment"]),
        operator=st.sampled_from(["=", "!=", "like", "not like"]),
        value=_words | st.sampled_from(["a" * 300, "b", "theirs", "u1"]),
    ),
    st.builds(
        Condition,
        kind=st.just("attribute"),
        name=st.just("status"),
        operator=st.sampled_from(["=", "!="]),
        value=st.sampled_from(["RUNNING", "FINISHED", "FAILED", "KILLED", "UNFINISHED"]),
    ),
    st.builds(
        Condition,
        kind=st.just("attribute"),
        name=st.sampled_from(["experiment", "name"]),
        operator=st.sampled_from(["in", "not in"]),
        value=st.lists(_words | st.sampled_from(["a" * 300, "b"]), max_size=3).map(tuple),
    ),
    st.builds(
        Condition,
        kind=st.just("attribute"),
        name=st.sampled_from(["started", "ended"]),
        operator=_compared,
        value=st.integers(999_990, 1_010_000) | st.floats(0, 1_020_000),
    ),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(conditions=[Condition(kind="tag", name="mlflow.user", operator="is null")])
@example(conditions=[Condition(kind="metric", name="m", operator="!=", value=0.0)])
@given(conditions=st.lists(_conditions, min_size=1, max_size=3))
def test_what_mlflow_leaves_out_does_not_meet_the_conditions(searched, conditions):
    """Whatever conditions are pushed down, every run that meets them is found, once, and is the same run."""
    reader, everything = searched
    found = list(reader.runs(conditions))
    wanted = [run for run in everything if all(_holds(one, run) for one in conditions)]

    assert len(found) == len({run.identity for run in found})
    assert {repr(run) for run in wanted} <= {repr(run) for run in found}


def test_what_can_be_pushed_down_is(searched):
    """Conditions that MLflow understands alike leave runs out before they are read."""
    reader, everything = searched

    def asked(kind, name, operator, value=None):
        condition = Condition(kind=kind, name=name, operator=operator, value=value)
        return len(list(reader.runs([condition])))

    assert (23, 3, 2, 4, 6) == (
        len(everything),
        asked("attribute", "name", "=", "a"),
        asked("tag", "t", "=", "größe"),
        asked("attribute", "status", "=", "FINISHED"),
        asked("attribute", "started", "<", 6),
    )
    # What went back, and others' experiments whose names were cut, cannot be told apart there.
    assert (6, 17) == (
        asked("metric", "m", "=", 1e-05),
        asked("attribute", "experiment", "=", "theirs"),
    )


def test_a_run_without_a_name_is_found_by_what_it_is_called(client, experiment, database):
    """MLflow 1 has made runs without a name; a search finds them by their id, which stands for it."""
    identity = client.create_run(experiment).info.run_id
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE runs SET name = NULL")
        connection.execute("DELETE FROM tags")

    for wanted in (f"name = '{identity}'", f"name like '{identity[:4]}%'", "name like '%'"):
        assert [identity] == [run.name for run in opened(database).search(wanted)]


def test_a_store_is_asked_for_no_more_than_it_can_join(searched):
    """Of a hundred conditions some are left to whoever asked: sqlite joins 64 tables at most."""
    reader, everything = searched
    wanted = [run for run in everything if run.metrics.get("m", 0) > 0]
    conditions = [
        Condition(kind="metric", name="m", operator=">", value=-number / 2) for number in range(100)
    ]

    assert {run.identity for run in wanted} <= {run.identity for run in reader.runs(conditions)}


def test_importing_the_reader_loads_no_mlflow():
    """A server can be read by whoever has no MLflow, and nothing heavy is loaded before it is asked for."""
    code = (
        "import sys, treadle_tracking.reading.mlflow_http, treadle_tracking.reading.mlflow, "
        "treadle_tracking.reading.mlflow_client; "
        "print([one for one in ('mlflow', 'sqlalchemy', 'alembic', 'pandas') if one in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )

    assert "[]\n" == answer.stdout
