"""What one run, one entry and one checkpoint take: the constants that docs/scale.md reckons with."""

import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

# Where the bench of tracking starts a server.
sys.path.append(str(Path(__file__).parents[1] / "tracking"))

import torch
from places import places

from treadle_loop import save_checkpoint
from treadle_tracking import open_runs, start_run, sync

RUNS, ENTRIES = 200, 3_000
CHECKPOINT = 64 * 2**20  # bytes


def tables(rounds: int) -> list[str]:
    """Print each constant, the median of so many rounds; there is no gate."""
    print(f"\n{'one of each, median':52}{'seconds':>12}{'slowest':>12}")
    with places() as where:
        here = where.folder
        stores = {kind: f"mlflow:{address}" for kind, address in where.stores().items()}
        _tell("a run, started and ended (directory)", _each(rounds, lambda: _runs(here)))
        _tell(f"listing one of {RUNS} runs, cold", _each(rounds, lambda: _listing(here, cold=True)))
        _tell(
            f"listing one of {RUNS} runs again", _each(rounds, lambda: _listing(here, cold=False))
        )
        _tell("an entry of three numbers (directory)", _each(rounds, lambda: _entries(here)))
        for kind, store in stores.items():
            _tell(f"a run in MLflow, {kind}", _each(rounds, lambda s=store: _sent(here, s, 1, 20)))
            _tell(
                f"an entry in MLflow, {kind}",
                _each(rounds, lambda s=store: _sent(here, s, ENTRIES, 1)),
            )
        _tell("64 MiB, written and forced to the disk", _each(rounds, lambda: _forced(here)))
        _tell("a checkpoint of 64 MiB", _each(rounds, lambda: _saved(here)))
        run = next(iter(open_runs(f"tensorboard:{here}/entries")))
        sizes = [path.stat().st_size for path in run.directory.glob("events.*")]
        print(f"  bytes of an entry of three numbers: {sum(sizes) / ENTRIES:.1f}")
        empty = next(iter(open_runs(f"tensorboard:{here}/runs"))).directory
        files = [path for path in empty.rglob("*") if path.is_file()]
        print(f"  files of a run: {len(files)}, {sum(path.stat().st_size for path in files)} bytes")
    return []


def _each(rounds: int, once: Callable[[], float]) -> list[float]:
    once()
    return [once() for _ in range(rounds)]


def _tell(name: str, seconds: list[float]) -> None:
    print(f"  {name:50}{statistics.median(seconds):12.6f}{max(seconds):12.6f}", flush=True)


@contextmanager
def _clock(count: int) -> Iterator[list[float]]:
    """Takes the seconds of one of so many."""
    taken: list[float] = []
    began = time.perf_counter()
    yield taken
    taken.append((time.perf_counter() - began) / count)


def _runs(here: Path) -> float:
    shutil.rmtree(here / "runs", ignore_errors=True)
    with _clock(RUNS) as taken:
        for _ in range(RUNS):
            with start_run(
                f"tensorboard:{here}/runs", experiment="many", params={"lr": 0.1}
            ) as run:
                run.log({"loss": 1.0}, step=1)
    return taken[0]


def _listing(here: Path, *, cold: bool) -> float:
    if cold:
        (here / "runs" / ".treadle-index.sqlite3").unlink(missing_ok=True)
    with _clock(RUNS) as taken:
        assert len(list(open_runs(f"tensorboard:{here}/runs"))) == RUNS
    return taken[0]


def _entries(here: Path) -> float:
    shutil.rmtree(here / "entries", ignore_errors=True)
    with start_run(f"tensorboard:{here}/entries") as run, _clock(ENTRIES) as taken:
        for step in range(ENTRIES):
            run.log({"loss": 1 / (step + 1), "accuracy": step / ENTRIES, "lr": 1e-3}, step=step)
    return taken[0]


def _sent(here: Path, store: str, entries: int, runs: int) -> float:
    """What it takes to send runs that are complete, one after the other, to a store that is there."""
    directories = []
    for _ in range(runs):
        with start_run(f"tensorboard:{here}/{uuid4().hex}") as run:
            for step in range(entries):
                run.log({"loss": 1 / (step + 1), "accuracy": 0.5, "lr": 1e-3}, step=step)
        directories.append(run.directory)
    with _clock(entries * runs) as taken:
        for directory in directories:
            sync(directory, to=store)
    return taken[0]


def _forced(here: Path) -> float:
    content = os.urandom(CHECKPOINT)
    with _clock(1) as taken, Path(here, "forced").open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return taken[0]


def _saved(here: Path) -> float:
    state = {"weights": torch.randn(CHECKPOINT // 4)}
    with _clock(1) as taken:
        save_checkpoint(here / "checkpoints", state, step=1, keep=1)
    return taken[0]
