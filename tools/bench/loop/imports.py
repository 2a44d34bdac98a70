"""What `import treadle_loop` costs after `import torch`."""

import statistics
import subprocess
import sys

from harness import verdict

GATE = 50.0
STARTS = 11
# The import of torch takes a hundred times as long, and no two of them the same.
CODE = """
import time, torch
started = time.process_time()
import treadle_loop
print(time.process_time() - started)
"""


def import_tables(_rounds: int) -> list[str]:
    """Print what the import takes where torch is imported already; its name if the gate is missed."""
    low, taken, high = statistics.quantiles([_milliseconds() for _ in range(STARTS)], n=4)
    print(f"\n{f'import, {STARTS} interpreters':52}{'ms':>11}{'':9}{'spread':>8}  gate")
    print(
        f"  {'treadle_loop, after torch':50}{taken:11.1f}{'':9}{high - low:8.1f}"
        f"  at most {GATE:g}: {verdict(taken, GATE)}"
    )
    return ["import treadle_loop"] if taken > GATE else []


def _milliseconds() -> float:
    command = [sys.executable, "-I", "-c", CODE]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return 1e3 * float(done.stdout)
