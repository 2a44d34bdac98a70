"""MLflow without what it does beside its work: reports to its makers, and pages on stderr."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident

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
def quiet() -> Iterator[None]:
    """Keep the pages that MLflow writes about a failing database off stderr: what is wrong is raised as well.

    Only of the thread that asks: what the program logs with an MLflow of its own stays.
    """
    thread = get_ident()

    def is_of_another(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger = logging.getLogger("mlflow.store.db.utils")
    logger.addFilter(is_of_another)
    try:
        yield
    finally:
        logger.removeFilter(is_of_another)
