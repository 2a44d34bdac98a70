"""The demo, as a command, on real digits."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from treadle.demo.command import demo as call_demo
from treadle_tracking import open_runs


def demo(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `treadle demo` in a directory."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "treadle", "demo", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo ran once, as it is."""
    home = tmp_path_factory.mktemp("demo")
    done = demo(cwd=home)
    (home / "stdout").write_text(done.stdout)
    (home / "stderr").write_text(done.stderr)
    assert 0 == done.returncode, done.stderr
    return home


def test_the_demo_learns_to_read(home: Path) -> None:
    """Ten epochs reach 97 % on held-out digits."""
    [run] = open_runs(f"tensorboard:{home / 'runs'}")

    assert run.history("val/accuracy")[-1][1] >= 0.97


def test_the_demo_says_what_it_did(home: Path) -> None:
    """Every epoch prints exact counts, and the end says where everything went and what opens it."""
    said = (home / "stdout").read_text()

    assert (
        len(re.findall(r"^epoch \d+: trained 1437 records in 45 batches, ", said, re.MULTILINE))
        == 10
    )
    assert (
        len(re.findall(r"^epoch \d+: validated 360 records in 12 batches, ", said, re.MULTILINE))
        == 10
    )
    assert f"treadle runs plot {home / 'runs'} --out runs.html --open" in said
    assert f"tensorboard --logdir {home / 'runs'}" in said
    assert f"mlflow ui --backend-store-uri sqlite:///{home / 'mlflow.db'}" in said
    assert (home / "stderr").read_text() == ""


def test_the_demo_leaves_a_whole_run(home: Path) -> None:
    """The run has its parameters, typed, its curves, a figure and the trained weights."""
    [run] = open_runs(f"tensorboard:{home / 'runs'}")

    assert "FINISHED" == run.status
    assert "digits" == run.experiment
    assert {"batch_size": 32, "held_out": 360} == run.params["data"]
    assert {"lr": 1e-3, "weight_decay": 0.01} == run.params["optim"]
    assert "10 epochs" == run.params["until"]
    assert list(range(45, 451, 45)) == [step for step, _ in run.history("val/accuracy")]
    assert list(range(50, 451, 50)) == [step for step, _ in run.history("train/loss")]
    assert {"model.pt"} == set(run.artifacts)
    assert {"misclassified"} == set(run.images)


def test_a_reader_that_leaves_does_not_end_the_training(tmp_path: Path) -> None:
    """Piped into `head`, the demo trains to its end, without a traceback."""
    command = (
        f"{sys.executable} -m treadle demo --until '2 epochs' --track tensorboard:runs | head -1"
    )
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    [run] = open_runs(f"tensorboard:{tmp_path / 'runs'}")

    assert "" == done.stderr
    assert "FINISHED" == run.status
    assert [45, 90] == [step for step, _ in run.history("val/loss")]


def test_help_is_made_from_the_schema(tmp_path: Path) -> None:
    """`--help` names every field with its default, and runs nothing."""
    done = demo("--help", cwd=tmp_path)

    assert 0 == done.returncode
    for flag in ["--data.batch_size", "--optim.lr", "--until", "--track", "--device", "--config"]:
        assert flag in done.stdout.replace("-size", "_size")
    assert [] == list(tmp_path.iterdir())


WRONG = {
    "an unknown flag": (["--optim.lrr", "1"], ["--optim.lrr", "optim.lr"]),
    "a malformed length": (["--until", "5 parsecs"], ["--until", "parsecs", "epochs"]),
    "a bare number for a length": (["--until", "5"], ["--until", "5 epochs"]),
    "a mistyped number": (["--data.batch_size", "3O"], ["--data.batch_size", "int", "3O"]),
    "a number out of range": (["--data.batch_size", "-1"], ["data.batch_size", "-1"]),
    "a number without end": (["--optim.lr", "inf"], ["--optim.lr", "inf"]),
    "a seed beyond 64 bits": (["--seed", "99999999999999999999"], ["--seed"]),
    "a length that is not counted": (["--until", "9 tokens"], ["--until", "tokens", "records"]),
    "a missing file": (["--config", "gone.yaml"], ["gone.yaml"]),
    "a missing value": (["--until"], ["--until"]),
    "an unknown backend": (["--track", "tensorbord:x"], ["tensorbord", "tensorboard:"]),
    "an unknown device": (["--device", "gpu"], ["gpu", "cpu"]),
    "an unwritable directory": (["--track", "tensorboard:/proc/runs"], ["/proc/runs"]),
    "a file in the way": (["--track", f"tensorboard:{__file__}"], [__file__]),
    "a database that cannot be made": (
        ["--track", "mlflow:sqlite:////proc/mlflow.db", "--until", "1 step"],
        ["/proc/mlflow.db"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_bad_input_is_one_message(case: str, tmp_path: Path) -> None:
    """Bad input is a message that names it, exit code 2, no traceback, and nothing written."""
    arguments, named = WRONG[case]
    done = demo(*arguments, cwd=tmp_path)

    assert 2 == done.returncode, done.stderr
    assert "" == done.stdout
    assert "Traceback" not in done.stderr
    assert [] == [word for word in named if word not in done.stderr]
    assert [] == list(tmp_path.iterdir())


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Two mistakes, in a file and on the command line, are told together, each with its place."""
    (tmp_path / "train.yaml").write_text("data:\n  batch_size: many\n")
    done = demo("--config", "train.yaml", "--optim.lr", "fast", cwd=tmp_path)

    assert 2 == done.returncode
    assert "train.yaml:2" in done.stderr
    assert "--optim.lr" in done.stderr


def test_the_command_line_beats_the_file(tmp_path: Path) -> None:
    """A value given on the command line wins over the file, wherever `--config` stands."""
    (tmp_path / "train.yaml").write_text("until: 1 epoch\noptim: {lr: 2e-3}\n")
    arguments = ["--optim.lr", "3e-3", "--config", "train.yaml", "--track", "tensorboard:logs"]
    done = demo(*arguments, cwd=tmp_path)
    [run] = open_runs(f"tensorboard:{tmp_path / 'logs'}")

    assert (0, "") == (done.returncode, done.stderr)
    assert {"lr": 3e-3, "weight_decay": 0.01} == run.params["optim"]
    assert [45] == [step for step, _ in run.history("val/loss")]


def test_a_dict_is_a_layer_below_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Called from python, a dict says everything that a file could, and flags override it."""
    monkeypatch.chdir(tmp_path)
    values = {"until": "1 step", "track": ["tensorboard:logs"], "optim": {"lr": 2e-3}, "seed": 1}
    call_demo(["--seed", "2"], values)
    [run] = open_runs("tensorboard:logs")

    assert (2e-3, 2) == (run.params["optim"]["lr"], run.params["seed"])


def test_the_learning_rate_follows_the_batch_size(tmp_path: Path) -> None:
    """A linked field follows its input until it is set."""
    done = demo(
        "--data.batch_size", "64", "--until", "1 step", "--track", "tensorboard:logs", cwd=tmp_path
    )
    [run] = open_runs(f"tensorboard:{tmp_path / 'logs'}")

    assert (0, "") == (done.returncode, done.stderr)
    assert 2e-3 == run.params["optim"]["lr"]
