"""Rows that are timed side by side, and the table they make."""

import gc
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import sub, truediv


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Args:
        name: What is done.
        seconds: Does it for one round, and returns the seconds of CPU that it took.
        gate: What the ratio to the first row of the table may be.
        rival: Whether the table's second row has to be at least as fast as this one.
    """

    name: str
    seconds: Callable[[], float]
    gate: float | None = None
    rival: bool = False


def inside(call: Callable[[], object], times: int = 1) -> Callable[[], float]:
    """Time a call within this process, so many times a round; gives the seconds of one."""

    def seconds() -> float:
        # Nobody pays for what the row before has left behind.
        gc.collect()
        started = time.process_time()
        for _ in range(times):
            call()
        return (time.process_time() - started) / times

    return seconds


def measure(rows: Sequence[Row], rounds: int) -> list[list[float]]:
    """Seconds of CPU for each row and round; in a round each runs once, in an order that changes.

    What exists before the first round is kept from the collector of garbage, so that nobody pays
    for the modules of others. It collects what is made after that as it would for a user.
    """
    for row in rows:
        row.seconds()
    gc.collect()
    gc.freeze()
    seconds: list[list[float]] = [[0.0] * rounds for _ in rows]
    shuffler = random.Random(0)  # noqa: S311 (an order, not a secret)
    order = list(range(len(rows)))
    for number in range(rounds):
        shuffler.shuffle(order)
        for index in order:
            seconds[index][number] = rows[index].seconds()
    gc.unfreeze()
    return seconds


def verdict(value: float, bound: float) -> str:
    """Whether a gate holds, in one word that `grep` finds."""
    return "ok" if value <= bound else "MISSED"


def table(title: str, rows: Sequence[Row], rounds: int, *, less: Row | None = None) -> list[str]:
    """Measure the rows, print them, and return the names of those that miss their gate.

    A ratio is the median of those of single rounds; the spread is between their quartiles.

    Args:
        title: What is compared.
        rows: The lines, the one that others are compared with first.
        rounds: How often each is run.
        less: What is taken off all others of the same round before they are compared.
    """
    seconds = measure([*rows, less] if less else rows, rounds)
    off = seconds[-1] if less else [0.0] * rounds
    missed = []
    print(f"\n{title:52}{'ms':>9}{'ratio':>9}{'spread':>8}  gate")
    if less:
        print(f"  {less.name:50}{1e3 * statistics.median(off):9.3f}")
    for row, own in zip(rows, seconds, strict=False):
        mine = list(map(sub, own, off))
        low, ratio, high = statistics.quantiles(map(truediv, mine, map(sub, seconds[0], off)), n=4)
        gate, value, bound = "", 0.0, 1.0
        if row.gate is not None:
            value, bound = ratio, row.gate
            gate = f"at most {bound:g}: {verdict(value, bound)}"
        elif row.rival:
            value = statistics.median(map(truediv, seconds[1], own))
            gate = f"ours is {value:.4f} of it, at most 1: {verdict(value, bound)}"
        if value > bound:
            missed.append(f"{title}: {row.name}")
        line = f"  {row.name:50}{1e3 * statistics.median(mine):9.3f}"
        print(f"{line}{ratio:9.3f}{high - low:8.3f}  {gate}".rstrip(), flush=True)
    return missed
