"""`export`."""

import csv
import json
from errno import ENOSPC
from pathlib import Path

import pytest

from treadle_tracking import open_runs, start_run
from treadle_tracking.commands import main
from treadle_tracking.reading.directories import DirectoryReader


def test_runs_are_rows(five_runs, tmp_path, capsys):
    """With texts in quotes and all else without, and nothing for what is not there."""
    assert 0 == main(["export", "runs", "metrics.loss < 1", "--out", "runs.csv"])
    assert ("runs.csv: 2 runs\n", "") == capsys.readouterr()
    assert (
        '"uid","name","experiment","group","status","started","ended","duration","params.batch_size","params.clip",'
        '"params.optim.lr","params.optim.name","params.width","tags.outcome","metrics.loss","metrics.val/loss"\n'
        '"3f2a91bc6f0d4e1c9a7be2d15f60c834","baseline","digits",,"FINISHED","2026-11-22T09:00:00.000Z",'
        '"2026-11-22T09:03:12.000Z",192.0,32,,0.001,"adam",,"good",0.21,0.35\n'
        '"91bc40d7a35e4b7f8c2d6e90b1f3a4c5","wider","digits",,"FINISHED","2026-11-22T10:00:00.000Z",'
        '"2026-11-22T11:15:10.000Z",4510.0,32,,0.0003,"adam",256,"good, but slow",0.12,0.22\n'
    ) == (tmp_path / "runs.csv").read_text()


PARAMS = {
    "lines": 'one\r\n"two", three',
    "number": "1e-3",
    "nothing": None,
    "empty": "",
    "truth": True,
    "list": [1, "zwei", None],
    "large": 2**70,
    "tree": {"x": float("inf"), "y": {}},
}


def test_every_value_can_be_read_back(tmp_path, monkeypatch):
    """By anything that reads CSV as RFC 4180 has it, and numbers to the last bit."""
    monkeypatch.chdir(tmp_path)
    with start_run("tensorboard:runs", name="日本\n語", params=PARAMS) as run:
        run.log({"loss": 0.1 + 0.2}, step=1)

    main(["export", "runs", "--out", "runs.csv"])

    with Path("runs.csv").open(encoding="utf-8", newline="") as file:
        header, row = csv.reader(file)
    values = dict(zip(header, row, strict=True))
    assert {
        "name": "日本\n語",
        "params.empty": "",
        "params.large": str(2**70),
        "params.lines": 'one\r\n"two", three',
        "params.list": '[1, "zwei", null]',
        "params.nothing": "",
        "params.number": "1e-3",
        "params.tree.x": "inf",
        "params.tree.y": "{}",
        "params.truth": "True",
    } == {name: value for name, value in values.items() if name.startswith(("name", "params"))}
    assert 0.1 + 0.2 == float(values["metrics.loss"])


def test_the_columns_are_those_of_the_data_frame(five_runs):
    """The same names in the same order, for runs and for histories."""
    pytest.importorskip("pandas", reason="needs the extra treadle-tracking[frames]")
    main(["export", "runs", "--out", "runs.csv"])
    main(["export", "runs", "--out", "points.csv", "--history"])

    runs = open_runs("tensorboard:runs")
    for file, frame in (("runs.csv", runs.dataframe()), ("points.csv", runs.history())):
        with Path(file).open(encoding="utf-8", newline="") as opened:
            header, *rows = csv.reader(opened)
        assert list(frame.columns) == header
        assert list(frame["uid"]) == [row[0] for row in rows]


