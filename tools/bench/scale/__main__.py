"""What it takes to go from one process to many: ranks, trials, and what each run leaves behind.

    hatch run hosts:scale [--rounds 7] [ranks sweep stores]

`ranks` trains with two ranks over gloo and with one, on the same global batches, and compares the weights.
`sweep` runs 32 tiny trials in Ray Tune, bare and with a run each. `stores` measures what one run, one entry and one
checkpoint take, from which docs/scale.md reckons what 10,000 of them take. The time is that by the wall, each rank has
one thread, and the first row "again" is this machine's noise: no smaller difference means anything.
"""

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

# Beside this folder is what the benches share.
sys.path.append(str(Path(__file__).parents[1]))

from harness import at_least, ending, machine

TABLES = ("ranks", "sweep", "stores")


def main() -> int:
    """Print the tables; 1 if the weights of one rank and of two differ."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=at_least(3), default=7, help="default 7")
    parser.add_argument("tables", nargs="*", choices=[*TABLES, "all"], default="all")
    arguments = parser.parse_args()
    print(
        f"treadle {version('treadle')}, torch {version('torch')}, {machine()}; "
        f"medians of {arguments.rounds} rounds, of 3 for sweeps"
    )
    missed = []
    for name in TABLES:
        if "all" in arguments.tables or name in arguments.tables:
            tables: Callable[[int], list[str]] = import_module(name).tables
            missed += tables(arguments.rounds)
    return ending(missed)


if __name__ == "__main__":
    sys.exit(main())
