"""A small regression, and the engine that learns it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from treadle_loop import Engine, TensorLoader, supervised
from treadle_tracking import Run, RunRecord, open_runs, start_run


@pytest.fixture
def loader() -> TensorLoader:
    """100 records in 13 batches of 8, the last of 4, always in the same order."""
    inputs = torch.linspace(-1, 1, 100).reshape(100, 1)
    return TensorLoader(inputs, 3 * inputs, batch_size=8)


@pytest.fixture
def make_engine() -> Callable[..., Engine]:
    """Makes the same engine every time."""

    def make(**settings: object) -> Engine:
        torch.manual_seed(0)
        model = torch.nn.Linear(1, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        return Engine(model, supervised(torch.nn.functional.mse_loss), optimizer, **settings)  # type: ignore[arg-type]

    return make


class Recorder:
    """Starts a run, and reads it once it is closed."""

    def __init__(self, folder: Path) -> None:
        self._target = f"tensorboard:{folder}"

    def start(self) -> Run:
        return start_run(self._target, name="run")

    def read(self) -> RunRecord:
        [run] = open_runs(self._target)
        return run


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path / "runs")
