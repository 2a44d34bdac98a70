"""A script in one line, as a program of its own: what it is told, what its run has, how it goes on."""

import json
import os
import pty
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from attrs import frozen

from treadle.errors import WrongArgument
from treadle.launching import launch
from treadle_tracking import Run, open_runs
from treadle_units import Epochs, Length, Steps

SCRIPT = """
import os, signal, sys
import torch
from attrs import frozen
import treadle

@frozen
class Optim:
    lr: float = 0.1

@frozen
class Config:
    "Learns a sum."
    optim: Optim = Optim()
    until: treadle.Limit = treadle.parse("3 epochs")
    stop_at: int = 0

def main(config: Config, run: treadle.Run) -> None:
    "Learn a sum."
    torch.manual_seed(0)
    x = torch.randn(20, 2)
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=config.optim.lr)
    engine = treadle.Engine(model, treadle.supervised(torch.nn.functional.mse_loss), optimizer)
    loader = treadle.TensorLoader(x, x.sum(1, keepdim=True), batch_size=4, shuffle=True, seed=0)
    kwargs = dict(until=config.until, log="1 step", checkpoint="2 steps", run=run)
    for moment in treadle.training(engine, loader, **kwargs):
        if moment.counts.steps == int(os.environ.get("STOP_AT", 0)):
            os.kill(os.getpid(), int(os.environ["SIGNAL"]))

if __name__ == "__main__":
    treadle.launch(main)
"""


@pytest.fixture(autouse=True)
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "sums.py"
    path.write_text(SCRIPT)
    return path


