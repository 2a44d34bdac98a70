"""Runs that are sent to a place that another package brings."""

import json
import re
import sys
from pathlib import Path

import pytest

from treadle_tracking import open_runs, start_run, sync
from treadle_tracking.errors import TrackingError

GUIDE = Path(__file__).parents[3] / "docs" / "backends.md"


@pytest.fixture
def jsonl(tmp_path, monkeypatch):
    """The mirror and the reader of the guide, installed as a package."""
    if not GUIDE.exists():
        pytest.skip("needs the guide docs/backends.md")
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    code = "".join(blocks[:2])
    folder = tmp_path / "site"
    metadata = folder / "jsonl-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: jsonl\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[treadle_tracking.backends]\njsonl = jsonl_backend\n"
    )
    (folder / "jsonl_backend.py").write_text(code)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "jsonl_backend", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _losses(folder):
    [file] = folder.glob("*.jsonl")
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    return [entry["values"]["loss"] for entry in entries if entry["kind"] == "Scalars"]


def test_a_run_goes_to_each_of_several_places(jsonl):
    """A list of targets is one directory and its mirrors, whoever brings them."""
    with start_run(["tensorboard:runs", "jsonl:a", "jsonl:b"], experiment="e", name="n") as run:
        for step in range(3):
            run.log({"loss": step / 2}, step=step)

    assert (f"jsonl:{jsonl}/a", f"jsonl:{jsonl}/b") == run.mirrors == run.mirrored
    assert [0.0, 0.5, 1.0] == _losses(jsonl / "a") == _losses(jsonl / "b")


def test_sync_knows_a_place_again(jsonl):
    """What a place of another package has not got, `sync` sends there by what the run directory says."""
    (jsonl / "lines").write_text("a file in the way")
    with start_run("jsonl:lines", directory="runs", experiment="e", name="n") as run:
        run.log({"loss": 0.5}, step=1)
    (jsonl / "lines").unlink()
    before = run.mirrored

    sent = sync(run.directory)

    assert ((), [f"jsonl:{jsonl}/lines"], [0.5]) == (before, sent, _losses(jsonl / "lines"))


def test_a_run_may_get_a_place_later(jsonl):
    """`sync` sends a run that was recorded without a mirror to one that another package brings."""
    with start_run("tensorboard:runs", experiment="e", name="n") as run:
        run.log({"loss": 0.5}, step=1)

    sync(run.directory, to="jsonl:lines")

    assert [0.5] == _losses(jsonl / "lines")


def test_runs_are_read_there_as_from_their_directories(jsonl):
    """A place that another package brings is opened by its scheme; a run there is what its directory has."""
    target = ["tensorboard:runs", "jsonl:lines"]
    with start_run(target, experiment="e", name="n", group="g", params={"lr": [0.1, None]}) as run:
        run.log({"loss": float("inf")}, step=1)
        run.tag({"note": ""})
        run.rewind(1)
        run.log({"loss": 0.5}, step=1)
    [there], [here] = open_runs("jsonl:lines"), open_runs("tensorboard:runs")
    shown = "uid", "name", "experiment", "group", "status", "started", "ended", "params", "tags"

    assert [getattr(here, one) for one in shown] == [getattr(there, one) for one in shown]
    assert ({"loss": 0.5}, list(here.points("loss"))) == (there.metrics, list(there.points("loss")))
    assert f"jsonl:{jsonl}/lines" == there.target


def test_a_place_that_is_not_there_is_told_and_not_made(jsonl):
    """What a reader says of its address is what the user reads."""
    with pytest.raises(TrackingError) as caught:
        open_runs("jsonl:lines")

    assert f"{jsonl}/lines: there is no such directory. Name the one that runs were sent to" == str(
        caught.value
    )
    assert not (jsonl / "lines").exists()


@pytest.mark.parametrize("uri", ["http://me:hush@127.0.0.1:9", "http://hush@127.0.0.1:9/a"])
def test_no_secret_is_kept_or_said(tmp_path, capfd, uri):
    """A password or token in a target is in no file of the run directory, and in nothing that the user reads."""
    with start_run([f"tensorboard:{tmp_path}", f"mlflow:{uri}"], experiment="e", name="n") as run:
        run.log({"loss": 0.5}, step=1)
        run.close(timeout=0.1)

    kept = b"".join(path.read_bytes() for path in run.directory.rglob("*") if path.is_file())
    said = capfd.readouterr().err + repr(run) + str(run.mirrors)

    assert (False, False, True) == (b"hush" in kept, "hush" in said, "***" in said)
