"""MLflow as a mirror, on a database of its own."""

import json
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from threading import Barrier, Thread

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking import open_runs
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
from treadle_tracking.errors import InvalidTarget, MissingExtra
from treadle_tracking.mirrors import mlflow_client as client_module
from treadle_tracking.mirrors.errors import (
    DatabaseUnusable,
    ExperimentDeleted,
    MirrorFailed,
    MissingDriver,
    RunDeleted,
)
from treadle_tracking.mirrors.histogram_picture import histogram_buckets
from treadle_tracking.mirrors.mlflow import MLflowMirror
from treadle_tracking.mirrors.parameters import from_pieces
from treadle_tracking.reading.errors import DatabaseUnreadable, SchemaDiffers

for _module in ("mlflow", "sqlalchemy", "alembic"):
    pytest.importorskip(_module, reason="needs the extra treadle-tracking[mlflow]")

STARTED = Started(wall_time=1000.25, uid="u1", experiment="digits", name="baseline", group="seeds")
PNG = b"\x89PNG\r\n\x1a\n not decodable"
ENTRIES = [
    STARTED,
    Params(wall_time=1000.25, values={"lr": 1e-3, "model": {"depth": 3, "act": None}, "amp": True}),
    Tags(wall_time=1000.5, values={"note": "first"}),
    Scalars(wall_time=1001.0014, step=1, values={"loss": 0.1234567890123456, "acc": 2**53 + 2.0}),
    Scalars(wall_time=1001.0016, step=2, values={"loss": -1e300, "lr@0": float("nan")}),
    Image(wall_time=1001.5, step=2, name="val/samples", png=PNG, width=2, height=1),
    Text(wall_time=1001.75, step=2, name="note", text="# größer"),
    Artifact(wall_time=1002.0, path="model/weights.bin", size=7, sha256=""),
    Tags(wall_time=1002.0, values={"note": "second"}),
    Ended(wall_time=1003.5, status="KILLED"),
]

