"""What is seen of a training in a notebook; real ones are in tests/hosts."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from treadle.fitting import fit
from treadle_loop import Engine, TensorLoader
from treadle_tracking import start_run

MakeEngine = Callable[..., Engine]


class Display:
    """The output of a cell that can be replaced, as IPython's `display` gives it."""

    def __init__(self, shown: Any, *, display_id: bool) -> None:
        assert display_id
        self.drawn = [self._text(shown)]
        sys.modules["IPython.display"].outputs.append(self)

    def update(self, shown: Any) -> None:
        self.drawn.append(self._text(shown))

    @staticmethod
    def _text(shown: Any) -> str:
        return str(shown._repr_mimebundle_((), ())["text/html"])


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> list[Display]:
    """The outputs of the cell that a test is."""
    pytest.importorskip("rich", reason="needs the extra treadle[progress]")
    module = ModuleType("IPython.display")
    module.outputs, module.display = [], Display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("treadle.progress._REFRESH_SECONDS", 0.0)
    return module.outputs


def test_the_bar_is_one_output_that_stays(
    make_engine: MakeEngine,
    loader: TensorLoader,
    outputs: list[Display],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is drawn in the place where it was, ends with the last step, and the lines are beside it."""
    fit(make_engine(), loader, until="2 epochs", progress=True)
    [bar] = outputs
    printed = capsys.readouterr()

    assert 27 == len(bar.drawn)  # after each step, and at the end
    assert "epoch 1, step 1 " in bar.drawn[0]
    assert "epoch 2, step 26 " in bar.drawn[-1]
    assert "100%" in bar.drawn[-1]
    assert (2, "") == (len(printed.out.splitlines()), printed.err)


def test_a_training_that_has_ended_before_has_no_bar(
    make_engine: MakeEngine, loader: TensorLoader, outputs: list[Display], tmp_path: Path
) -> None:
    """A cell that is run again when nothing is left to do has no output."""
    options: dict[str, Any] = {"until": "1 epoch", "checkpoint": "1 epoch", "directory": tmp_path}
    fit(make_engine(), loader, **options)
    fit(make_engine(), loader, progress=True, **options)

    assert [] == outputs


class Interrupting(TensorLoader):
    """Presses Ctrl-C while the third batch is drawn."""

    def __iter__(self) -> Any:
        for index, batch in enumerate(super().__iter__()):
            if index == 2:
                os.kill(os.getpid(), signal.SIGINT)
            yield batch


@pytest.mark.parametrize("place", ["run", "directory", None])
def test_who_interrupts_it_is_told_how_to_go_on(
    make_engine: MakeEngine, tmp_path: Path, place: str | None
) -> None:
    """The error names the step, where it is saved, and the call that continues it; or that nothing is saved."""
    import torch

    loader = Interrupting(torch.ones(40, 1), torch.ones(40, 1), batch_size=4)
    run = start_run(f"tensorboard:{tmp_path}" if place == "run" else None, name="a")
    directory = tmp_path / "here" if place == "directory" else None
    with pytest.raises(KeyboardInterrupt) as caught, run:
        fit(make_engine(), loader, until="1 epoch", run=run, directory=directory)

    assert {
        "run": (
            f"stopped after step 3, which is saved in {tmp_path}/default/a/checkpoints: the same call goes on from there "
            f"with this run, which start_run(..., name='a', resume='auto') reopens once it is closed"
        ),
        "directory": (
            f"stopped after step 3, which is saved in {tmp_path}/here: the same call goes on from there"
        ),
        None: (
            "stopped after step 3, which is not saved, as there is neither a run nor a directory=... for it: the engine "
            "is as that step has left it, and another call counts from 0"
        ),
    }[place] == str(caught.value)


class Printer:
    """What IPython hands to an object that shows itself."""

    def __init__(self) -> None:
        self.shown = ""

    def text(self, text: str) -> None:
        self.shown += text


def test_what_it_came_to_is_shown_in_lines(make_engine: MakeEngine, loader: TensorLoader) -> None:
    """The last value of a cell has the outcome, the last pass, and each validation with its name."""
    printer = Printer()
    result = fit(make_engine(), loader, {"val": loader, "other": loader}, until="1 epoch")
    result._repr_pretty_(printer, False)

    assert [
        str(result.outcome),
        str(result.trained),
        f"{result.validated['val']} (val)",
        f"{result.validated['other']} (other)",
    ] == printer.shown.splitlines()
