"""MLflow without what it does beside its work: reports to its makers, and pages on stderr."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet", "without_telemetry"]

_SWITCHES = ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK")


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Let mlflow be imported with its telemetry off, which it decides then, and leave the environment as it was.

    Where the program has set either switch, or has imported mlflow before, that stays as the program wanted it.
    """
    if "mlflow" in sys.modules or any(switch in os.environ for switch in _SWITCHES):
        yield
        return
    os.environ[_SWITCHES[0]] = "true"
    try:
        yield
    finally:
        os.environ.pop(_SWITCHES[0], None)


@contextmanager
def quiet(name: str) -> Iterator[None]:
    """Keep a logger, which MLflow lets write to stderr, out of a run's output; what is wrong is raised as well."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
