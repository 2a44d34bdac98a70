"""`fit`, and what it says."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import treadle
from treadle.errors import MissingExtra
from treadle.fitting import fit
from treadle.progress import fraction_done
from treadle_loop import Engine, TensorLoader
from treadle_tracking import start_run
from treadle_units import Progress, parse

MakeEngine = Callable[..., Engine]


def test_it_returns_what_it_came_to(make_engine: MakeEngine, loader: TensorLoader) -> None:
    """The result has the outcome, the last pass and the last validation."""
    result = fit(make_engine(), loader, {"val": loader}, until="2 epochs")

    assert "limit" == result.outcome.reason
    assert (200, 26, 26, 2) == (
        result.outcome.counts.records,
        result.outcome.counts.batches,
        result.outcome.counts.steps,
        result.outcome.counts.epochs,
    )
    assert (100, 13) == (result.trained.records, result.trained.batches)
    assert (100, 13) == (result.validated["val"].records, result.validated["val"].batches)


def test_it_is_silent_unless_asked(
    make_engine: MakeEngine, loader: TensorLoader, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without `progress` nothing is printed."""
    fit(make_engine(), loader, {"val": loader}, until="1 epoch")

    assert ("", "") == capsys.readouterr()


def test_it_tells_each_pass(
    make_engine: MakeEngine, loader: TensorLoader, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `progress` each pass and validation is a line with exact counts."""
    pytest.importorskip("rich", reason="needs the extra treadle[progress]")
    fit(make_engine(accumulate=4), loader, {"val": loader}, until="5 steps", progress=True)
    lines = [line.split(",")[0] for line in capsys.readouterr().out.splitlines()]

    assert [
        "epoch 1: trained 100 records in 13 batches (4 steps)",
        "epoch 1: validated 100 records in 13 batches",
        "step 5: trained 32 records in 4 batches (1 step)",
        "step 5: validated 100 records in 13 batches",
    ] == lines


def test_a_bar_without_rich_is_an_error(
    make_engine: MakeEngine, loader: TensorLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without rich, `progress=True` names the extra before anything is trained."""
    monkeypatch.setitem(sys.modules, "rich.console", None)
    engine = make_engine()
    with pytest.raises(MissingExtra) as caught:
        fit(engine, loader, until="1 step", progress=True)

    assert ("progress=True needs the extra 'progress': pip install 'treadle[progress]'") == str(
        caught.value
    )


def test_lines_that_nobody_reads_do_not_end_a_training(
    make_engine: MakeEngine, loader: TensorLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe that is closed, or no stdout and stderr at all, leave the training as it is."""
    pytest.importorskip("rich", reason="needs the extra treadle[progress]")

    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    first = fit(make_engine(), loader, until="3 epochs", progress=True)
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    second = fit(make_engine(), loader, until="3 epochs", progress=True)
    monkeypatch.undo()

    assert 39 == first.outcome.counts.steps == second.outcome.counts.steps


PROGRAM = """
import torch, treadle
x = torch.randn(64, 2)
loader = treadle.TensorLoader(x, x, batch_size=8)
model = torch.nn.Linear(2, 2)
step = treadle.supervised(torch.nn.functional.mse_loss)
engine = treadle.Engine(model, step, torch.optim.SGD(model.parameters(), lr=0.1))
treadle.fit(engine, loader, {"val": loader}, until="3 epochs", progress=True)
print("over")
"""


@pytest.mark.slow
def test_on_a_terminal_the_bar_is_drawn_and_gone_at_the_end() -> None:
    """Lines stand whole above a bar that is written over itself; the last thing that is seen is the program's own."""
    pytest.importorskip("rich", reason="needs the extra treadle[progress]")
    import os
    import pty

    reading, writing = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-c", f"import treadle.progress as p; p._REFRESH_SECONDS = 0\n{PROGRAM}"],
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=writing,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(writing)
    shown = b""
    while True:
        try:
            part = os.read(reading, 4096)
        except OSError:  # nobody writes any more
            break
        if not part:
            break
        shown += part
    os.close(reading)
    text = shown.decode()

    assert 0 == program.wait(60), text
    assert "step 8" in text
    assert "\x1b[2K" in text  # the line of the bar is taken away
    lines = [line.rpartition("\x1b[2K")[2].strip() for line in text.splitlines()]
    assert 3 == sum(
        line.startswith("epoch ") and ": trained 64 records in 8 batches" in line for line in lines
    )
    assert "over" in lines[-1]


def test_in_a_pipe_there_are_lines_alone() -> None:
    """Nothing is written to stderr, and nothing that moves a cursor to stdout."""
    pytest.importorskip("rich", reason="needs the extra treadle[progress]")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert 7 == len(done.stdout.splitlines())
    assert "\x1b" not in done.stdout


def test_the_bar_reads_nothing_from_the_device(
    make_engine: MakeEngine, loader: TensorLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many values are read with the bar as without it: those of the results that are printed."""
    pytest.importorskip("rich", reason="needs the extra treadle[progress]")
    from rich.console import Console

    reads = []
    real = torch.Tensor.__float__
    monkeypatch.setattr(torch.Tensor, "__float__", lambda tensor: reads.append(1) or real(tensor))
    item = torch.Tensor.item
    monkeypatch.setattr(torch.Tensor, "item", lambda tensor: reads.append(1) or item(tensor))
    fit(make_engine(), loader, until="3 epochs", log=None)
    without = len(reads)
    reads.clear()
    monkeypatch.setattr(Console, "is_terminal", True)
    monkeypatch.setattr("treadle.progress._REFRESH_SECONDS", 0.0)
    result = fit(make_engine(), loader, until="3 epochs", log=None, progress=True)
    printed = 3  # a loss for each pass

    assert 39 == result.outcome.counts.steps
    assert without + printed >= len(reads)


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("4 epochs", 0.375),
        ("30 batches", 0.5),
        ("600 records", 0.2),
        ("30 batches | 4 epochs", 0.5),
    ],
)
def test_the_bar_knows_how_far_it_is(until: str, expected: float) -> None:
    """The bar shows the share of the limit that is reached, of alternatives the nearest."""
    progress = Progress()
    progress.records, progress.batches = 80, 10
    progress.end_epochs(1)
    progress.records, progress.batches = 120, 15

    assert expected == fraction_done(parse(until), progress, batches_per_epoch=10)


def test_every_public_name_is_there() -> None:
    """Every name that treadle promises can be had from it."""
    missing = [name for name in treadle.__all__ if not hasattr(treadle, name)]

    assert [] == missing


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that treadle does not have is an ordinary AttributeError."""
    with pytest.raises(AttributeError, match="module 'treadle' has no attribute 'fitt'"):
        _ = treadle.fitt


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "treadle", *words], capture_output=True, text=True, check=False
    )


def test_an_unknown_command_is_one_line() -> None:
    """An unknown command leaves with code 2 and a suggestion."""
    done = command("dmeo")

    assert (2, "", "treadle: there is no command 'dmeo'; did you mean `treadle demo`?\n") == (
        done.returncode,
        done.stdout,
        done.stderr,
    )


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_help_lists_the_commands(words: list[str]) -> None:
    """Without a command, and with `--help`, the commands are listed."""
    done = command(*words)

    assert (0, "") == (done.returncode, done.stderr)
    assert "demo" in done.stdout


def test_the_versions_are_those_of_the_distributions() -> None:
    """`--version` says the installed versions of all five."""
    from importlib.metadata import version

    packages = ["treadle", "treadle-units", "treadle-config", "treadle-loop", "treadle-tracking"]

    assert [f"{package} {version(package)}" for package in packages] == command(
        "--version"
    ).stdout.splitlines()


def test_runs_are_looked_at_without_torch(tmp_path: Path) -> None:
    """`treadle runs` is the command line of tracking under another name, and never imports torch."""
    with start_run(f"tensorboard:{tmp_path / 'runs'}", name="baseline"):
        pass
    code = (
        "import sys; from treadle.cli import main\n"
        "try: main(['runs', 'list', 'runs'])\n"
        "finally: assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert "baseline" in done.stdout
    assert "treadle runs" in command("runs", "--help").stdout
