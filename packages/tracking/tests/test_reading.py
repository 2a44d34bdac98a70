import json
import os

import pytest

from treadle_tracking import open_runs, start_run
from treadle_tracking.errors import (
    AmbiguousRun,
    InvalidName,
    InvalidTarget,
    RunDirectoryError,
    UnknownMetric,
    UnknownRun,
)
from treadle_tracking.log import attempt_path
from treadle_tracking.reading import UnknownArtifact
from treadle_tracking.reading.directories import DirectoryReader
from treadle_tracking.reading.errors import NoSuchNumber


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def test_a_run_is_read_as_it_was_recorded(root):
    """Parameters, tags, metrics, artifacts and status come back exact and typed."""
    params = {
        "optim": {"lr": 1e-3, "betas": [0.9, 0.99]},
        "amp": True,
        "clip": None,
        "n": 2**60 + 1,
    }
    with start_run(
        "tensorboard:runs",
        experiment="digits",
        name="a",
        uid="u",
        params=params,
        tags={"x": "1"},
        group="g",
    ) as run:
        run.log({"loss": 0.1, "acc": float("inf")}, step=1)
        run.log({"loss": 1e300}, step=2)
        run.tag({"x": "2"})
        run.text("note", "", step=2)
        run.json("vocab", {})
        run.json("vocab", {})
    (read,) = open_runs("tensorboard:runs")

    assert (run.directory, "u", "digits", "a", "g", "FINISHED") == (
        read.directory,
        read.uid,
        read.experiment,
        read.name,
        read.group,
        read.status,
    )
    assert repr(params) == repr(read.params)
    assert {"x": "2"} == read.tags
    assert {"loss": 1e300, "acc": float("inf")} == read.metrics
    assert ((1, 0.1), (2, 1e300)) == read.history("loss")
    assert (("vocab.json",), (), ("note",)) == (read.artifacts, read.images, read.texts)
    assert read.started <= read.ended
    assert read.damage is None


def test_a_run_without_an_end_is_running_or_unfinished(root):
    """While a process writes a run it is running; where none does and no end is recorded, it is unfinished."""
    run = start_run("tensorboard:runs")
    (meanwhile,) = open_runs("tensorboard:runs")
    run.close()
    os.truncate(attempt_path(run.directory), attempt_path(run.directory).stat().st_size - 1)
    (afterwards,) = open_runs("tensorboard:runs")

    assert ("RUNNING", None) == (meanwhile.status, meanwhile.ended)
    assert ("UNFINISHED", None) == (afterwards.status, afterwards.ended)


def test_runs_are_in_the_order_of_their_start(root):
    """Runs of all experiments below the root are listed, the first started first; links are not followed."""
    for experiment, name in (("b", "1"), ("a", "2"), ("b", "3")):
        start_run("tensorboard:runs", experiment=experiment, name=name).close()
    (root / "a" / "loop").symlink_to(root)
    (root / "a" / "empty").mkdir()
    attempt_path(root / "a" / "empty").touch()
    runs = open_runs("tensorboard:runs")

    assert ["1", "2", "3"] == [run.name for run in runs]
    assert 3 == len(runs)
    assert ["1", "3"] == [run.name for run in open_runs("tensorboard:runs/b")]


def test_a_log_that_is_an_artifact_is_no_run(root):
    """An event file that a run keeps among its artifacts belongs to that run."""
    with start_run("tensorboard:runs", name="old") as old:
        pass
    with start_run("tensorboard:runs", name="new") as new:
        new.artifact(attempt_path(old.directory))

    assert ["old", "new"] == [run.name for run in open_runs("tensorboard:runs")]


def test_a_run_is_found_by_uid_or_name(root):
    """A uid always finds its run, a name where it is the only one of that name."""
    for uid, name in (("u1", "a"), ("u2", "b"), ("u3", "b")):
        start_run("tensorboard:runs", uid=uid, name=name).close()
    runs = open_runs("tensorboard:runs")
    with pytest.raises(AmbiguousRun) as ambiguous:
        runs["b"]
    with pytest.raises(UnknownRun) as unknown:
        runs["u4"]

    assert ["u1", "u3"] == [runs["a"].uid, runs["u3"].uid]
    assert (
        f"several runs are called 'b': {root}/default/b, {root}/default/b-2. Ask for one by a uid no other has, or "
        f"read it by itself: open_runs('tensorboard:{root}/default/b')"
    ) == str(ambiguous.value)
    assert f"no run 'u4' in {root}. There is 'a', 'b'." == str(unknown.value)


def test_runs_are_listed_by_number_and_sliced(root):
    """Runs are a sequence too: by number from either end, and a part of them is runs again."""
    for name in "abc":
        start_run("tensorboard:runs", name=name).close()
    runs = open_runs("tensorboard:runs")

    assert ["a", "c"] == [runs[0].name, runs[-1].name]