def test_histories_are_points(five_runs, tmp_path, capsys):
    """In the order of the runs, then by metric; those of some metrics, if they are named."""
    main(["export", "runs", "--history", "--metrics", "val/loss", "--out", "-"])

    assert (
        (
            '"uid","name","metric","step","time","value"\n'
            '"3f2a91bc6f0d4e1c9a7be2d15f60c834","baseline","val/loss",1,"2026-11-22T09:00:01.000Z",0.8\n'
            '"3f2a91bc6f0d4e1c9a7be2d15f60c834","baseline","val/loss",2,"2026-11-22T09:00:02.000Z",0.31\n'
            '"3f2a91bc6f0d4e1c9a7be2d15f60c834","baseline","val/loss",3,"2026-11-22T09:00:03.000Z",0.35\n'
            '"91bc40d7a35e4b7f8c2d6e90b1f3a4c5","wider","val/loss",1,"2026-11-22T10:00:01.000Z",0.6\n'
            '"91bc40d7a35e4b7f8c2d6e90b1f3a4c5","wider","val/loss",2,"2026-11-22T10:00:02.000Z",0.28\n'
            '"91bc40d7a35e4b7f8c2d6e90b1f3a4c5","wider","val/loss",3,"2026-11-22T10:00:03.000Z",0.22\n'
            '"3fe8d2a04b614c9f91e7a05c3d82b6f1","baseline","val/loss",1,"2026-11-22T12:00:01.000Z",2.4\n'
            '"e5a1730cd84b49f6a2c95b0e71d6f384","longer","val/loss",1,"2026-11-22T13:00:01.000Z",2.4\n'
            '"e5a1730cd84b49f6a2c95b0e71d6f384","longer","val/loss",2,"2026-11-22T13:00:02.000Z",1.7\n'
        ),
        "",
    ) == capsys.readouterr()


def test_runs_are_json(five_runs, tmp_path, capsys):
    """As `list --json` has them, the first started first, in a file or on stdout."""
    main(["list", "runs", "--json", "--order-by", "started"])
    listed = json.loads(capsys.readouterr().out)
    main(["export", "runs", "--out", "runs.JSON"])
    capsys.readouterr()
    main(["export", "runs", "--out", "-", "--format", "json"])

    assert listed == json.loads((tmp_path / "runs.JSON").read_text())
    assert (tmp_path / "runs.JSON").read_text() == capsys.readouterr().out


def test_histories_are_json(five_runs, capsys):
    """A list of points; NaN is what it is in all of our JSON."""
    main(["export", "runs/letters/baseline", "--history", "--format", "json", "--out", "-"])

    points = json.loads(capsys.readouterr().out)
    assert [("loss", 1, 2.5), ("loss", 2, {"$float": "nan"}), ("val/loss", 1, 2.4)] == [
        (point["metric"], point["step"], point["value"]) for point in points
    ]
    assert "2026-11-22T12:00:01.000Z" == points[0]["time"]


@pytest.mark.parametrize("history", [[], ["--history"]])
def test_no_runs_are_an_empty_file(five_runs, capsys, history):
    """It has the form that it would have with runs in it."""
    main(["export", "runs", "name = 'nobody'", "--out", "-", *history])
    header = capsys.readouterr().out
    main(["export", "runs", "name = 'nobody'", "--out", "-", "--format", "json", *history])

    assert header.startswith('"uid","name",')
    assert 1 == header.count("\n")
    assert "[\n]\n" == capsys.readouterr().out


def test_parquet_keeps_the_types(five_runs, tmp_path):
    """Those of the DataFrame, with JSON for what is of several types."""
    pd = pytest.importorskip("pandas", reason="needs the extra treadle-tracking[frames]")
    pytest.importorskip("pyarrow", reason="needs the extra treadle-tracking[frames]")
    start_run("tensorboard:runs", params={"width": "wide", "betas": [0.9, 0.99]}).close()

    main(["export", "runs", "--out", "runs.parquet"])
    main(["export", "runs", "--out", "points.parquet", "--history"])

    runs = pd.read_parquet("runs.parquet")
    frame = open_runs("tensorboard:runs").dataframe()
    typed = [name for name in frame if frame[name].dtype != object]
    assert [str(frame[name].dtype) for name in typed] == [str(runs[name].dtype) for name in typed]
    assert list(frame.columns) == list(runs.columns)
    assert {"256", "16", '"wide"'} == set(runs["params.width"].dropna())
    assert ["[0.9, 0.99]"] == list(runs["params.betas"].dropna())
    assert 20 == len(pd.read_parquet("points.parquet"))