EVERY_KIND = [
    *ENTRIES,
    evolve(STARTED, attempt=1, wall_time=1004.0),
    Rewound(wall_time=1004.0, began=1004.0, step=2, after=1001.75),
    Params(wall_time=1004.0, values={"lr": 1.0, "late": [1, 2]}),
    Scalars(wall_time=1005.0, step=2, values={"loss": 0.5}),
    Histogram(wall_time=1005.0, step=2, name="w", buckets=((0.0, 0.5, 2.0), (0.5, 1.0, 1.0))),
    Artifact(wall_time=1005.0, path="gone.json", size=2, sha256=""),
    Table(wall_time=1005.0, step=2, name="t", path="gone.json", preview=""),
    Function(wall_time=1005.0, name="augment", qualified_name="m:f", sha256="ab", path="f.py"),
    Committed(wall_time=1005.5, step=2),
    Ended(wall_time=1006.0, status="FINISHED"),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A database that MLflow has made, which takes seconds; each test has a copy."""
    path = tmp_path_factory.getbasetemp() / "mlflow-template.db"
    if not path.exists():
        MLflowMirror(f"sqlite:///{path}")._store.connect()
    return path


@pytest.fixture
def database(template, tmp_path):
    return Path(shutil.copy(template, tmp_path / "mlflow.db"))


@pytest.fixture
def directory(tmp_path):
    """A run directory with one artifact."""
    path = tmp_path / "runs" / "digits" / "baseline"
    (path / "artifacts" / "model").mkdir(parents=True)
    (path / "artifacts" / "model" / "weights.bin").write_bytes(b"weights")
    return path


@pytest.fixture
def client(database):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{database}")


@pytest.fixture
def send(database, directory):
    """A function that sends entries as a fresh process would."""

    def _send(*entries, started=STARTED):
        mirror = MLflowMirror(f"sqlite:///{database}")
        mirror.open(started, directory)
        mirror.send(entries)
        mirror.close()
        return mirror.identity

    return _send


@pytest.fixture
def the_run(client):
    """A function that gives the one run there is."""

    def _the_run():
        from mlflow.entities import ViewType

        everywhere = [experiment.experiment_id for experiment in client.search_experiments()]
        [run] = client.search_runs(everywhere, run_view_type=ViewType.ALL)
        return run

    return _the_run


@pytest.fixture
def everything(client, the_run):
    """A function that gives all there is of the one run, to be compared."""

    def files(identity, folder=None):
        for item in client.list_artifacts(identity, folder):
            if item.is_dir:
                yield from files(identity, item.path)
            else:
                path = Path(client.download_artifacts(identity, item.path))
                yield item.path, path.read_bytes()

    def _everything():
        run = the_run()
        identity = run.info.run_id
        points = sorted(
            (point.key, point.step, point.timestamp, repr(point.value))
            for key in run.data.metrics
            for point in client.get_metric_history(identity, key)
        )
        info = run.info
        times = (info.start_time, info.end_time)
        return (
            (identity, info.run_name, info.status, times),
            run.data.params,
            run.data.tags,
            points,
            dict(files(identity)),
        )

    return _everything


def history(client, run, key):
    """The points of one metric by step."""
    return {
        point.step: (point.value, point.timestamp)
        for point in client.get_metric_history(run.info.run_id, key)
    }


def test_a_run_arrives_with_its_name_times_and_status(send, the_run):
    """What MLflow shows of a run is what the log says of it."""
    send(*ENTRIES)

    info = the_run().info

    assert ("baseline", 1_000_250, 1_003_500, "KILLED") == (
        info.run_name,
        info.start_time,
        info.end_time,
        info.status,
    )


def test_a_run_that_has_not_ended_is_running(send, the_run):
    """Without an end in the log, MLflow is told of none."""
    send(*ENTRIES[:-1])

    info = the_run().info

    assert ("RUNNING", None) == (info.status, info.end_time)


def test_points_arrive_with_the_times_of_the_log(send, client, the_run):
    """Doubles are exact, steps are steps, times are the log's own in milliseconds."""
    send(*ENTRIES)

    actual = history(client, the_run(), "loss")

    assert {1: (0.1234567890123456, 1_001_001), 2: (-1e300, 1_001_002)} == actual


def test_infinities_become_the_largest_doubles(send, client, the_run):
    """MLflow's databases know NaN and no infinity: the log has it exactly."""
    values = {"up": float("inf"), "down": float("-inf"), "nan": float("nan")}
    send(Scalars(wall_time=1.0, step=0, values=values))

    actual = {key: repr(value) for key, value in the_run().data.metrics.items()}

    assert {
        "up": "1.7976931348623157e+308",
        "down": "-1.7976931348623157e+308",
        "nan": "nan",
    } == actual


def test_parameters_are_texts_by_dotted_name(send, the_run):
    """Parameters read as MLflow's own would."""
    send(*ENTRIES)

    actual = the_run().data.params

    assert {"lr": "0.001", "model.depth": "3", "model.act": "None", "amp": "True"} == actual


def test_parameters_are_exact_in_tags(send, the_run):
    """Types and nesting can be had back from MLflow alone."""
    send(*ENTRIES)

    actual = from_pieces(the_run().data.tags)

    assert {"lr": 1e-3, "model": {"depth": 3, "act": None}, "amp": True} == actual


def test_a_long_parameter_is_cut_with_a_marker(send, the_run):
    """MLflow would cut it in silence."""
    text = "é" * 6_001
    marker = "… [6001 characters; the whole is in the tag treadle.params]"
    send(Params(wall_time=1.0, values={"prompt": text}))

    data = the_run().data

    assert "é" * (6_000 - len(marker)) + marker == data.params["prompt"]
    assert {"prompt": text} == from_pieces(data.tags)


def test_a_parameter_that_changes_is_new_in_the_tags_only(send, the_run):
    """MLflow never changes a parameter, and refusing it must not stop what follows."""
    send(Params(wall_time=1.0, values={"lr": 1, "seed": 0}))
    send(Params(wall_time=2.0, values={"lr": 2}))

    data = the_run().data

    assert {"lr": "1", "seed": "0"} == data.params
    assert {"lr": 2, "seed": 0} == from_pieces(data.tags)


def test_the_file_of_parameters_arrives(send, directory, client, the_run):
    """params.json is an artifact in MLflow."""
    (directory / "params.json").write_text('{"lr": 0.001}')
    send(*ENTRIES)

    path = client.download_artifacts(the_run().info.run_id, "params.json")

    assert '{"lr": 0.001}' == Path(path).read_text()


def test_tags_and_group_arrive(send, the_run):
    """The last value of a tag holds, and a group is a tag."""
    send(*ENTRIES)

    tags = the_run().data.tags

    assert ("second", "seeds", "u1") == (tags["note"], tags["treadle.group"], tags["treadle.uid"])


def test_a_tag_of_the_users_cannot_take_the_place_of_ours(send, the_run):
    """A tag that begins as ours do is escaped."""
    send(Tags(wall_time=1.0, values={"treadle.uid": "mine"}))

    tags = the_run().data.tags

    assert ("u1", "mine") == (tags["treadle.uid"], tags["_x0074_readle.uid"])


def test_a_tag_of_the_users_does_not_rename_the_run(send, the_run):
    """MLflow takes three tags for the run's name and for its files, and these are escaped likewise."""
    send(Tags(wall_time=1.0, values={"mlflow.runName": "mine", "mlflow.note.content": "a note"}))

    run = the_run()

    assert "baseline" == run.info.run_name
    assert ("mine", "a note") == (
        run.data.tags["_x006D_lflow.runName"],
        run.data.tags["mlflow.note.content"],
    )


def test_a_long_tag_is_cut_with_a_marker(send, the_run):
    """MLflow would cut it in silence."""
    send(Tags(wall_time=1.0, values={"log": "a" * 9_000}))

    actual = the_run().data.tags["log"]

    assert actual.endswith("… [9000 characters; the whole is in the run directory]")
    assert 8_000 == len(actual)


def test_names_that_mlflow_refuses_arrive_spelled_out(send, the_run):
    """Every name is taken, and different names stay different."""
    names = ["lr@0", "a[0]", "a%", "a//b", "/a", "", "a_x0040_"]
    send(Scalars(wall_time=1.0, step=0, values=dict(zip(names, range(7), strict=True))))

    actual = the_run().data.metrics

    assert {
        "lr_x0040_0": 0.0,
        "a_x005B_0_x005D_": 1.0,
        "a_x0025_": 2.0,
        "a/_x002F_b": 3.0,
        "_x002F_a": 4.0,
        "_xEMPTY_": 5.0,
        "a_x005F_x0040_": 6.0,
    } == actual


def test_a_name_that_is_too_long_is_whole_in_a_tag(send, the_run):
    """A metric of 300 characters is found again by its digest."""
    name = "loss/" * 60
    send(Scalars(wall_time=1.0, step=0, values={name: 1.0}))

    data = the_run().data
    [key] = data.metrics

    assert (250, name) == (len(key), data.tags[f"treadle.name.{key[-32:]}"])


def test_an_image_is_in_the_step_slider(send, client, the_run):
    """Two files and a tag are what MLflow's slider looks for."""
    send(*ENTRIES)

    run = the_run()
    names = [item.path for item in client.list_artifacts(run.info.run_id, "images")]
    stem = "images/val~samples+step+2+timestamp+1001500+"

    assert "True" == run.data.tags["mlflow.loggedImages"]
    assert {"compressed.webp", ".png"} == {
        name.removeprefix(stem)[36:].removeprefix("+") for name in names
    }


def test_a_text_is_a_file_by_name_and_step(send, everything):
    """MLflow's pages show it as Markdown."""
    send(*ENTRIES)

    *_, files = everything()

    assert "# größer".encode() == files["texts/note/2.md"]


def test_texts_named_like_each_others_files_both_arrive(send, everything):
    """A text whose name ends as a file's would stands beside it."""
    send(
        Text(wall_time=1.0, step=1, name="a", text="one"),
        Text(wall_time=1.0, step=1, name="a/1.md", text="other"),
    )

    *_, files = everything()

    assert {"texts/a/1.md": b"one", "texts/a/1_x002E_md/1.md": b"other"} == files


def test_an_artifact_keeps_its_path(send, everything):
    """Folders of artifacts are the same in both places."""
    send(*ENTRIES)

    *_, files = everything()

    assert b"weights" == files["model/weights.bin"]


def test_an_artifact_that_mlflow_could_not_give_back_is_renamed(send, directory, client, the_run):
    """Only what its server refuses is spelled out."""
    (directory / "artifacts" / "a#1 ü.bin").write_bytes(b"x")
    send(Artifact(wall_time=1.0, path="a#1 ü.bin", size=1, sha256=""))

    actual = [item.path for item in client.list_artifacts(the_run().info.run_id)]

    assert ["a_x0023_1 ü.bin"] == actual


def test_an_artifact_that_is_gone_does_not_stop_the_rest(send, the_run):
    """A file that was removed from the run directory is said in a tag."""
    send(
        Artifact(wall_time=1.0, path="gone.bin", size=1, sha256=""),
        Ended(wall_time=2.0, status="FINISHED"),
    )

    run = the_run()

    assert ("FINISHED", "not in the run directory any more") == (
        run.info.status,
        run.data.tags["treadle.missing.gone.bin"],
    )


def test_thousands_of_points_and_hundreds_of_parameters_arrive(send, client, the_run):
    """MLflow's limits on one request are nobody's business."""
    send(
        Params(wall_time=1.0, values={f"p{number}": number for number in range(250)}),
        Tags(wall_time=1.0, values={f"t{number}": "x" for number in range(150)}),
        *(Scalars(wall_time=1.0, step=step, values={"loss": step}) for step in range(2_500)),
    )

    run = the_run()
    points = history(client, run, "loss")

    assert {step: (float(step), 1000) for step in range(2_500)} == points
    assert 250 == len(run.data.params)
    assert 150 == len([tag for tag in run.data.tags if tag.startswith("t") and "." not in tag])


def test_sending_everything_three_times_changes_nothing(send, everything):
    """A sender that does not know whether a batch arrived may repeat it."""
    send(*EVERY_KIND)
    once = everything()

    for _ in range(2):
        send(*EVERY_KIND)

    assert once == everything()


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(1, len(EVERY_KIND)), max_size=4))
def test_repeated_beginnings_change_nothing(tmp_path_factory, template, cuts):
    """However often a process dies and the log is sent again from its start, the end is the same."""
    from mlflow import MlflowClient

    home = tmp_path_factory.mktemp("home")
    uri = f"sqlite:///{shutil.copy(template, home / 'mlflow.db')}"

    def state_after(uid, lengths):
        mirror = MLflowMirror(uri)
        for length in lengths:
            mirror = MLflowMirror(uri)
            mirror.open(evolve(STARTED, uid=uid), home)
            mirror.send(EVERY_KIND[:length])
        client = MlflowClient(uri)
        run = client.get_run(mirror.identity)
        points = sorted(
            (point.key, point.step, point.timestamp, repr(point.value))
            for key in run.data.metrics
            for point in client.get_metric_history(mirror.identity, key)
        )
        tags = {key: text for key, text in run.data.tags.items() if key != "treadle.uid"}
        return points, run.data.params, tags, run.info.status, run.info.end_time

    once = state_after("once", [len(EVERY_KIND)])

    again = state_after("again", [*cuts, len(EVERY_KIND)])

    assert once == again