@pytest.mark.parametrize("number", [99, -4])
def test_a_number_that_no_run_has_is_told(root, number):
    """With how many there are; it is an IndexError, too."""
    for name in "abc":
        start_run("tensorboard:runs", name=name).close()
    runs = open_runs("tensorboard:runs")
    said = []
    for some in (runs, runs[:1], runs[:0]):
        with pytest.raises(NoSuchNumber) as caught:
            some[number]
        said.append(str(caught.value))

    assert isinstance(caught.value, IndexError)
    assert [
        f"no run has the number {number} in {root}: there are 3, from 0 to 2",
        f"no run has the number {number} in {root}: there is one, with the number 0",
        f"no run has the number {number} in {root}: there is none",
    ] == said
    assert ["b", "c"] == [run.name for run in runs[1:]]
    assert "c" == runs[1:]["c"].name


def test_an_unknown_metric_is_an_error_with_a_suggestion(root):
    """The message names the run and the metric that may have been meant."""
    with start_run("tensorboard:runs", name="a") as run:
        run.log({"val/loss": 1.0}, step=1)
    (read,) = open_runs("tensorboard:runs")
    with pytest.raises(UnknownMetric) as caught:
        read.history("val/los")

    assert "the run 'a' has no metric 'val/los'. Did you mean 'val/loss'?" == str(caught.value)


def test_a_damaged_log_is_read_up_to_the_damage(root):
    """What comes before a damaged record is there, and the record says where it ends."""
    with start_run("tensorboard:runs") as run:
        for step in range(3):
            run.log({"loss": 1.0}, step=step)
        path = attempt_path(run.directory)
        end = path.stat().st_size
    data = bytearray(path.read_bytes())
    data[end + 20] ^= 1
    path.write_bytes(data)
    (read,) = open_runs("tensorboard:runs")

    assert "UNFINISHED" == read.status
    assert ((0, 1.0), (1, 1.0), (2, 1.0)) == read.history("loss")
    assert f"of {path} does not match its checksum" in read.damage


def test_a_missing_directory_is_an_error(root):
    """A root that is not there is named."""
    with pytest.raises(RunDirectoryError) as caught:
        open_runs("tensorboard:runs")

    assert (
        f"{root}: there is no such directory. Name the one that the runs were started with"
        == str(caught.value)
    )


def test_a_list_is_not_read(root):
    """Runs are read from one place."""
    with pytest.raises(InvalidTarget) as caught:
        open_runs(["tensorboard:runs"])

    assert (
        "target is ['tensorboard:runs'] (list); runs are read from one place: 'tensorboard:DIR' or 'mlflow:URI'"
    ) == str(caught.value)


def test_what_is_neither_a_name_nor_a_number_is_no_run(root):
    """Anything else is an error that says what runs are found by."""
    start_run("tensorboard:runs", name="a").close()
    with pytest.raises(InvalidName) as caught:
        open_runs("tensorboard:runs")[None]

    assert (
        "the run that is asked for is None; expected a text of at least one character that UTF-8 can write. "
        "Give a uid, a name or a number"
    ) == str(caught.value)


def test_a_run_is_in_the_runs_by_name_by_uid_and_itself(root):
    """What can be asked for is there, and so is what the runs are."""
    start_run("tensorboard:runs", name="a", uid="u").close()
    runs = open_runs("tensorboard:runs")

    assert [True, True, True, False, False] == [
        what in runs for what in ("a", "u", runs["a"], "b", 0)
    ]


def test_a_run_is_in_the_runs_by_what_it_is_called_there(root):
    """What finds a run is in the runs; a truth value is no number; a record is a key."""
    start_run("tensorboard:runs", name="a", uid="u").close()
    runs = open_runs("tensorboard:runs")
    with pytest.raises(InvalidName):
        runs[True]

    assert runs["a"].identity in runs
    assert runs[runs["a"].identity] is runs["a"]
    assert {runs["a"]: 1} == {open_runs("tensorboard:runs")["a"]: 1}


def test_an_artifact_is_downloaded_as_a_whole(root, tmp_path):
    """It is put below a folder under its own path, in the place of what was there; one that is unknown is an error."""
    with start_run("tensorboard:runs") as run:
        run.json("a/b", [1])
    (read,) = open_runs("tensorboard:runs")
    there = tmp_path / "there" / "a" / "b.json"
    there.parent.mkdir(parents=True)
    there.write_text("old")
    file = read.download("a/b.json", tmp_path / "there")
    with pytest.raises(UnknownArtifact):
        read.download("b.json", tmp_path / "there")

    assert there == file
    assert [1] == json.loads(file.read_text())
    assert [file] == [path for path in (tmp_path / "there").rglob("*") if path.is_file()]


def test_runs_are_listed_once_for_many_searches(root, monkeypatch):
    """What was read for one search of a directory is kept for the next."""
    for name in "ab":
        start_run("tensorboard:runs", name=name, params={"n": name, "none": {}}).close()
    looks = []
    real = DirectoryReader.runs
    monkeypatch.setattr(DirectoryReader, "runs", lambda self, *_: looks.append(1) or real(self))
    runs = open_runs("tensorboard:runs")
    found = [[run.name for run in runs.search(f"name = '{name}'")] for name in "abc"]

    assert [["a"], ["b"], []] == found
    assert ["a", "b"] == [run.name for run in runs.search("params.none is not null")]
    assert [1] == looks