def test_what_json_and_utf_8_have_no_words_for_is_written_as_it_is_elsewhere(tmp_path, monkeypatch):
    """A NaN in a list is an object, in CSV and Parquet alike, and a half of a surrogate pair its escape."""
    pd = pytest.importorskip("pandas", reason="needs the extra treadle-tracking[frames]")
    pytest.importorskip("pyarrow", reason="needs the extra treadle-tracking[frames]")
    monkeypatch.chdir(tmp_path)
    params = {"list": [float("nan"), 1], "half": "\ud800", "\udc80": 1}
    start_run("tensorboard:runs", params=params).close()

    assert 0 == main(["export", "runs", "--out", "runs.csv"])
    assert 0 == main(["export", "runs", "--out", "runs.parquet"])

    with Path("runs.csv").open(encoding="utf-8", newline="") as file:
        header, row = csv.reader(file)
    expected = {
        "params.list": '[{"$float": "nan"}, 1]',
        "params.half": "\\ud800",
        "params.\\udc80": "1",
    }
    written = dict(zip(header, row, strict=True))
    [read] = pd.read_parquet("runs.parquet").to_dict("records")
    assert expected == {name: written[name] for name in expected}
    assert expected == {name: str(read[name]) for name in expected}


def test_a_file_that_is_there_stays_as_it_is(five_runs, tmp_path, capsys):
    """Unless it is forced."""
    (tmp_path / "runs.csv").write_text("mine")
    first = main(["export", "runs", "--out", "runs.csv"])
    left = (tmp_path / "runs.csv").read_text()
    second = main(["export", "runs", "--out", "runs.csv", "--force"])

    assert (2, "mine", 0) == (first, left, second)
    assert (
        "treadle: 'runs.csv' is there: give --force if it is to be replaced\n"
        == capsys.readouterr().err
    )
    assert "mine" != (tmp_path / "runs.csv").read_text()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_half_a_file_is_never_there(five_runs, tmp_path, monkeypatch, error):
    """Whatever happens in the middle of it."""
    histories = DirectoryReader.histories

    def interrupted(self, runs, names=None):
        yield from histories(self, runs, names)
        raise error

    monkeypatch.setattr(DirectoryReader, "histories", interrupted)
    before = sorted(tmp_path.iterdir())

    code = main(["export", "runs", "--history", "--out", "points.csv"])

    assert (130 if error is KeyboardInterrupt else 1) == code
    assert before == sorted(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_named(five_runs, tmp_path, monkeypatch, capsys):
    """As it was called."""
    name = "x" * 250 + ".csv"

    assert 1 == main(["export", "runs", "--out", "y" * 300 + ".csv"])
    assert f"treadle: {'y' * 300}.csv: File name too long\n" == capsys.readouterr().err
    assert 0 == main(["export", "runs", "--out", name])
    assert (tmp_path / name).exists()


def test_a_file_without_room_is_named(five_runs, tmp_path, monkeypatch, capsys):
    """Though the system does not say of which file there is too little."""

    def full(*given):
        yield "a"
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr("treadle_tracking.commands.export.runs_csv", full)

    assert 1 == main(["export", "runs", "--out", "x.csv"])
    assert "treadle: x.csv: No space left on device\n" == capsys.readouterr().err
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--out", "runs.txt"],
            "--out is 'runs.txt'; expected a name that ends in .csv, .json or .parquet, or --format beside it",
        ),
        (
            ["--out", "-", "--format", "parquet"],
            "Parquet is no text for stdout: name a file, as in --out runs.parquet",
        ),
        (
            ["--out", "x.csv", "--metrics", "loss"],
            "--metrics is for --history: without it, every metric has a column",
        ),
        (
            ["--out", "x.csv", "--history", "--metrics", "loss,lss"],
            "none of the 5 runs has a metric 'lss'. Did you mean 'loss'?",
        ),
        (["--out", "no/x.csv"], "--out is 'no/x.csv', and there is no directory 'no'"),
    ],
)
def test_a_wrong_call_is_told(five_runs, tmp_path, capsys, arguments, said):
    """And nothing is written."""
    assert 2 == main(["export", "runs", *arguments])
    assert ("", f"treadle: {said}\n") == capsys.readouterr()
    assert [five_runs] == list(tmp_path.iterdir())
