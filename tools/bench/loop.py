"""What a pass of `treadle_loop` costs beside the loop you would have written by hand.

    python tools/bench/loop.py [--passes 60] [--batches 150]

A tiny network (10-32-1, batches of 32, SGD) on the CPU in one thread, where the loop's own cost
shows most. Each row is run once a round, in an order that changes, and its time is divided by that
of the hand-written loop of the same round; the median of those ratios is what stands. "by hand
again" is the hand-written loop a second time: what its ratio differs from 1 is this machine's
noise, and no smaller difference means anything.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.nn.utils import clip_grad_norm_
from torch.optim import SGD, Optimizer
from torch.utils.data import DataLoader, TensorDataset

from treadle_loop import Engine, TensorLoader, supervised

Pass = Callable[[], object]


def network() -> nn.Module:
    """The tiny network, the same each time."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))


def by_hand(loader: Iterable[Any], *, accumulate: int = 1, clip_norm: float | None = None) -> Pass:
    """The hand-written loop, with the mean of the loss that everyone keeps."""
    model = network()
    optimizer = SGD(model.parameters(), lr=0.01)

    def one_pass() -> float:
        model.train()
        total, records = torch.zeros(()), 0
        for index, (inputs, targets) in enumerate(loader, 1):
            loss = mse_loss(model(inputs), targets)
            (loss / accumulate if accumulate > 1 else loss).backward()
            total.add_(loss.detach(), alpha=len(inputs))
            records += len(inputs)
            if index % accumulate == 0:
                _step(model, optimizer, clip_norm)
        return float(total) / records

    return one_pass


def _step(model: nn.Module, optimizer: Optimizer, clip_norm: float | None) -> None:
    if clip_norm is not None:
        clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()
    optimizer.zero_grad()


def train_epoch(loader: Iterable[Any], **settings: Any) -> Pass:
    """`Engine.train_epoch` on the same network."""
    model = network()
    engine = Engine(model, supervised(mse_loss), SGD(model.parameters(), lr=0.01), **settings)
    return lambda: float(engine.train_epoch(loader).loss)


def evaluate_by_hand(loader: Iterable[Any]) -> Pass:
    """The hand-written evaluation."""
    model = network()

    def one_pass() -> float:
        model.eval()
        total, records = torch.zeros(()), 0
        with torch.no_grad():
            for inputs, targets in loader:
                total.add_(mse_loss(model(inputs), targets), alpha=len(inputs))
                records += len(inputs)
        return float(total) / records

    return one_pass


def test_epoch(loader: Iterable[Any]) -> Pass:
    """`Engine.test_epoch` on the same network."""
    engine = Engine(network(), supervised(mse_loss))
    return lambda: float(engine.test_epoch(loader).loss)


def ratios(rows: dict[str, Pass], passes: int) -> dict[str, tuple[float, float, float]]:
    """For each row: median seconds, median ratio to the first row, spread of the ratios."""
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    for one_pass in rows.values():
        one_pass()
    shuffler = random.Random(0)  # noqa: S311 (an order, not a secret)
    order = list(rows)
    for _ in range(passes):
        shuffler.shuffle(order)
        for name in order:
            started = time.process_time()
            rows[name]()
            seconds[name].append(time.process_time() - started)
    reference = seconds[next(iter(rows))]
    table = {}
    for name, own in seconds.items():
        paired = [a / b for a, b in zip(own, reference, strict=True)]
        low, _, high = statistics.quantiles(paired, n=4)
        table[name] = statistics.median(own), statistics.median(paired), high - low
    return table


def groups(data: tuple[Tensor, Tensor], batch_size: int) -> dict[str, dict[str, Pass]]:
    """What is compared, and with what."""
    batches = list(TensorLoader(*data, batch_size=batch_size))
    random_order = DataLoader(TensorDataset(*data), batch_size=batch_size, shuffle=True)
    tensors = TensorLoader(*data, batch_size=batch_size, shuffle=True)
    return {
        "a list of batches": {
            "by hand": by_hand(batches),
            "by hand again": by_hand(batches),
            "train_epoch": train_epoch(batches),
        },
        "a list of batches, clip_norm": {
            "by hand": by_hand(batches, clip_norm=1.0),
            "by hand again": by_hand(batches, clip_norm=1.0),
            "train_epoch": train_epoch(batches, clip_norm=1.0),
        },
        "a list of batches, accumulate=4": {
            "by hand": by_hand(batches, accumulate=4),
            "by hand again": by_hand(batches, accumulate=4),
            "train_epoch": train_epoch(batches, accumulate=4),
        },
        "DataLoader": {
            "by hand": by_hand(random_order),
            "by hand again": by_hand(random_order),
            "train_epoch": train_epoch(random_order),
            "train_epoch, TensorLoader": train_epoch(tensors),
        },
        "evaluation, a list of batches": {
            "by hand": evaluate_by_hand(batches),
            "by hand again": evaluate_by_hand(batches),
            "test_epoch": test_epoch(batches),
        },
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--passes", type=int, default=60, help="rounds (default 60)")
    parser.add_argument("--batches", type=int, default=152, help="batches a pass (default 152)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    inputs = torch.randn(32 * arguments.batches, 10)
    data = inputs, inputs.sum(1, keepdim=True)
    print(f"torch {torch.__version__}, one thread, process CPU time, {arguments.passes} rounds")
    print(f"{'':34}{'us a batch':>12}{'ratio':>8}{'spread':>8}")
    for group, rows in groups(data, 32).items():
        print(group)
        for name, (seconds, ratio, spread) in ratios(rows, arguments.passes).items():
            microseconds = 1e6 * seconds / arguments.batches
            print(f"  {name:32}{microseconds:12.1f}{ratio:8.3f}{spread:8.3f}")


if __name__ == "__main__":
    main()
