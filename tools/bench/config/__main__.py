"""What `treadle_config` costs, beside the same done by hand and beside others.

    hatch run bench-config:run [--rounds 51] [--starts 25] [load yaml decode process import rivals]

or `python tools/bench/config` with whatever is installed. Rows of a table run once a round each, in
an order that changes, and their CPU time is divided by that of the table's first row in the same
round; the median of those ratios is what stands. The first row "again" is this machine's noise: no
smaller difference means anything. Every system has to make the right object before it is timed.
Ends with 1 where a gate is missed, and with 0 where none is.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

# Beside this folder is what the benches share.
sys.path.append(str(Path(__file__).parents[1]))

from harness import Unit, at_least, ending, machine, table
from loading import installed, own_rows, rival_rows
from parts import decode_rows, yaml_rows
from processes import bare, import_rows, process_rows
from schema import FILE
from written import write_all

DECODE_ROUNDS = 15
MILLISECONDS = Unit("ms", 1e3, decimals=3, of_ratios=3)


def load_tables(folder: Path, rounds: int, _starts: int) -> list[str]:
    """Loads within this process, ours and the floor alone."""
    return table("load, in process", own_rows(folder / "config.yaml"), rounds, MILLISECONDS)


def yaml_tables(folder: Path, rounds: int, _starts: int) -> list[str]:
    """Reading YAML: the file of this benchmark, and a large one."""
    missed = []
    for title, rows in yaml_rows(folder / "config.yaml", folder / "large.yaml"):
        missed += table(title, rows, rounds, MILLISECONDS)
    return missed


def decode_tables(_folder: Path, _rounds: int, _starts: int) -> list[str]:
    """Decoding without layers."""
    return table(
        f"10,000 dicts decoded, {DECODE_ROUNDS} rounds", decode_rows(), DECODE_ROUNDS, MILLISECONDS
    )


def process_tables(folder: Path, _rounds: int, starts: int) -> list[str]:
    """Whole processes."""
    names, missing = installed("draccus", "chz", "tyro")
    rows = process_rows(folder / "config.yaml", names)
    missed = table(f"a process that loads, {starts} rounds", rows, starts, MILLISECONDS)
    print("".join(f"{line}\n" for line in missing), end="")
    return missed


def import_tables(_folder: Path, _rounds: int, starts: int) -> list[str]:
    """Imports."""
    title = f"import, over bare Python, {starts} rounds"
    return table(title, import_rows(), starts, MILLISECONDS, less=bare())


def rival_tables(folder: Path, rounds: int, _starts: int) -> list[str]:
    """Loads within this process, by everyone; last, since it is full of their modules then."""
    names, missing = installed()
    rows = rival_rows(folder / "config.yaml", names)
    missed = table("load, in process, beside others", rows, rounds, MILLISECONDS)
    print("".join(f"{line}\n" for line in missing), end="")
    return missed


TABLES: dict[str, Callable[[Path, int, int], list[str]]] = {
    "load": load_tables,
    "yaml": yaml_tables,
    "decode": decode_tables,
    "process": process_tables,
    "import": import_tables,
    "rivals": rival_tables,
}


def main() -> int:
    """Print the tables; 1 if a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=at_least(15), default=51, help="default 51")
    parser.add_argument("--starts", type=at_least(25), default=25, help="default 25")
    parser.add_argument("tables", nargs="*", choices=[*TABLES, "all"], default="all")
    arguments = parser.parse_args()
    versions = ", ".join(f"{one} {version(one)}" for one in ("attrs", "cattrs", "pyyaml"))
    print(
        f"treadle-config {version('treadle-config')}, {versions}, "
        f"{machine()}; CPU time, medians of {arguments.rounds} "
        "rounds where nothing else is said"
    )
    print("60 leaves in 10 classes on 3 levels; 20 in a YAML file, 5 on the command line")
    missed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.yaml").write_text(FILE, encoding="utf-8")
        write_all(folder)
        sys.path.insert(0, name)
        for wanted, tables in TABLES.items():
            if "all" in arguments.tables or wanted in arguments.tables:
                missed += tables(folder, arguments.rounds, arguments.starts)
    return ending(missed)


if __name__ == "__main__":
    raise SystemExit(main())
