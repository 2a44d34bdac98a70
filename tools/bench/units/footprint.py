"""What the package costs beside time a batch: allocated blocks, and its import."""

import gc
import statistics
import sys
from collections.abc import Callable
from typing import Any

from counting import RECORDS
from harness import process, verdict

from treadle_units import Schedule

FIRST, LAST = 2_000, 200_000
IMPORT_GATE = 15.0
STARTS = {
    "bare Python": "",
    "import treadle_units": "import treadle_units",
    "and the first parse": "import treadle_units; treadle_units.parse('10 epochs')",
}


def growth(call: Callable[[], object]) -> int:
    """By how many blocks the process has grown from call 2_000 to call 200_000."""
    gc.collect()
    for _ in range(FIRST):
        call()
    before = sys.getallocatedblocks()
    # The number itself is a block; it is there at both readings.
    before = sys.getallocatedblocks()
    for _ in range(LAST - FIRST):
        call()
    return sys.getallocatedblocks() - before


def quiet(**triggers: Any) -> Schedule:
    """A schedule with nothing due in sight, whose counts have left Python's cache of small ints."""
    schedule = Schedule("1000 epochs", validate="1 epoch", **triggers)
    schedule.advance(1_000 * RECORDS, 1_000, 1_000)
    return schedule


def blocks_table() -> list[str]:
    """Print by how many blocks calls grow at which nothing is due, and return those that do."""
    far: dict[str, Any] = {"log": "1G steps", "save": "100G records"}
    plain, timed = quiet(**far), quiet(**far, report="100 h")
    counted = quiet(**far, sample="1000G tokens")
    batches = quiet(**far).batches([list(range(RECORDS))] * (2 * LAST), records=len)
    missed = []
    print(f"\n{f'allocated blocks, calls {FIRST} to {LAST}, nothing due':52}{'growth':>11}")
    for name, call in {
        "advance(32, 1, 1)": lambda: plain.advance(32, 1, 1),
        "with a trigger in hours": lambda: timed.advance(32, 1, 1),
        "advance(32, 1, 1, tokens=4096)": lambda: counted.advance(32, 1, 1, tokens=4096),
        "next(batches(loader, records=len))": lambda: next(batches),
    }.items():
        grown = growth(call)
        if grown > 0:
            missed.append(f"blocks of {name}")
        print(f"  {name:50}{grown:11}{'':23}  at most 0: {verdict(grown, 0)}")
    return missed


def import_table(starts: int) -> list[str]:
    """Print what the import costs, and the first parse; return it if the gate is missed.

    Each is the median of differences to the line above it, of interpreters started in turn.
    """
    seconds = [process(code) for code in STARTS.values()]
    for one in seconds:
        one()
    taken = [[1e3 * one() for one in seconds] for _ in range(starts)]
    print(f"\n{f'import, {starts} interpreters each':52}{'ms':>11}{'added':>9}{'spread':>8}")
    missed = []
    for index, name in enumerate(STARTS):
        own = statistics.median(each[index] for each in taken)
        added = [each[index] - each[max(index - 1, 0)] for each in taken]
        low, middle, high = statistics.quantiles(added, n=4)
        line = f"  {name:50}{own:11.1f}"
        if index:
            line += f"{middle:9.2f}{high - low:8.2f}"
        if name == "import treadle_units":
            line += f"{'':6}  at most {IMPORT_GATE:g}: {verdict(middle, IMPORT_GATE)}"
            if middle > IMPORT_GATE:
                missed.append(name)
        print(line)
    return missed
