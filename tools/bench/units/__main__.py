"""What counting with `treadle_units` costs, beside plain integers and beside others.

    hatch run bench:units [--rounds 101] [--starts 25]

or `python tools/bench/units` with whatever is installed. Rows of a table run once a round each, in
an order that changes, and their CPU time is divided by that of the table's first row in the same
round; the median of those ratios is what stands. The first row "again" is this machine's noise: no
smaller difference means anything. Ends with 1 where a gate is missed, and with 0 where all hold.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

# Beside this folder is what the benches share.
sys.path.append(str(Path(__file__).parents[1]))

from counting import BATCHES, PASSES, RECORDS, TRIGGERS, advance_rows, batches_rows
from footprint import blocks_table, import_table
from harness import Row, Unit, at_least, ending, machine, table
from peers import peer_rows

A_BATCH = Unit("ns a batch", 1e9, decimals=1, of_ratios=2)


def due_table(title: str, rows: Sequence[Row], rounds: int) -> list[str]:
    """A table of times a batch, and of how often a name was due."""
    return table(title, rows, rounds, A_BATCH, notes="due")


def main() -> int:
    """Print the tables; 1 if a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=at_least(15), default=101, help="default 101")
    parser.add_argument("--starts", type=at_least(25), default=25, help="default 25")
    arguments = parser.parse_args()
    print(
        f"treadle-units {version('treadle-units')}, {machine()}; CPU time, medians of {arguments.rounds} rounds"
    )
    triggers = ", ".join(f"{name} every {length}" for name, length in TRIGGERS.items())
    print(f"{PASSES} passes of {BATCHES} batches of {RECORDS} records a round; {triggers}")
    peers, missing = peer_rows()
    missed = due_table("advance", [*advance_rows(), *peers], arguments.rounds)
    for line in missing:
        print(line)
    missed += due_table("batches", batches_rows(), arguments.rounds)
    missed += blocks_table()
    missed += import_table(arguments.starts)
    return ending(missed)


if __name__ == "__main__":
    raise SystemExit(main())
