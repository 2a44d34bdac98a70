"""What recording three numbers a step costs, beside the least that it can cost and beside others.

    hatch run bench-tracking:run [--rounds 9] [log store mirror steps import read]

or `python tools/bench/tracking` with whatever is installed. One thread of torch's. Rows of a table
run once a round each, in an order that changes; what stands are medians over the rounds, and what
is compared is compared within a round. The row "again" is this machine's noise: no smaller
difference means anything. Times are those of the clock on the wall, since waiting is what a
training loop would notice. Ends with 1 where a gate is missed, and with 0 where none is.

`log` is of what writes files, `store` of MLflow's own ways to a database and a server, `mirror` of
ours to the same places, `steps` of a training step beside a mirror, `read` of reading what was
written.
"""

import argparse
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

# Beside this folder is what the benches share.
sys.path.append(str(Path(__file__).parents[1]))

import torch
from harness import at_least, ending, machine
from imports import import_tables
from places import Places, places
from reading import reading_tables
from steps import step_tables
from tables import log_tables, mirror_tables, store_tables

TABLES: dict[str, Callable[[Places, int], list[str]]] = {
    # Before anything has loaded what slows an interpreter down.
    "log": log_tables,
    "steps": step_tables,
    "mirror": mirror_tables,
    "store": store_tables,
    "import": import_tables,
    "read": reading_tables,
}


def main() -> int:
    """Print the tables; 1 if a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=at_least(3), default=9, help="default 9")
    parser.add_argument("tables", nargs="*", choices=[*TABLES, "all"], default="all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"treadle-tracking {version('treadle-tracking')}, torch {torch.__version__}, {machine()}; "
        f"medians of {arguments.rounds} rounds"
    )
    missed = []
    with places() as where:
        for wanted, tables in TABLES.items():
            if "all" in arguments.tables or wanted in arguments.tables:
                missed += tables(where, arguments.rounds)
    return ending(missed)


if __name__ == "__main__":
    raise SystemExit(main())
