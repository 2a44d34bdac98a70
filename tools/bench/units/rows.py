"""Rows that are timed side by side, and the table they make."""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import truediv

Run = Callable[[], int]
"""Goes over its batches once, and returns how often a name was due."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Args:
        name: What is done for each batch.
        batches: How many there are in one run.
        prepare: Returns the run of a round; what it does by itself is not timed.
        gate: What the ratio to the first row of the table may be.
        share: What share of this row the table's second row may be.
    """

    name: str
    batches: int
    prepare: Callable[[], Run]
    gate: float | None = None
    share: float | None = None


def verdict(value: float, bound: float) -> str:
    """Whether a gate holds, in one word that `grep` finds."""
    return "ok" if value <= bound else "MISSED"


def measure(rows: Sequence[Row], rounds: int) -> tuple[list[list[float]], list[int]]:
    """Seconds of CPU a batch, for each row and round, and how often names were due.

    Each row runs once a round, in an order that changes. The collector of garbage runs as it
    would for a user.
    """
    seconds: list[list[float]] = [[0.0] * rounds for _ in rows]
    due = [row.prepare()() for row in rows]
    shuffler = random.Random(0)  # noqa: S311 (an order, not a secret)
    order = list(range(len(rows)))
    for number in range(rounds):
        shuffler.shuffle(order)
        for index in order:
            run = rows[index].prepare()
            started = time.process_time()
            run()
            seconds[index][number] = (time.process_time() - started) / rows[index].batches
    return seconds, due


def table(title: str, rows: Sequence[Row], rounds: int) -> list[str]:
    """Measure the rows, print them, and return the names of those that miss their gate.

    A ratio is the median of those of single rounds; the spread is between their quartiles.
    """
    seconds, due = measure(rows, rounds)
    missed = []
    print(f"\n{title:52}{'ns a batch':>11}{'ratio':>9}{'spread':>8}{'due':>6}  gate")
    for row, own, names in zip(rows, seconds, due, strict=True):
        paired = list(map(truediv, own, seconds[0]))
        low, ratio, high = statistics.quantiles(paired, n=4)
        gate, value, bound = "", 0.0, 0.0
        if row.gate is not None:
            value, bound = ratio, row.gate
            gate = f"at most {bound:g}: {verdict(value, bound)}"
        elif row.share is not None:
            value, bound = statistics.median(map(truediv, seconds[1], own)), row.share
            gate = f"ours is {value:.4f} of it, at most {bound:g}: {verdict(value, bound)}"
        if value > bound:
            missed.append(row.name)
        print(
            f"  {row.name:50}{1e9 * statistics.median(own):11.1f}"
            f"{ratio:9.2f}{high - low:8.2f}{names or '':>6}  {gate}".rstrip()
        )
    return missed
