"""Two ranks over gloo against one process, on the same global batches: the time of a pass, and the weights.

Then what it takes 2, 4 and 8 ranks to agree on an update, on as many cores as there are.

Runs itself once for each rank. The ranks go through the rows in the same order, and the first of them prints; where one
process trains alone, the other waits in a barrier.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

# Beside this folder is what the benches share.
sys.path.append(str(Path(__file__).parents[1]))

import torch
from harness import Row, Unit, again, repeated, table
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from treadle_loop import Engine, TensorLoader, runtimes, supervised

RANKS = 2
AGREEING = (2, 4, 8)
CALLS = 100
A_PASS = Unit("ms a pass", 1e3, decimals=1, of_ratios=3)
LARGEST_DIFFERENCE = 1e-12  # of weights in float64, of which the largest are around 1


class Task(NamedTuple):
    """A network, and data for one pass."""

    name: str
    width: int
    layers: int
    batch_size: int  # over all ranks
    batches: int


TASKS = (
    Task("small: 2 layers of 64, batches of 64", 64, 2, 64, 200),
    Task("large: 4 layers of 1024, batches of 256", 1024, 4, 256, 10),
)


def tables(rounds: int) -> list[str]:
    """Print the tables, by several processes; what is missed is that the weights are not the same."""
    codes = _started("train", RANKS, rounds)
    for ranks in AGREEING:
        codes |= _started("agree", ranks, rounds)
    return [] if codes == {0} else [f"two ranks have the weights of one (exit codes {codes})"]


def _started(what: str, ranks: int, rounds: int) -> set[int]:
    """The exit codes of the ranks that do this."""
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            __file__,
            what,
            str(Path(folder, "store")),
            str(ranks),
            str(rounds),
        ]
        environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
        others = [
            subprocess.Popen([*command, str(rank)], env=environment, stdout=subprocess.DEVNULL)
            for rank in range(1, ranks)
        ]
        first = subprocess.run([*command, "0"], env=environment, check=False)
        return {first.returncode, *(other.wait() for other in others)}


def main(what: str, store: str, ranks: int, rounds: int, rank: int) -> None:
    """Be one of the ranks."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{store}", rank=rank, world_size=ranks)
    {"train": _train, "agree": _agree}[what](rounds, rank)
    dist.destroy_process_group()


def _agree(rounds: int, _rank: int) -> None:
    runtime, own = runtimes.ddp(), [0.0, 1.0, 0.0, 1.0, 32.0, 0.0]
    seconds = repeated(lambda: runtime.agree(own), CALLS, clock=perf_counter)
    seconds()
    taken = statistics.median(seconds() for _ in range(rounds))
    print(f"  {runtime.world_size} ranks agree in {1e6 * taken:.0f} us", flush=True)


def _train(rounds: int, rank: int) -> None:
    for task in TASKS:
        least = Row("one process", _timed(alone, task, rank))
        rows = [
            least,
            again(least),
            Row("two ranks, DDP by hand", _timed(by_hand, task, rank)),
            Row("two ranks", _timed(together, task, rank)),
        ]
        table(task.name, rows, rounds, A_PASS)
        difference = _difference(task, rank)
        print(f"  the weights differ by {difference:.1e} at most, in float64")
        if difference > LARGEST_DIFFERENCE:
            sys.exit(1)


def _network(task: Task, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [
        part
        for _ in range(task.layers)
        for part in (nn.Linear(task.width, task.width, dtype=dtype), nn.ReLU())
    ]
    return nn.Sequential(*layers, nn.Linear(task.width, 10, dtype=dtype))


def _data(task: Task, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    count = task.batch_size * task.batches
    return torch.randn(count, task.width, dtype=dtype), torch.randint(10, (count,))


def _loader(task: Task, rank: int, ranks: int, dtype: torch.dtype = torch.float32) -> TensorLoader:
    """One rank's share of each batch; together they are the batches of one process."""
    size = task.batch_size // ranks
    return TensorLoader(*_data(task, dtype), batch_size=size, rank=rank, world_size=ranks)


def _engine(model: nn.Module, runtime: object) -> Engine:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    return Engine(model, supervised(functional.cross_entropy), optimizer, runtime=runtime)  # type: ignore[arg-type]


Pass = Callable[[], object]


def alone(task: Task, rank: int) -> Pass | None:
    """A pass by the first process, with every record."""
    if rank:
        return None
    engine, loader = _engine(_network(task), runtimes.torch()), _loader(task, 0, 1)
    return lambda: engine.train_epoch(loader)


def together(task: Task, rank: int) -> Pass:
    """A pass by both ranks, each with its half of every batch."""
    model = DistributedDataParallel(_network(task))
    engine, loader = _engine(model, runtimes.ddp()), _loader(task, rank, RANKS)
    return lambda: engine.train_epoch(loader)


def by_hand(task: Task, rank: int) -> Pass:
    """The same as one would write it, which agrees on nothing, and whose loss is that of one rank."""
    model = DistributedDataParallel(_network(task))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    loader: Iterable[tuple[Tensor, ...]] = _loader(task, rank, RANKS)

    def run() -> None:
        total = torch.zeros(())
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()
            total += loss.detach()

    return run


def _timed(
    prepare: Callable[[Task, int], Pass | None], task: Task, rank: int
) -> Callable[[], float]:
    def seconds() -> float:
        run = prepare(task, rank)
        dist.barrier()
        began = perf_counter()
        if run is not None:
            run()
        dist.barrier()
        return perf_counter() - began

    return seconds


def _difference(task: Task, rank: int) -> float:
    """How far the weights of two ranks are from those of one process, after a pass in float64."""
    shared = DistributedDataParallel(_network(task, torch.float64))
    _engine(shared, runtimes.ddp()).train_epoch(_loader(task, rank, RANKS, torch.float64))
    model = _network(task, torch.float64)
    _engine(model, runtimes.torch()).train_epoch(_loader(task, 0, 1, torch.float64))
    pairs = zip(model.parameters(), shared.parameters(), strict=True)
    return max((one - other).abs().max().item() for one, other in pairs)


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:]))
