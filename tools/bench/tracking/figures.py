"""How long a call of a logger takes, and all of them until everything is where it belongs."""

import gc
import random
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import verdict
from loggers import Make, values

WARM = 20  # steps before the clock is looked at: what a library does once, it does then


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Args:
        name: What logs.
        make: Opens it.
        steps: How many there are in a round.
        between: Seconds of other work of the interpreter between two of them, which are not counted.
    """

    name: str
    make: Make
    steps: int
    between: float = 0.0


@dataclass(frozen=True, slots=True)
class Gate:
    """What a figure of a row may be of the same figure of another.

    Args:
        row: Whose.
        figure: Which: `mean`, `p50`, `p99` or `total`.
        of: Whose it is compared with.
        at_most: The share of it.
    """

    row: str
    figure: str
    of: str
    at_most: float


Figures = dict[str, float]
"""Microseconds a step: `mean`, `p50` and `p99` of the calls; `total` is calls and close together."""


def figures(make: Make, steps: int, folder: Path, between: float = 0.0) -> Figures:
    """Log so many steps in a folder of its own, and close."""
    logger = make(Path(tempfile.mkdtemp(dir=folder)))
    log, clock = logger.log, time.perf_counter_ns
    for step in range(WARM):
        log(values(step), step)
    gc.collect()
    taken = []
    rest = round(1e9 * between)
    for step in range(WARM, WARM + steps):
        numbers = values(step)
        started = clock()
        log(numbers, step)
        ended = clock()
        taken.append(ended - started)
        while clock() - ended < rest:
            pass
    started = clock()
    logger.close()
    total = sum(taken) + clock() - started
    taken.sort()
    return {
        "mean": statistics.fmean(taken) / 1e3,
        "p50": taken[steps // 2] / 1e3,
        "p99": taken[steps * 99 // 100] / 1e3,
        "total": total / steps / 1e3,
    }


def table(
    title: str, rows: Sequence[Row], gates: Sequence[Gate], folder: Path, rounds: int
) -> list[str]:
    """Measure the rows, print them and the gates, and return the names of those that are missed."""
    print(
        f"\n{title:44}{'log mean':>9}{'p50':>9}{'p99':>9}{'total':>10}"
        f"{'mean':>9}{'total':>9}{'spread':>8}"
    )
    rows, missing = _usable(rows, folder)
    measured = _measured(rows, folder, rounds)
    base = measured[rows[0].name]
    for row in rows:
        mine = measured[row.name]
        line = f"  {row.name:42}"
        for figure, width in (("mean", 9), ("p50", 9), ("p99", 9), ("total", 10)):
            line += f"{statistics.median(one[figure] for one in mine):{width}.1f}"
        _, mean, _ = _ratios(mine, base, "mean")
        low, total, high = _ratios(mine, base, "total")
        print(f"{line}{mean:9.2f}{total:9.2f}{high - low:8.2f}", flush=True)
    for told in missing:
        print(told)
    return [told for gate in gates if (told := _missed(gate, measured, title))]


def _usable(rows: Sequence[Row], folder: Path) -> tuple[list[Row], list[str]]:
    """Those that work here, and a line for each other that says why not."""
    usable, missing = [], []
    for row in rows:
        try:
            figures(row.make, 1, folder)
        except Exception as error:  # noqa: BLE001 (whatever keeps it from working)
            reason = " ".join(str(error).split())[:120]
            missing.append(f"  {row.name}: {type(error).__name__}: {reason}")
        else:
            usable.append(row)
    return usable, missing


def _measured(rows: Sequence[Row], folder: Path, rounds: int) -> dict[str, list[Figures]]:
    measured: dict[str, list[Figures]] = {row.name: [] for row in rows}
    shuffler = random.Random(0)  # noqa: S311 (an order, not a secret)
    order = list(rows)
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        shuffler.shuffle(order)
        for row in order:
            measured[row.name].append(figures(row.make, row.steps, folder, row.between))
    gc.unfreeze()
    return measured


def _ratios(mine: Sequence[Figures], base: Sequence[Figures], figure: str) -> list[float]:
    """The quartiles of the ratios of the rounds."""
    return statistics.quantiles(
        [own[figure] / other[figure] for own, other in zip(mine, base, strict=True)], n=4
    )


def _missed(gate: Gate, measured: Mapping[str, Sequence[Figures]], title: str) -> str | None:
    what = f"{gate.row}, {gate.figure}, of {gate.of}"
    if gate.row not in measured or gate.of not in measured:
        print(f"  {what}: not compared, since one of them does not work here")
        return None
    _, share, _ = _ratios(measured[gate.row], measured[gate.of], gate.figure)
    word = verdict(share, gate.at_most)
    print(f"  {what}: {share:.4f}, at most {gate.at_most:g}: {word}")
    return f"{title}: {what}" if word == "MISSED" else None
