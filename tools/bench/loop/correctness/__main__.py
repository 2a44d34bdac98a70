"""What loops get wrong: every installed framework, run in the way of its documentation.

    hatch run bench-loop:correctness [accumulation reads means mistakes moving]

or `python tools/bench/loop/correctness` with whatever is installed. Each table has the right answer
in its first line and ours in its second. Ends with 1 where ours is not right.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

# Beside this folder are the frameworks' passes, and beside that what the benches share.
sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

import torch
from accumulation import accumulation_table
from grid import versions
from means import means_table
from mistakes import mistakes_table
from moving import moving_table
from quiet import quietly
from reads import reads_table

TABLES: dict[str, Callable[[], list[str]]] = {
    "accumulation": accumulation_table,
    "reads": reads_table,
    "means": means_table,
    "mistakes": mistakes_table,
    "moving": moving_table,
}


def main() -> int:
    """Print the tables; 1 if ours is wrong anywhere."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("tables", nargs="*", choices=[*TABLES, "all"], default="all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(versions())
    wrong = []
    with quietly():
        for wanted, made in TABLES.items():
            if "all" in arguments.tables or wanted in arguments.tables:
                wrong += made()
    print(f"\nours is wrong: {'; '.join(wrong)}" if wrong else "\nours is right everywhere")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
