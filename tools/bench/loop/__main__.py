"""What a pass of `treadle_loop` costs, beside the loop by hand and beside frameworks.

    hatch run bench-loop:run [--rounds 60] [tiny conv gpt import ranks rivals cuda]

or `python tools/bench/loop` with whatever is installed. One thread. Rows of a table run once a
round each, in an order that changes, and their time is divided by that of the table's first row in
the same round; the median of those ratios is what stands: `ratio` is of CPU time, `wall` of the
clock on the wall. The first row "again" is this machine's noise: no smaller difference means
anything. Whatever is timed has to come to the loss of the loop by hand before. Ends with 1 where a
gate is missed, and with 0 where none is.
"""

import argparse
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

# Beside this folder is what the benches share.
sys.path.append(str(Path(__file__).parents[1]))

import torch
from beside import rival_tables
from gpu import cuda_tables
from harness import at_least, ending, machine
from imports import import_tables
from own import convnet_tables, gpt_tables, tiny_tables
from quiet import quietly
from ranks import rank_tables

TABLES: dict[str, Callable[[int], list[str]]] = {
    "tiny": tiny_tables,
    "conv": convnet_tables,
    "gpt": gpt_tables,
    "import": import_tables,
    "ranks": rank_tables,
    # After those in a process that has loaded no framework.
    "rivals": rival_tables,
    "cuda": cuda_tables,
}


def main() -> int:
    """Print the tables; 1 if a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=at_least(15), default=60, help="default 60")
    parser.add_argument("tables", nargs="*", choices=[*TABLES, "all"], default="all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"treadle-loop {version('treadle-loop')}, torch {torch.__version__}, {machine()}; "
        f"one thread, medians of {arguments.rounds} rounds, fewer where a round takes long"
    )
    missed = []
    with quietly():
        for wanted, tables in TABLES.items():
            if "all" in arguments.tables or wanted in arguments.tables:
                missed += tables(arguments.rounds)
    return ending(missed)


if __name__ == "__main__":
    raise SystemExit(main())
