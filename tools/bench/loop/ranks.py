"""What it takes two ranks to agree on an update, beside a bare `all_reduce`; by the wall.

Runs itself once for each rank, over gloo on this machine. The ranks go through the rows in the same
order, and the first of them prints.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

# Beside this folder is what the benches share.
sys.path.append(str(Path(__file__).parents[1]))

import torch
from harness import Row, Unit, again, repeated, table
from torch import distributed as dist

from treadle_loop import runtimes
from treadle_loop.meeting import agree

RANKS = 2
CALLS = 200
A_CALL = Unit("us a call", 1e6, decimals=1, of_ratios=2)


def rank_tables(rounds: int) -> list[str]:
    """The table, by two processes; it has no gate."""
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, str(Path(folder, "store")), str(rounds)]
        environment = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"}
        second = subprocess.Popen([*command, "1"], env=environment, stdout=subprocess.DEVNULL)
        subprocess.run([*command, "0"], env=environment, check=True)
        assert second.wait() == 0
    return []


def main(store: str, rounds: int, rank: int) -> None:
    """Be one of the ranks."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{store}", rank=rank, world_size=RANKS)
    runtime = runtimes.ddp()
    numbers = torch.zeros(16, dtype=torch.float64)  # as many as an agreement sends
    # What a rank says of an update: whether it failed, batches, end, batches so far, records, stop.
    own = [0.0, 1.0, 0.0, 1.0, 32.0, 0.0]
    least = _row("all_reduce", lambda: dist.all_reduce(numbers))
    rows = [
        least,
        _row("agree", lambda: agree(runtime, "an update", own)),
        again(least),
        _row("all_gather and read", lambda: gather_and_read(numbers)),
    ]
    table(f"{RANKS} ranks over gloo, 16 numbers", rows, rounds, A_CALL)
    dist.destroy_process_group()


def gather_and_read(numbers: torch.Tensor) -> list[list[float]]:
    """What an agreement is made of: each rank's numbers, on every host."""
    everyone = [torch.empty_like(numbers) for _ in range(RANKS)]
    dist.all_gather(everyone, numbers)
    return [each.tolist() for each in everyone]


def _row(name: str, call: Callable[[], object]) -> Row:
    return Row(name, repeated(call, CALLS, clock=perf_counter))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