def start(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "sums.py", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_run_has_the_config_its_provenance_and_the_command(script: Path) -> None:
    """Parameters are the config; where each came from, the environment and how to go on are beside them."""
    done = start("--optim.lr", "0.05")
    assert 0 == done.returncode, done.stderr
    [run] = open_runs("tensorboard:runs")
    assert run.directory is not None
    launched = run.directory / "artifacts" / "launch"

    assert ("sums", "FINISHED") == (run.experiment, run.status)
    assert {"optim": {"lr": 0.05}, "until": "3 epochs", "stop_at": 0} == run.params
    assert "cli --optim.lr" == json.loads((launched / "provenance.json").read_text())["optim.lr"]
    assert "torch" in json.loads((launched / "environment.json").read_text())["packages"]
    assert (
        shlex.join(
            [
                sys.executable,
                "sums.py",
                "--optim.lr",
                "0.05",
                "--run.uid",
                run.uid,
                "--run.resume",
                "must",
            ]
        )
        == run.tags["command"]
    )
    assert 15 == len(run.history("train/loss"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
def test_the_same_command_again_goes_on(number: int, code: int) -> None:
    """A script that was killed, or told to stop, is started again by the same words, and is then one run, exactly."""
    start("--run.name", "whole")
    ended = start(STOP_AT="7", SIGNAL=str(int(number)))
    again = start()
    runs = open_runs("tensorboard:runs")
    [other] = [run for run in runs if run.name != "whole"]

    assert (code, 0) == (ended.returncode, again.returncode), again.stderr
    assert 2 == len(runs)
    assert runs["whole"].history("train/loss") == other.history("train/loss")
    if number != signal.SIGKILL:
        command = shlex.join(
            [sys.executable, "sums.py", "--run.uid", other.uid, "--run.resume", "must"]
        )
        assert f"sums.py: stopped; the run is KILLED; to resume it: {command}\n" in ended.stderr
        assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_another_config_is_shown_and_needs_a_flag() -> None:
    """A run that is named goes on with another config only where that is said."""
    start("--run.name", "a", STOP_AT="7", SIGNAL="9")
    refused = start("--run.name", "a", "--optim.lr", "0.2")
    [before] = open_runs("tensorboard:runs")
    allowed = start("--run.name", "a", "--optim.lr", "0.2", "--run.changed")
    [after] = open_runs("tensorboard:runs")

    assert (1, 0) == (refused.returncode, allowed.returncode)
    assert (
        f"sums.py: the run in {before.directory} had other parameters: optim.lr was 0.1 and is 0.2. Start another run, or "
        "resume this one with the new ones: --run.changed\n"
    ) == refused.stderr
    assert ({"lr": 0.1}, {"lr": 0.2}) == (before.params["optim"], after.params["optim"])


def seen_on_a_terminal(*words: str) -> str:
    """What is on a terminal that stderr alone is connected to."""
    reading, writing = pty.openpty()
    program = [sys.executable, "sums.py", *words]
    done = subprocess.run(program, stdout=subprocess.PIPE, stderr=writing, check=False)
    os.close(writing)
    assert (0, b"") == (done.returncode, done.stdout)
    try:
        return os.read(reading, 4096).decode()
    finally:
        os.close(reading)


@pytest.mark.slow
def test_a_terminal_is_told_where_the_run_is() -> None:
    """In one line, as a new run begins or as one goes on; in a pipe a script that goes well says nothing."""
    start("--run.name", "a", STOP_AT="7", SIGNAL="9")
    again = seen_on_a_terminal("--run.name", "a")
    new = seen_on_a_terminal("--run.name", "b")
    piped = start("--run.name", "c")
    runs = open_runs("tensorboard:runs")
    show = f"treadle runs show {Path.cwd() / 'runs'} {runs['b'].uid[:8]}"

    assert f"treadle: the run in {runs['a'].directory} goes on\r\n" == again
    assert f"sums.py: the run is in {runs['b'].directory}; to look at it: {show}\r\n" == new
    assert (0, "", "") == (piped.returncode, piped.stdout, piped.stderr)


@pytest.mark.slow
def test_a_closed_stderr_ends_no_script() -> None:
    """A script that goes well goes as well without one."""
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" sums.py 2>&-', sys.executable], capture_output=True, check=False
    )

    assert (0, b"") == (done.returncode, done.stdout)


def test_mistakes_are_messages() -> None:
    """Of the config and of the run, with the words of the command line."""
    unknown, misspelled, choice, target = (
        start("--optim.rl", "3"),
        start("--run.nmae", "a"),
        start("--run.resume", "perhaps"),
        start("--run.target", "nowhere"),
    )

    assert [2, 2, 2, 2] == [one.returncode for one in (unknown, misspelled, choice, target)]
    assert (
        "sums.py: run.nmae (cli --run.nmae): expected the flag of a setting, got '--run.nmae'; did you mean --run.name?\n"
        "sums.py --help lists every setting\n"
    ) == misspelled.stderr
    assert "optim.rl" in unknown.stderr
    assert "resume" in choice.stderr
    assert "'tensorboard:nowhere'" in target.stderr
    assert not any("Traceback" in one.stderr for one in (unknown, choice, target))
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (
            "lambda model, batch: None",
            "the step returned a NoneType where a loss was expected; return the loss as a tensor, or a Loss(value, ...)",
        ),
        (
            "lambda model, batch: model(batch[0]).mean().detach()",
            (
                "the loss has no grad_fn, so no gradient can flow from it. Either it was rebuilt with torch.tensor(...) or "
                ".item(), or detached, or computed under torch.no_grad() or torch.inference_mode(), or every parameter has "
                "requires_grad=False; return the tensor that the loss was computed as, from parameters that train"
            ),
        ),
    ],
    ids=["nothing", "detached"],
)
def test_a_step_that_returns_nonsense_is_one_message(script: Path, step: str, message: str) -> None:
    """With the line of the script, and exit code 1; the run has failed."""
    script.write_text(SCRIPT.replace("treadle.supervised(torch.nn.functional.mse_loss)", step))
    place = 1 + script.read_text().splitlines().index(
        "    for moment in treadle.training(engine, loader, **kwargs):"
    )
    done = start()
    [run] = open_runs("tensorboard:runs")

    assert (1, f"sums.py: {message} (sums.py, line {place})\n") == (done.returncode, done.stderr)
    assert "FAILED" == run.status


