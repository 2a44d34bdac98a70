"""`copy`."""

import json
import shutil

import pytest

from treadle_tracking import open_runs
from treadle_tracking.commands import main

TABLE = """\
OUTCOME  EXPERIMENT  NAME      WHERE
{outcome:7}  digits      baseline  {root}/digits/baseline
{outcome:7}  digits      wider     {root}/digits/wider
{outcome:7}  digits      narrow    {root}/digits/narrow
"""


def test_runs_are_copied_once(five_runs, tmp_path, capsys):
    """A second copy finds them there."""
    arguments = ["copy", "runs/digits", "tensorboard:copies"]

    codes = main(arguments), main(arguments)

    root = tmp_path / "copies"
    assert (0, 0) == codes
    assert (
        TABLE.format(outcome="copied", root=root) + TABLE.format(outcome="there", root=root),
        "",
    ) == capsys.readouterr()
    assert open_runs("tensorboard:runs/digits").json() == [
        {**run, "target": f"tensorboard:{five_runs}/digits", **place}
        for run in open_runs("tensorboard:copies").json()
        for where in [run["directory"].replace(f"{root}", f"{five_runs}")]
        for place in [{"identity": where, "directory": where}]
    ]


def test_some_are_copied_to_another_experiment(five_runs, tmp_path, capsys):
    """Those that meet the filter; what became of them is told as JSON."""
    (tmp_path / "copies").mkdir()
    arguments = ["--filter", "metrics.loss < 0.2", "--experiment", "best", "--json"]

    assert 0 == main(["copy", "runs", "copies", *arguments])
    assert {
        "copied": [
            {
                "uid": "91bc40d7a35e4b7f8c2d6e90b1f3a4c5",
                "name": "wider",
                "experiment": "best",
                "outcome": "copied",
                "identity": f"{tmp_path}/copies/best/wider",
                "problems": [],
            }
        ],
        "failed": [],
    } == json.loads(capsys.readouterr().out)


def test_nothing_to_copy_makes_no_place(five_runs, tmp_path, capsys):
    """It is said why, and the target is not there afterwards."""
    (tmp_path / "empty").mkdir()

    codes = [
        main(["copy", "runs", "tensorboard:copies", "--filter", "name = 'zz'"]),
        main(["copy", "empty", "tensorboard:copies"]),
    ]

    assert [0, 0] == codes
    assert (
        "OUTCOME  EXPERIMENT  NAME  WHERE\n" * 2,
        (
            f"treadle: none of 5 runs in tensorboard:{tmp_path}/runs meets the filter\n"
            f"treadle: there is no run in tensorboard:{tmp_path}/empty\n"
        ),
    ) == capsys.readouterr()
    assert not (tmp_path / "copies").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["search", "name = 'a'"],
        ["show"],
        ["copy", "tensorboard:copies"],
        ["plot", "--out", "x.html"],
        ["export", "--out", "x.csv"],
    ],
)
def test_a_file_store_of_mlflow_is_told_what_to_do_with(tmp_path, monkeypatch, capsys, arguments):
    """MLflow's own command brings its runs into a database."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlruns/0").mkdir(parents=True)
    (tmp_path / "mlruns/0/meta.yaml").touch()
    command, *others = arguments

    main([command, "mlruns", *others])

    folder = f"{tmp_path}/mlruns"
    assert (
        f"treadle: there is no run in tensorboard:{folder} but those of MLflow's old file store, which MLflow itself no "
        f"longer opens. They are brought into a database by: mlflow migrate-filestore --source {folder} --target "
        f"sqlite:///{folder}.db\n"
    ) == capsys.readouterr().err.partition("treadle: there is nothing to draw")[0]


def test_a_target_that_is_not_there_is_named_with_its_scheme(five_runs, capsys):
    """A path that was mistyped makes no new place."""
    assert 2 == main(["copy", "runs", "copies"])
    assert (
        "treadle: target 'copies' names no place that is known; expected 'tensorboard:DIR' or 'mlflow:URI'. "
        "Did you mean 'tensorboard:copies'?\n"
    ) == capsys.readouterr().err


def test_the_same_place_is_no_target(five_runs, capsys):
    """The call is wrong."""
    assert 2 == main(["copy", "runs", "./runs"])
    [said] = capsys.readouterr().err.splitlines()
    assert f"'tensorboard:{five_runs}'" in said


def test_an_experiment_without_a_name_is_no_target(five_runs, capsys):
    """Likewise."""
    assert 2 == main(["copy", "runs", "tensorboard:copies", "--experiment", ""])
    assert capsys.readouterr().err.startswith("treadle: the name of an experiment is ''; expected")


def test_what_is_not_copied_as_a_whole_is_told(five_runs, tmp_path, capsys):
    """The others are copied; the exit code is 1."""
    (five_runs / "digits/baseline/artifacts/notes.md").unlink()

    code = main(["copy", "runs/digits", "tensorboard:copies"])

    out, err = capsys.readouterr()
    assert 1 == code
    assert out.count("\n") >= 3
    assert "notes.md" in err
    assert 1 == err.count("\n")


def test_what_cannot_be_copied_is_told(five_runs, tmp_path, capsys):
    """What was copied is in the table, and the reason in a sentence with what to do."""
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies/letters").write_text("in the way")

    code = main(["copy", "runs", "tensorboard:copies", "--json"])

    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert 1 == code
    assert ["baseline", "wider", "narrow"] == [one["name"] for one in answer["copied"]]
    assert ["3fe8d2a04b614c9f91e7a05c3d82b6f1", "e5a1730cd84b49f6a2c95b0e71d6f384"] == [
        one["uid"] for one in answer["failed"]
    ]
    assert err.startswith(
        f"treadle: 2 runs did not reach tensorboard:{tmp_path}/copies, and 3 did; copy again to"
    )


def test_a_source_without_runs_copies_nothing(five_runs, tmp_path, capsys):
    """It is said why, and nothing has gone wrong."""
    shutil.rmtree(five_runs / "letters")
    code = main(["copy", "runs", "tensorboard:copies", "--filter", "metrics.lss < 1"])

    assert (
        0,
        "OUTCOME  EXPERIMENT  NAME  WHERE\n",
        (
            f"treadle: none of 3 runs in tensorboard:{tmp_path}/runs meets the filter\n"
            "treadle: no run has a metric 'lss'. Did you mean 'loss'?\n"
        ),
    ) == (code, *capsys.readouterr())