def test_runs_are_told_apart_by_their_uid_alone(database, directory, client):
    """Two runs of one name are two, whatever their uids are made of."""
    uids = ["a'b", 'a"b', "a%b", "a_b", "a\\", "a`b", "a\\'"]
    for _ in range(2):
        for uid in uids:
            MLflowMirror(f"sqlite:///{database}").open(evolve(STARTED, uid=uid), directory)

    experiment = client.get_experiment_by_name("digits")
    runs = client.search_runs([experiment.experiment_id])

    assert sorted(uids) == sorted(run.data.tags["treadle.uid"] for run in runs)


def test_one_uid_is_one_run(send, the_run):
    """A run is found again by its uid, whenever and wherever it is sent from."""
    send(Scalars(wall_time=1.0, step=0, values={"loss": 1.0}))
    send(
        Scalars(wall_time=1.0, step=1, values={"loss": 2.0}),
        started=evolve(STARTED, wall_time=2000.0, name="another"),
    )

    run = the_run()

    assert ("baseline", 1_000_250, 2.0) == (
        run.info.run_name,
        run.info.start_time,
        run.data.metrics["loss"],
    )


def test_long_names_fit_every_database(send, client, the_run):
    """The names of a run and its experiment are cut at 250 characters, the width of MLflow's columns."""
    send(started=evolve(STARTED, name="n" * 300, experiment="e" * 300))

    run = the_run()
    names = (run.info.run_name, client.get_experiment(run.info.experiment_id).name)

    assert [250, 250] == [len(name) for name in names]
    assert all("… [300 characters; the whole is in the run directory] " in name for name in names)
    assert ("n" * 300, "e" * 300) == (
        run.data.tags["treadle.run"],
        run.data.tags["treadle.experiment"],
    )


