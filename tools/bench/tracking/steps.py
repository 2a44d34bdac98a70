"""What a training step takes beside a mirror that is at work: of 300 us, and of 10 ms.

torch has one thread, so that there is a core for the mirror: where its threads take all cores, each waits for the other
at every operation, and whatever else runs, however briefly, stops both for a slice of the scheduler's time.
"""

import gc
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from harness import Row, Unit, again, table
from loggers import Logger, Make, values
from ours import mirrored, ours
from places import Places
from torch import nn

A_STEP = Unit("us a step", 1e6, decimals=1, of_ratios=3)
SMALL, LARGE = 3e-4, 1e-2  # seconds of work in a step
SMALL_STEPS, LARGE_STEPS = 8_000, 240  # in a round: two and a half seconds of work
WARM = 20


def step_tables(where: Places, rounds: int) -> list[str]:
    """Print a step of each size, with and without mirrors."""
    missed = []
    stores = where.stores()
    torch.set_num_threads(1)
    for seconds, steps, thread, process in (
        (SMALL, SMALL_STEPS, 1.10, 1.06),
        (LARGE, LARGE_STEPS, 1.02, 1.02),
    ):
        work = work_of(seconds)
        makes: dict[str, tuple[Make, float | None]] = {"logged, without a mirror": (ours, None)}
        for kind, uri in stores.items():
            for how, gate in (("thread", thread), ("process", process)):
                name = f"mirrored to {kind} by a {how}"
                makes[name] = (mirrored(f"mlflow:{uri}", mirror=how), gate)
        rows = []
        for name, (make, gate) in makes.items():
            timed = partial(_seconds, make, work, steps, where.folder)
            try:
                _seconds(make, work, 1, where.folder)
            except (ImportError, TypeError) as error:
                print(f"\n  {name}: {type(error).__name__}: {error}")
            else:
                rows.append(Row(name, timed, gate=gate))
        bare = Row("not logged", partial(_seconds, _nothing, work, steps, where.folder))
        rows[1:1] = [again(rows[0]), bare]
        title = f"a step of about {1e6 * seconds:.0f} us, three numbers each"
        missed += table(title, rows, max(rounds, 5), A_STEP)
    return missed


def work_of(seconds: float) -> Callable[[], None]:
    """A training step of a small network that takes about so long here."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    size = 8
    while True:
        inputs, targets = torch.randn(size, 64), torch.randint(10, (size,))

        def work(inputs: torch.Tensor = inputs, targets: torch.Tensor = targets) -> None:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()

        if min(_timed(work) for _ in range(20)) >= seconds:
            return work
        size += max(size // 4, 1)


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _nothing(_folder: Path) -> Logger:
    return Logger(lambda _values, _step: None, lambda: None)


def _seconds(make: Make, work: Callable[[], None], steps: int, folder: Path) -> float:
    """Seconds of a step, by the wall; what is left at the end is sent after the clock has stopped."""
    logger = make(Path(tempfile.mkdtemp(dir=folder)))
    for step in range(WARM):
        work()
        logger.log(values(step), step)
    gc.collect()
    began = time.perf_counter()
    for step in range(WARM, WARM + steps):
        work()
        logger.log(values(step), step)
    taken = time.perf_counter() - began
    logger.close()
    return taken / steps
