"""What counting with `treadle_units` costs, beside plain integers and beside others.

    hatch run bench:units [--rounds 101] [--starts 25]

or `python tools/bench/units` with whatever is installed. Rows of a table run once a round each, in
an order that changes, and their CPU time is divided by that of the table's first row in the same
round; the median of those ratios is what stands. The first row "again" is this machine's noise: no
smaller difference means anything. Ends with 1 where a gate is missed, and with 0 where all hold.
"""

import argparse
import os
import platform
from collections.abc import Callable
from importlib.metadata import version

from counting import BATCHES, PASSES, RECORDS, TRIGGERS, advance_rows, batches_rows
from footprint import blocks_table, import_table
from peers import peer_rows
from rows import table


def at_least(least: int) -> Callable[[str], int]:
    """The type of a number of repetitions."""

    def read(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"{number} is too few for a median; give {least}")
        return number

    return read


def main() -> int:
    """Print the tables; 1 if a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=at_least(15), default=101, help="default 101")
    parser.add_argument("--starts", type=at_least(25), default=25, help="default 25")
    arguments = parser.parse_args()
    print(
        f"treadle-units {version('treadle-units')}, {platform.python_implementation()} "
        f"{platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores; CPU time, medians of {arguments.rounds} rounds"
    )
    triggers = ", ".join(f"{name} every {length}" for name, length in TRIGGERS.items())
    print(f"{PASSES} passes of {BATCHES} batches of {RECORDS} records a round; {triggers}")
    peers, missing = peer_rows()
    missed = table("advance", [*advance_rows(), *peers], arguments.rounds)
    for line in missing:
        print(line)
    missed += table("batches", batches_rows(), arguments.rounds)
    missed += blocks_table()
    missed += import_table(arguments.starts)
    print("\nall gates hold" if not missed else f"\nmissed: {'; '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
