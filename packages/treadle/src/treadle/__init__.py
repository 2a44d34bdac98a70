"""Lengths, config, loop and tracking for people who train PyTorch models and keep their own loop.

The four libraries are `treadle.units`, `treadle.config`, `treadle.loop` and `treadle.tracking`; their everyday names
are here too. A name loads its library when it is first used, so that `import treadle` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import treadle_config as config
    import treadle_loop as loop
    import treadle_tracking as tracking
    import treadle_units as units
    from treadle.fitting import FitResult, fit
    from treadle.launching import launch
    from treadle.moments import Moment, Training, training
    from treadle.planning import total_steps
    from treadle_config import link, linked, load, resolve, run_cli, setting
    from treadle_loop import Engine, Loss, TensorLoader, supervised
    from treadle_tracking import Run, open_runs, start_run
    from treadle_units import (
        Batches,
        Epochs,
        Every,
        Length,
        Limit,
        Records,
        Schedule,
        Seconds,
        Steps,
        parse,
    )

__all__ = [
    "Batches",
    "Engine",
    "Epochs",
    "Every",
    "FitResult",
    "Length",
    "Limit",
    "Loss",
    "Moment",
    "Records",
    "Run",
    "Schedule",
    "Seconds",
    "Steps",
    "TensorLoader",
    "Training",
    "config",
    "fit",
    "launch",
    "link",
    "linked",
    "load",
    "loop",
    "open_runs",
    "parse",
    "resolve",
    "run_cli",
    "setting",
    "start_run",
    "supervised",
    "total_steps",
    "tracking",
    "training",
    "units",
]

_LIBRARIES = {"config", "loop", "tracking", "units"}
_HOMES = {
    "treadle.fitting": ["FitResult", "fit"],
    "treadle.launching": ["launch"],
    "treadle.moments": ["Moment", "Training", "training"],
    "treadle.planning": ["total_steps"],
    "treadle_config": ["link", "linked", "load", "resolve", "run_cli", "setting"],
    "treadle_loop": ["Engine", "Loss", "TensorLoader", "supervised"],
    "treadle_tracking": ["Run", "open_runs", "start_run"],
    "treadle_units": [
        *["Batches", "Epochs", "Every", "Length", "Limit", "Records", "Schedule", "Seconds"],
        *["Steps", "parse"],
    ],
}


def __getattr__(name: str) -> Any:
    if name in _LIBRARIES:
        return importlib.import_module(f"treadle.{name}")
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module 'treadle' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
