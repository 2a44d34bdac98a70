"""The command line, of runs that are in a database of MLflow's."""

import json
from pathlib import Path

import pytest

from treadle_tracking.commands import main

pytestmark = pytest.mark.slow

MLFLOW = "mlflow:sqlite:///mlflow.db"


@pytest.fixture(scope="module")
def place(tmp_path_factory, write_five_runs):
    """A directory with the five runs in directories and in a database."""
    pytest.importorskip("mlflow", reason="needs the extra treadle-tracking[mlflow]")
    pytest.importorskip("sqlalchemy", reason="needs the extra treadle-tracking[mlflow]")
    place = tmp_path_factory.mktemp("place")
    write_five_runs(place / "runs")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(place)
        # MLflow has no word for a run that just stops.
        assert 0 == main(["doctor", "runs", "--fix"])
        assert 0 == main(["copy", "runs", MLFLOW])
    return place


@pytest.fixture
def copied(place, monkeypatch, utc):
    """The current directory is that one."""
    monkeypatch.chdir(place)
    return place / "runs"


def test_both_places_answer_alike(copied, capsys):
    """Tables, files and comparisons are the same."""
    answers = []
    for target in ("runs", MLFLOW):
        main(["list", target, "--columns", "uid,name,experiment,started,duration,params.optim.lr"])
        main(["list", target, "--columns", "name,metrics['val/loss'],metrics['val/loss'].min"])
        main(["search", target, "metrics['val/loss'].max > 1 and params.batch_size = 32"])
        main(["compare", target, "digits/baseline", "wider", "--diff"])
        main(["export", target, "experiment = 'digits'", "--out", "-"])
        main(["export", target, "--history", "--out", "-"])
        main(["export", target, "--history", "--out", "-", "--format", "json"])
        answers.append(capsys.readouterr())

    assert answers[0] == answers[1]


def test_runs_are_shown_as_json_alike(copied, capsys):
    """But for where they are."""
    found = []
    for target in ("runs", MLFLOW):
        main(["show", target, "3f2a", "--json"])
        found.append(json.loads(capsys.readouterr().out))
    where = ("target", "identity", "directory", "url")

    assert {name: value for name, value in found[0].items() if name not in where} == {
        name: value for name, value in found[1].items() if name not in where
    }


def test_artifacts_of_mlflow_are_downloaded(copied, capsys):
    """The very bytes."""
    assert 0 == main(["artifacts", MLFLOW, "3f2a"])
    assert "PATH\nmodels/last.bin\nnotes.md\n" == capsys.readouterr().out

    assert 0 == main(["artifacts", MLFLOW, "3f2a", "--all", "--out", "here"])
    for path in ("models/last.bin", "notes.md"):
        original = copied / "digits/baseline/artifacts" / path
        assert original.read_bytes() == Path("here", path).read_bytes()


def test_a_run_is_compared_with_itself_elsewhere(copied, capsys):
    """Nothing differs."""
    main(["compare", "runs", "3f2a", f"{MLFLOW}#3f2a", "--json"])

    compared = json.loads(capsys.readouterr().out)
    assert compared["is_same"]
    assert ["baseline (tensorboard)", "baseline (mlflow)"] == [
        run["label"] for run in compared["runs"]
    ]


def test_a_second_copy_adds_nothing(copied, capsys):
    """Nor does one back."""
    for arguments in (["runs", MLFLOW], [MLFLOW, "tensorboard:runs"]):
        assert 0 == main(["copy", *arguments])
        assert ["OUTCOME", *["there"] * 5] == [
            line.split()[0] for line in capsys.readouterr().out.splitlines()
        ]


def test_types_are_inferred_where_that_is_asked_for(place, tmp_path, monkeypatch, capsys):
    """Runs of others have texts alone; what reads them says how to get numbers, and a copy has them."""
    client = pytest.importorskip("mlflow").MlflowClient(f"sqlite:///{tmp_path}/theirs.db")
    experiment = client.create_experiment("theirs", artifact_location=str(tmp_path / "files"))
    for number in range(2):
        info = client.create_run(experiment, run_name=f"run {number}").info
        client.log_param(info.run_id, "lr", 0.1 * (number + 1))
        client.set_terminated(info.run_id)
    monkeypatch.chdir(tmp_path)
    target, asked = "mlflow:sqlite:///theirs.db", "params.lr < 0.15"
    capsys.readouterr()

    assert 0 == main(["search", target, asked])
    assert (
        f"treadle: none of 2 runs in mlflow:sqlite:///{tmp_path}/theirs.db meets the filter\n"
        "treadle: the parameter 'lr' is a text in 2 runs, such as '0.1', and is compared with a number: --infer-types reads "
        "such texts as numbers\n"
    ) == capsys.readouterr().err
    answers = []
    for arguments in (
        ["search", target, asked, "--columns", "name"],
        ["list", target, "--columns", "params.lr", "--order-by", "params.lr", "--limit", "1"],
        ["export", target, asked, "--out", "-"],
        ["compare", target, "run 0", "run 1", "--diff"],
        ["show", target, "run 0"],
        ["copy", target, "tensorboard:copies", "--filter", asked],
    ):
        assert 0 == main([*arguments, "--infer-types"])
        answers.append(capsys.readouterr().out)
    assert 0 == main(["plot", target, asked, "--out", "x.html", "--infer-types"])
    assert "NAME\nrun 0\n" == answers[0]
    assert " lr\n0.1\n" == answers[1]
    assert ",0.1," in answers[2].splitlines()[1] + ","
    assert "- lr: 0.1\n" in answers[3]
    assert "  lr  0.1\n" in answers[4]

    # A copy that has types keeps them, whichever way it is made again.
    capsys.readouterr()
    assert 0 == main(["copy", target, "tensorboard:copies", "--json"])
    outcomes = [one["outcome"] for one in json.loads(capsys.readouterr().out)["copied"]]
    assert ["there", "copied"] == outcomes
    assert 0 == main(["search", "tensorboard:copies", asked, "--columns", "name"])
    assert "NAME\nrun 0\n" == capsys.readouterr().out
