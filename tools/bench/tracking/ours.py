"""`treadle_tracking`, with and without mirrors."""

import time
from functools import partial
from pathlib import Path
from typing import Any

from loggers import Logger, Make

from treadle_tracking import Run, start_run

OPEN_SECONDS = 60.0


def ours(folder: Path) -> Logger:
    """The run's directory alone."""
    return _logger(start_run(f"tensorboard:{folder}"))


def mirrored(uri: str, **how: Any) -> Make:
    """A run that is mirrored as well; its mirror is open when it is made."""
    return partial(_mirrored, uri, how)


def _mirrored(uri: str, how: dict[str, Any], folder: Path) -> Logger:
    run = start_run([f"tensorboard:{folder}", uri], experiment="bench", **how)
    _wait_until_open(run)
    return _logger(run)


def _wait_until_open(run: Run) -> None:
    """Until the mirror knows the run: to import MLflow takes a second, once a process."""
    end = time.monotonic() + OPEN_SECONDS
    notes = list(run.directory.glob(".mirror-*.json"))
    while any('"identity": null' in note.read_text() for note in notes):
        if time.monotonic() > end:
            raise TimeoutError(f"the mirror was not open after {OPEN_SECONDS:g} s")
        time.sleep(0.01)


def _logger(run: Run) -> Logger:
    def close() -> None:
        run.close(timeout=600)
        assert run.mirrored == run.mirrors

    return Logger(lambda values, step: run.log(values, step=step), close)