def test_names_of_files_that_are_too_long_are_whole_in_tags(send, directory, the_run):
    """Of images, texts, histograms and artifacts alike, where their files' names had to be shortened."""
    path = "/".join(["x" * 200] * 6)
    (directory / "artifacts" / path).parent.mkdir(parents=True)
    (directory / "artifacts" / path).write_bytes(b"")
    names = [letter * 300 for letter in "ith"] + [path]
    send(
        Image(wall_time=1.0, step=1, name=names[0], png=b"no PNG", width=200, height=200),
        Text(wall_time=1.0, step=1, name=names[1], text=""),
        Histogram(wall_time=1.0, step=1, name=names[2], buckets=()),
        Artifact(wall_time=1.0, path=path, size=0, sha256=""),
    )

    tags = the_run().data.tags

    assert sorted(names) == sorted(
        text for key, text in tags.items() if key.startswith("treadle.name.")
    )


def test_long_names_of_one_beginning_stay_different(send, client):
    """Two experiments whose names differ beyond what MLflow takes of them are two there."""
    send(started=evolve(STARTED, experiment=f"{'e' * 300}1"))
    send(started=evolve(STARTED, uid="u2", experiment=f"{'e' * 300}2"))

    names = {one.name for one in client.search_experiments() if one.name.startswith("eee")}
    assert (2, {250}) == (len(names), set(map(len, names)))


