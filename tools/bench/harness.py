"""What the benches share: rows that are timed side by side, the table they make, and its gates.

Each row runs once a round, in an order that changes, and its time is divided by that of the table's
first row in the same round; the median of those ratios is what stands, and the spread is between
their quartiles. The first row `again` shows this machine's noise: no smaller difference means
anything.

A bench that is a folder finds this module beside the folder:

    sys.path.append(str(Path(__file__).parents[1]))
"""

import argparse
import gc
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import sub, truediv

Clock = Callable[[], float]
"""Seconds since some moment: `time.process_time` for CPU time, `time.perf_counter` for the wall."""
Run = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Args:
        name: What is done.
        seconds: Does it for one round, and returns the seconds that one of it took.
        gate: What the ratio to the table's first row may be.
        share: What share of this row the table's second row may be.
        note: What stands beside the times.
        wall: The seconds that what `seconds` did last took by the wall, where they are told, too.
        quiet: Whether the ratio may be no higher than three of four ratios of the first row again.
    """

    name: str
    seconds: Callable[[], float]
    gate: float | None = None
    share: float | None = None
    note: str = ""
    wall: Callable[[], float] | None = None
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """What times are told in.

    Args:
        name: The title of the column.
        in_a_second: How many of it there are in a second.
        decimals: How many of the time are told.
        of_ratios: How many of a ratio and of a spread are told.
    """

    name: str
    in_a_second: float
    decimals: int
    of_ratios: int


def again(row: Row) -> Row:
    """The same once more, without its gate."""
    return replace(row, name=_again(row.name), gate=None, share=None, quiet=False)


def _again(name: str) -> str:
    return f"{name}, again"


def timed(
    prepare: Callable[[], Run], *, count: int = 1, clock: Clock = time.process_time
) -> Callable[[], float]:
    """Time what is prepared anew for each round; gives the seconds of one of `count`.

    Args:
        prepare: Returns what is timed; what it does by itself is not.
        count: How many there are of what the row is about, such as batches, in one run.
        clock: What is looked at before and after.
    """

    def seconds() -> float:
        run = prepare()
        # Nobody pays for what the row before has left behind.
        gc.collect()
        started = clock()
        run()
        return (clock() - started) / count

    return seconds


def repeated(call: Run, times: int = 1, *, clock: Clock = time.process_time) -> Callable[[], float]:
    """Time a call that needs nothing prepared, so many times a round; gives the seconds of one."""

    def run() -> None:
        for _ in range(times):
            call()

    return timed(lambda: run, count=times, clock=clock)


def process(code: str) -> Callable[[], float]:
    """Time an interpreter that runs this code, without the user's settings, by its CPU."""

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-I", "-c", code], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return seconds


class Timed:
    """Times what is prepared anew for each round by its CPU, and the same run by the wall.

    A call gives the seconds of CPU; afterwards `wall` gives those by the wall.

    Args:
        prepare: Returns what is timed; what it does by itself is not.
        count: How many there are of what the row is about, such as batches, in one run.
    """

    def __init__(self, prepare: Callable[[], Run], *, count: int = 1) -> None:
        self._prepare = prepare
        self._count = count
        self._wall = 0.0

    def __call__(self) -> float:
        """Run it; the seconds of CPU."""
        run = self._prepare()
        gc.collect()
        wall, started = time.perf_counter(), time.process_time()
        run()
        taken, self._wall = time.process_time() - started, time.perf_counter() - wall
        return taken / self._count

    def wall(self) -> float:
        """The seconds of the last run by the wall."""
        return self._wall / self._count


def measure(
    rows: Sequence[Row], rounds: int, walls: list[list[float]] | None = None
) -> list[list[float]]:
    """Seconds for each row and round, after a first one that does not count.

    What exists before the first round is kept from the collector of garbage, so that nobody pays
    for the modules of others. It collects what is made after that as it would for a user.

    Args:
        rows: What is run.
        rounds: How often.
        walls: Takes those by the wall, for each row that tells them.
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
            wall = rows[index].wall
            if walls is not None and wall is not None:
                walls[index].append(wall())
    gc.unfreeze()
    return seconds


def verdict(value: float, bound: float) -> str:
    """Whether a gate holds, in one word that `grep` finds."""
    return "ok" if value <= bound else "MISSED"


def table(
    title: str,
    rows: Sequence[Row],
    rounds: int,
    unit: Unit,
    *,
    less: Row | None = None,
    notes: str = "",
) -> list[str]:
    """Measure the rows, print them, and return the names of those that miss their gate.

    Args:
        title: What is compared.
        rows: The lines, the one that others are compared with first.
        rounds: How often each is run.
        unit: What their times are told in.
        less: What is taken off all others of the same round before they are compared.
        notes: The title of the rows' notes.
    """
    walls: list[list[float]] = [[] for _ in rows]
    seconds = measure([*rows, less] if less else rows, rounds, walls)
    off = seconds[-1] if less else [0.0] * rounds
    width = len(notes) + 3 if notes else 0
    missed = []
    wall = f"{'wall':>9}" if any(walls) else ""
    print(f"\n{title:52}{unit.name:>11}{'ratio':>9}{'spread':>8}{wall}{notes:>{width}}  gate")
    if less:
        print(f"  {less.name:50}{_told(off, unit)}")
    taken = [list(map(sub, own, off)) for own in seconds[: len(rows)]]
    quartiles = {row.name: _quartiles(own, taken[0]) for row, own in zip(rows, taken, strict=True)}
    noise = quartiles.get(_again(rows[0].name), (1.0, 1.0, 1.0))[-1]
    for row, mine, by_wall in zip(rows, taken, walls, strict=True):
        low, ratio, high = quartiles[row.name]
        gate, value, bound = "", 0.0, 0.0
        if row.gate is not None:
            value, bound = ratio, row.gate
            gate = f"at most {bound:g}: {verdict(value, bound)}"
        elif row.share is not None:
            value, bound = statistics.median(map(truediv, taken[1], mine)), row.share
            gate = f"ours is {value:.4f} of it, at most {bound:g}: {verdict(value, bound)}"
        elif row.quiet:
            value, bound = ratio, max(noise, 1.0)
            gate = f"within noise, {bound:.{unit.of_ratios}f}: {verdict(value, bound)}"
        if value > bound:
            missed.append(f"{title}: {row.name}")
        line = f"  {row.name:50}{_told(mine, unit)}"
        line += f"{ratio:9.{unit.of_ratios}f}{high - low:8.{unit.of_ratios}f}"
        if by_wall:
            line += f"{_quartiles(by_wall, walls[0])[1]:9.{unit.of_ratios}f}"
        print(f"{line}{row.note:>{width}}  {gate}".rstrip(), flush=True)
    return missed


def _quartiles(seconds: Sequence[float], of: Sequence[float]) -> list[float]:
    return statistics.quantiles(map(truediv, seconds, of), n=4)


def _told(seconds: Sequence[float], unit: Unit) -> str:
    return f"{unit.in_a_second * statistics.median(seconds):11.{unit.decimals}f}"


def ending(missed: Sequence[str]) -> int:
    """Say which gates are missed; the exit code: 1 if there are any."""
    print(f"\nmissed: {'; '.join(missed)}" if missed else "\nno gate is missed")
    return 1 if missed else 0


def at_least(least: int) -> Callable[[str], int]:
    """The type of a number of repetitions."""

    def read(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"{number} is too few for a median; give {least}")
        return number

    return read


def machine() -> str:
    """What this runs on, in a line's worth of words."""
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} cores"
    )