def test_what_the_script_itself_raises_is_not_touched(script: Path) -> None:
    """A mistake in a step has its traceback."""
    script.write_text(
        SCRIPT.replace(
            "treadle.supervised(torch.nn.functional.mse_loss)", "lambda model, batch: 1 / 0"
        )
    )
    done = start()

    assert 1 == done.returncode
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"),
    reason="needs root and unshare, to mount a small disk",
)
def test_a_full_disk_is_one_message_and_nothing_is_lost(tmp_path: Path) -> None:
    """The save that does not fit ends the run, and its checkpoints and its log are whole; with room it goes on exactly."""
    start("--run.name", "whole", "--until", "40 epochs")
    words = ["--run.target", "tensorboard:disk/runs", "--run.name", "a", "--until", "40 epochs"]
    (tmp_path / "disk").mkdir()
    program = shlex.join([sys.executable, "sums.py", *words])
    mounted = f"mount -t tmpfs -o size=160k tmpfs disk && {program}; echo $?; cp -a disk kept"
    full = subprocess.run(
        ["unshare", "-m", "sh", "-c", mounted], capture_output=True, text=True, check=False
    )
    shutil.copytree("kept", "disk", dirs_exist_ok=True)
    again = start(*words)
    [whole], [run] = open_runs("tensorboard:runs"), open_runs("tensorboard:disk/runs")

    assert "1\n" == full.stdout
    assert "Traceback" not in full.stderr
    assert (
        ".pt could not be written safely: No space left on device; earlier checkpoints are untouched"
        in full.stderr
    )
    assert 0 == again.returncode, again.stderr
    assert whole.history("train/loss") == run.history("train/loss")


def test_help_has_the_run_too() -> None:
    """The page of the config is followed by what can be said of the run."""
    done = start("--help")

    assert 0 == done.returncode
    assert "--optim.lr" in done.stdout
    assert "--run.target" in done.stdout


def test_a_module_goes_on_as_a_module(script: Path) -> None:
    """What was started by `-m` is gone on with by `-m`, and what only a type checker knows is not looked at."""
    package = script.parent / "project"
    package.mkdir()
    (package / "train.py").write_text(SCRIPT.replace("-> None:", '-> "Unknown":'))
    done = subprocess.run(
        [sys.executable, "-m", "project.train", "--optim.lr", "0.05"],
        capture_output=True,
        text=True,
        check=False,
    )
    [run] = open_runs("tensorboard:runs")

    assert (0, "") == (done.returncode, done.stderr)
    words = ["-m", "project.train", "--optim.lr", "0.05", "--run.uid", run.uid]
    assert shlex.join([sys.executable, *words, "--run.resume", "must"]) == run.tags["command"]


@frozen
class Taken:
    run: int = 0


def test_a_main_that_cannot_be_launched_is_an_error() -> None:
    """It takes a config and a run, and the config has no field of that name."""

    def alone(config: Taken) -> None: ...

    def named(config: Taken, *, run: Run) -> None: ...

    def several(*arguments: Any) -> None: ...

    def without(config, run): ...  # type: ignore[no-untyped-def]

    def unknown(config: "Nowhere", run: Run) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    def taken(config: Taken, run: Run) -> None: ...

    async def waiting(config: Taken, run: Run) -> None: ...

    said = []
    for main in (alone, named, several, without, unknown, taken, waiting, None):
        with pytest.raises(WrongArgument) as caught:
            launch(main, argv=[])  # type: ignore[arg-type]
        said.append(
            str(caught.value).replace(
                "test_a_main_that_cannot_be_launched_is_an_error.<locals>.", ""
            )
        )

    assert [
        "alone is called with a config and a run; write `def alone(config: Config, run: Run)`",
        "named is called with a config and a run; write `def named(config: Config, run: Run)`",
        "several is called with a config and a run; write `def several(config: Config, run: Run)`",
        "without names no config class; annotate its parameter, as in `def without(config: Config, run: Run)`",
        "the annotation of unknown cannot be read (name 'Nowhere' is not defined)",
        "Taken has a field 'run', and --run.… is what the run's own settings are called; give it another name",
        (
            "waiting was given to launch, and a function of a config and a run was expected; write "
            "`def main(config: Config, run: Run)`"
        ),
        (
            "None was given to launch, and a function of a config and a run was expected; write "
            "`def main(config: Config, run: Run)`"
        ),
    ] == said


@frozen
class Typed:
    dtype: torch.dtype = torch.float32
    device: torch.device = torch.device("cpu")  # noqa: RUF009  # both are frozen
    until: Length = Epochs(2)  # noqa: RUF009


def test_lengths_and_what_torch_has_are_read() -> None:
    """From the command line as from python, into the objects themselves."""

    def main(config: Typed, run: Run) -> Typed:
        return config

    words = ["--dtype", "bfloat16", "--device", "cuda:1", "--until", "3 steps"]

    assert Typed(torch.bfloat16, torch.device("cuda:1"), Steps(3)) == launch(main, argv=words)