def test_senders_that_open_at_once_make_one_run(database, directory, the_run):
    """The search for a run and its making are one step."""
    barrier = Barrier(4)
    identities = []

    def open_one():
        mirror = MLflowMirror(f"sqlite:///{database}")
        barrier.wait()
        mirror.open(STARTED, directory)
        identities.append(mirror.identity)

    threads = [Thread(target=open_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [the_run().info.run_id] * 4 == identities


def test_files_go_beside_the_database(send, database, the_run, tmp_path, monkeypatch):
    """Where a run's artifacts are does not depend on the current directory."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    identity = send(*ENTRIES)

    place = database.parent / "mlartifacts" / "digits" / identity / "artifacts"

    assert place.as_uri() == the_run().info.artifact_uri
    assert b"weights" == (place / "model" / "weights.bin").read_bytes()
    assert [] == list((tmp_path / "elsewhere").iterdir())


def test_a_database_that_was_replaced_is_opened_anew(send, database, template, client):
    """Somebody who removes the database between two runs of one process finds the second in the new one."""
    send(*ENTRIES)
    database.unlink()
    shutil.copy(template, database)

    send(*ENTRIES)

    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("select name, status from runs").fetchall()
    assert [("baseline", "KILLED")] == rows


def test_a_deleted_experiment_is_one_sentence(send, client, database):
    """The name that MLflow keeps taken is named, with both ways out."""
    experiment = client.create_experiment("digits")
    client.delete_experiment(experiment)
    expected = (
        f"the experiment 'digits' is deleted at mlflow:sqlite:///{database}, and MLflow keeps its name taken: bring it "
        f"back with `MLFLOW_TRACKING_URI=sqlite:///{database} mlflow experiments restore -x {experiment}`, or remove it "
        f"with `MLFLOW_TRACKING_URI=sqlite:///{database} mlflow gc --backend-store-uri sqlite:///{database} "
        f"--experiment-ids {experiment}`"
    )

    with pytest.raises(ExperimentDeleted) as caught:
        send(*ENTRIES)

    assert expected == str(caught.value)


def test_a_deleted_run_is_one_sentence(send, client, database):
    """A run that somebody deleted is not made a second time behind his back."""
    identity = send(*ENTRIES)
    client.delete_run(identity)
    expected = (
        f"the run 'baseline' is deleted at mlflow:sqlite:///{database}: bring it back with "
        f"`MLFLOW_TRACKING_URI=sqlite:///{database} mlflow runs restore --run-id {identity}`"
    )

    with pytest.raises(RunDeleted) as caught:
        send(*ENTRIES)

    assert expected == str(caught.value)


def test_a_missing_library_is_named_before_anything_is_written(monkeypatch):
    """Without the extra, a mirror cannot be made, and says what to install."""
    monkeypatch.setattr(
        client_module, "find_spec", lambda name: None if name == "sqlalchemy" else name
    )
    expected = (
        "the mirror mlflow:sqlite:////a.db needs sqlalchemy, which is not installed: "
        "pip install 'treadle-tracking[mlflow]'"
    )

    with pytest.raises(MissingExtra) as caught:
        MLflowMirror("sqlite:////a.db")

    assert expected == str(caught.value)


def test_a_missing_driver_is_named_before_anything_is_written(monkeypatch):
    """A database whose driver is not installed is refused at once, and not by a thread for ever."""
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    expected = (
        "the mirror mlflow:postgresql://***@localhost/runs needs psycopg2, the driver of this database, which cannot "
        "be imported: install it, or name another driver after the database, as in 'mlflow:postgresql+psycopg://…'"
    )

    with pytest.raises(MissingDriver) as caught:
        MLflowMirror("postgresql://me:secret@localhost/runs")

    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql+nothing://me:secret@h/runs", "postgresql+nothing://***@h/runs"),
        ("postgresql://me:secret@h:port/runs", "postgresql://***@h:port/runs"),
        ("mysql:/h", "mysql:/h"),
    ],
)
def test_an_address_that_sqlalchemy_cannot_read_is_refused(uri, shown):
    """A driver that nobody knows, and what is no address, are found before anything is written."""
    expected = (
        f"target 'mlflow:{shown}' is no address of a database that SQLAlchemy knows; "
        f"expected DATABASE+DRIVER://USER:PASSWORD@HOST:PORT/NAME"
    )

    with pytest.raises(InvalidTarget) as caught:
        MLflowMirror(uri)

    assert expected == str(caught.value)


def test_a_password_is_in_no_message(directory, monkeypatch):
    """What MLflow says of an address is said without its secrets."""
    monkeypatch.setattr(client_module, "check_driver", lambda *_: None)
    mirror = MLflowMirror("postgresql://me:secret@127.0.0.1:9/runs")

    def refuse(**_):
        raise ConnectionError("postgresql://me:secret@127.0.0.1:9/runs refused")

    monkeypatch.setattr("mlflow.MlflowClient", refuse)

    with pytest.raises(MirrorFailed) as caught:
        mirror.open(STARTED, directory)

    assert "ConnectionError: postgresql://***@127.0.0.1:9/runs refused" == str(caught.value)
    assert "mlflow:postgresql://***@127.0.0.1:9/runs" == mirror.uri


def test_what_only_mlflows_client_can_do_is_left_to_it(monkeypatch):
    """A plugin that signs in to a server is MLflow's, so its client is what asks the server."""
    monkeypatch.setenv("MLFLOW_TRACKING_AUTH", "kerberos")

    mirror = MLflowMirror("http://127.0.0.1:9")

    assert isinstance(mirror._store, client_module.ClientStore)


def test_a_way_of_signing_in_that_needs_mlflow_says_so(monkeypatch):
    """Where the client is not installed, the variable that asks for it is named."""
    monkeypatch.setenv("MLFLOW_TRACKING_AWS_SIGV4", "true")
    monkeypatch.setattr(client_module, "find_spec", lambda _: None)
    expected = (
        "the mirror mlflow:http://127.0.0.1:9, for which MLFLOW_TRACKING_AWS_SIGV4 is set, needs mlflow, which is "
        "not installed: pip install 'treadle-tracking[mlflow]'"
    )

    with pytest.raises(MissingExtra) as caught:
        MLflowMirror("http://127.0.0.1:9")

    assert expected == str(caught.value)


def test_a_place_where_no_database_can_be_is_one_sentence(tmp_path):
    """A file in the way is said when the mirror is made, not after MLflow's minute of trying."""
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "mlflow.db"
    expected = (
        f"the database {path} cannot be used: Not a directory. Name a file that can be written to"
    )

    with pytest.raises(DatabaseUnusable) as caught:
        MLflowMirror(f"sqlite:///{path}")

    assert expected == str(caught.value)


def test_a_database_that_was_half_made_is_not_there(tmp_path, monkeypatch):
    """A process that dies while it makes the tables leaves none of which MLflow would never make the rest."""
    from mlflow.store.tracking import sqlalchemy_store

    def die(uri, _artifacts):
        Path(uri.removeprefix("sqlite:///")).write_text("half of the tables")
        raise KeyboardInterrupt

    monkeypatch.setattr(sqlalchemy_store, "SqlAlchemyStore", die)
    path = tmp_path / "mlflow.db"
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            MLflowMirror(f"sqlite:///{path}")._store.connect()

    assert not path.exists()
    with pytest.raises(DatabaseUnreadable) as caught:
        open_runs(f"mlflow:sqlite:///{path}")
    assert (
        f"no runs can be read from mlflow:sqlite:///{path}: it is being made just now, or its making was interrupted. "
        f"Sending a run there makes it: run the program again, or python -m treadle_tracking sync DIR --to "
        f"mlflow:sqlite:///{path}"
    ) == str(caught.value)


@pytest.mark.parametrize(("version", "words"), [("451aebb31d03", "older"), ("f" * 12, "newer")])
def test_a_database_of_another_version_is_told_in_our_words(send, database, version, words):
    """What MLflow says in a paragraph, and in mid-word where it is cut, is one sentence with what to type."""
    from mlflow import __version__

    send(*ENTRIES[:2])
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [version])
        connection.commit()
    path = database.with_name("moved.db")  # MLflow has a store for an address, in a process
    database.rename(path)
    with pytest.raises(SchemaDiffers) as caught:
        MLflowMirror(f"sqlite:///{path}")._store.connect()

    advice = {
        "older": f"Nothing is sent to it until it is upgraded: make a copy of the database, and upgrade it with `mlflow "
        f"db upgrade sqlite:///{path}`, or install the version that wrote it",
        "newer": "Install that one: pip install --upgrade mlflow-skinny",
    }[words]
    assert (
        f"the database mlflow:sqlite:///{path} is of {'an older' if words == 'older' else 'a newer'} version of MLflow "
        f"than {__version__}, which is installed. {advice}"
    ) == str(caught.value)


def test_a_new_database_is_made_with_everything_beside_it(tmp_path, monkeypatch):
    """The first run of all makes the database and its folder, and MLflow's own experiment is told of it."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "new" / "mlflow.db"

    MLflowMirror(f"sqlite:///{path}")._store.connect()

    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("select name, artifact_location from experiments").fetchall()
    assert [("Default", f"{(tmp_path / 'new' / 'mlartifacts').as_uri()}/0")] == rows
    assert ["new"] == [item.name for item in tmp_path.iterdir()]


HISTOGRAM = Histogram(wall_time=1.0, step=3, name="w", buckets=((0.0, 0.5, 2.0), (0.5, 1.0, 1.0)))


def test_a_histogram_is_a_picture_with_its_numbers(send, everything):
    """MLflow's pages show the picture, and the buckets can be had back from it exactly."""
    send(HISTOGRAM)

    *_, files = everything()

    assert HISTOGRAM.buckets == histogram_buckets(files["histograms/w/3.svg"].decode())


def test_histograms_named_like_each_others_files_both_arrive(send, everything):
    """A name that ends as a file's would stands beside it, and so does an artifact of the user's."""
    send(HISTOGRAM, evolve(HISTOGRAM, name="w/3.svg"), evolve(HISTOGRAM, name="w/3.svgz"))

    *_, files = everything()

    assert {
        "histograms/w/3.svg",
        "histograms/w/3_x002E_svg/3.svg",
        "histograms/w/3.svgz/3.svg",
    } == set(files)


def test_a_table_is_shown_as_one(send, directory, the_run):
    """The tag by which MLflow's pages know a table names it once, however often it is recorded."""
    (directory / "artifacts" / "tables").mkdir()
    for name in ("a#", "b"):
        (directory / "artifacts" / "tables" / f"{name}.json").write_text("{}")
        send(Artifact(wall_time=1.0, path=f"tables/{name}.json", size=2, sha256=""))
        for step in range(2):
            send(Table(wall_time=1.0, step=step, name=name, path=f"tables/{name}.json", preview=""))

    actual = json.loads(the_run().data.tags["mlflow.loggedArtifacts"])

    assert [
        {"path": "tables/a_x0023_.json", "type": "table"},
        {"path": "tables/b.json", "type": "table"},
    ] == actual


def test_tables_of_others_stay(send, client, the_run):
    """What `log_table` of MLflow's client has noted is not written over."""
    theirs = {"path": "theirs.json", "type": "table"}
    client.set_tag(send(), "mlflow.loggedArtifacts", json.dumps([theirs]))
    send(Table(wall_time=1.0, step=0, name="a", path="tables/a.json", preview=""))

    actual = json.loads(the_run().data.tags["mlflow.loggedArtifacts"])

    assert [theirs, {"path": "tables/a.json", "type": "table"}] == actual


def test_more_tables_than_a_tag_holds_leave_it_whole(send, the_run):
    """MLflow would cut the list in silence, and then show none."""
    send(
        *(
            Table(wall_time=1.0, step=0, name="t", path=f"tables/{number}.json", preview="")
            for number in range(300)
        )
    )

    text = the_run().data.tags["mlflow.loggedArtifacts"]

    assert {"path": "tables/0.json", "type": "table"} == json.loads(text)[0]
    assert 7_900 < len(text) <= 8_000


def test_a_function_is_a_tag(send, the_run):
    """Its name and the digest of its source tell whether two runs used the same."""
    send(
        Function(wall_time=1.0, name="augment", qualified_name="m:f", sha256="ab", path="f.py"),
        Function(wall_time=1.0, name="a@b", qualified_name="m:g", sha256=None, path=None),
    )

    tags = the_run().data.tags

    assert {"treadle.function.augment": "m:f ab", "treadle.function.a_x0040_b": "m:g"} == {
        key: text for key, text in tags.items() if key.startswith("treadle.function.")
    }


def test_a_resumed_run_is_running_again(send, the_run):
    """A new attempt goes on where MLflow has an end already, and says in a tag where it went back to."""
    send(*ENTRIES)
    before = the_run().info.status

    send(
        evolve(STARTED, attempt=1, wall_time=2000.0),
        Rewound(wall_time=2001.0, began=2000.0, step=2, after=1001.0014),
    )

    run = the_run()
    assert ("KILLED", "RUNNING") == (before, run.info.status)
    assert "[[2000000, 1001001, 2]]" == run.data.tags["treadle.attempts"]


def test_points_of_an_abandoned_attempt_can_be_told(send, client, the_run):
    """MLflow keeps them, and the tag says by time, or by step, which they are."""
    kept = [(1, 1.0, 10.0), (2, 2.0, 20.0)]
    abandoned = [(3, 3.0, 30.0), (4, 4.0, 40.0)]
    again = [(3, 5.0, 60.0)]

    def scalars(points):
        return [
            Scalars(wall_time=when, step=step, values={"loss": value})
            for step, value, when in points
        ]

    for after in (20.0, None):
        rewound = Rewound(wall_time=70.0, began=50.0, step=3, after=after)
        send(*scalars(kept + abandoned), rewound)
        send(*scalars(again))

        run = the_run()
        rules = json.loads(run.data.tags["treadle.attempts"])
        points = sorted(
            (point.step, point.value)
            for point in client.get_metric_history(run.info.run_id, "loss")
            if not any(
                point.timestamp < began
                and (point.step >= first if last is None else point.timestamp > last)
                for began, last, first in rules
            )
        )

        assert [(1, 1.0), (2, 2.0), (3, 5.0)] == points


def test_a_parameter_has_its_first_value_in_any_batches(send, the_run):
    """MLflow never changes a parameter, so the batches must not decide which value it gets."""
    send(Params(wall_time=1.0, values={"lr": 1}), Params(wall_time=2.0, values={"lr": 2}))
    send(Params(wall_time=3.0, values={"lr": 3}))

    data = the_run().data

    assert ({"lr": "1"}, {"lr": 3}) == (data.params, from_pieces(data.tags))


def test_a_run_that_is_replaced_is_another(send, client, database, directory):
    """Replacing deletes the run that was there, whose points are not to be had away, and makes one."""
    before = send(*ENTRIES)
    mirror = MLflowMirror(f"sqlite:///{database}")

    mirror.replace(STARTED, directory)
    mirror.send(ENTRIES[:1])
    mirror.close()

    assert ["deleted", "active"] == [
        client.get_run(identity).info.lifecycle_stage for identity in (before, mirror.identity)
    ]
    assert mirror.identity == send(*ENTRIES)


def test_a_file_that_arrives_after_all_is_missing_no_more(send, directory, the_run):
    """The tag that said so is removed."""
    gone = Artifact(wall_time=1.0, path="late.bin", size=1, sha256="")
    send(gone)
    before = the_run().data.tags["treadle.missing.late.bin"]
    (directory / "artifacts" / "late.bin").write_bytes(b"x")

    send(gone)
    send(gone)

    assert "not in the run directory any more" == before
    assert "treadle.missing.late.bin" not in the_run().data.tags
