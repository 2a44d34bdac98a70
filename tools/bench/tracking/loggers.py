"""What all loggers come to: a call with three numbers at a step, and an end."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Logger(NamedTuple):
    """A logger that is open."""

    log: Callable[[dict[str, float], int], object]
    close: Callable[[], object]
    """Returns when everything is where it belongs."""


Make = Callable[[Path], Logger]
"""Opens a logger that keeps its files in this folder, or says why it cannot."""


def values(step: int) -> dict[str, float]:
    """Three numbers, as a training step has them."""
    return {"train/loss": 1 / (step + 1), "train/accuracy": step / (step + 7), "train/lr": 1e-3}
