"""What reading costs: one run's numbers beside TensorBoard's way to them, and a thousand runs at once.

`EventAccumulator` is told to keep every point. The floor takes every record out of its frame and looks at both
checksums, and makes nothing of it.
"""

import statistics
import struct
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from google_crc32c import value as crc32c
from harness import Row, Unit, again, table, timed, verdict
from loggers import values
from ours import ours
from places import Places
from rivals import summary_writer

from treadle_tracking import Runs, open_runs

A_RUN = Unit("ms", 1e3, decimals=0, of_ratios=3)
STEPS = 20_000  # of three numbers each
RUNS, RUN_STEPS = 1_000, 334
INDEX = ".treadle-index.sqlite3"
WARM_SECONDS, SEARCH_SECONDS = 1.0, 0.1
FILTER = "params.lr > 0.3 and metrics['train/loss'] < 0.5"


def reading_tables(where: Places, rounds: int) -> list[str]:
    """Print the numbers of one run, and the listing of many."""
    missed = []
    for name, make in (("torch's SummaryWriter", summary_writer), ("treadle_tracking", ours)):
        folder = where.folder / "read" / name.replace(" ", "-")
        folder.mkdir(parents=True)
        logger = make(folder)
        for step in range(STEPS):
            logger.log(values(step), step)
        logger.close()
        [path] = folder.rglob("*tfevents*")
        theirs = Row("EventAccumulator, every point kept", _timed(lambda at=path: _accumulated(at)))
        rows = [
            theirs,
            Row("treadle_tracking, histories", _timed(lambda at=path: _histories(at)), gate=1 / 3),
            again(theirs),
            Row("treadle_tracking, listed", _timed(lambda at=path: _listed(at.parent))),
            Row("records and checksums by hand", _timed(lambda at=path: _framed(at))),
        ]
        missed += table(f"{3 * STEPS:,} scalars, written by {name}", rows, rounds, A_RUN)
    return missed + _many(where, rounds)


def _timed(read: Callable[[], object]) -> Callable[[], float]:
    return timed(lambda: read)


def _accumulated(path: Path) -> int:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(path.parent), size_guidance={"scalars": 0, "tensors": 0})
    accumulator.Reload()
    return sum(len(accumulator.Scalars(tag)) for tag in accumulator.Tags()["scalars"])


def _histories(path: Path) -> int:
    [run] = open_runs(f"tensorboard:{path.parent}")
    return sum(len(points) for _, _, points in run.reader.histories([run]))


def _listed(folder: Path) -> int:
    return len(open_runs(f"tensorboard:{folder}").records)


def _framed(path: Path) -> int:
    data = path.read_bytes()
    at = count = 0
    while at < len(data):
        length, said = struct.unpack_from("<QI", data, at)
        assert said == _masked(crc32c(data[at : at + 8]))
        end = at + 12 + length
        assert struct.unpack_from("<I", data, end)[0] == _masked(crc32c(data[at + 12 : end]))
        at = end + 4
        count += 1
    return count


def _masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _many(where: Places, rounds: int) -> list[str]:
    """A listing without an index, with one, and a search in what was listed; in seconds by the wall."""
    from treadle_tracking import start_run

    root = where.folder / "many"
    for number in range(RUNS):
        params = {
            "lr": number / RUNS,
            "optim": {"name": "adam", "depth": number % 7},
            "seed": number,
        }
        with start_run(f"tensorboard:{root}", name=f"run{number}", params=params) as run:
            for step in range(RUN_STEPS):
                run.log(values(step), step=step)
    taken: dict[str, list[float]] = {"without an index": [], "with it": [], "searched": []}
    for _ in range(max(3, rounds // 3)):
        (root / INDEX).unlink(missing_ok=True)
        taken["without an index"].append(_seconds(lambda: _listed(root)))
        # The first that finds an index may find files that were changed a moment before it was made.
        _listed(root)
        taken["with it"].append(_seconds(lambda: _listed(root)))
        runs = open_runs(f"tensorboard:{root}")
        assert len(runs) == RUNS
        taken["searched"].append(_seconds(partial(_searched, runs)))
    print(f"\n{RUNS:,} runs of {3 * RUN_STEPS:,} points, s")
    limits = {"with it": WARM_SECONDS, "searched": SEARCH_SECONDS}
    missed = []
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        told = f"  {name:42}{median:9.3f}"
        if name in limits:
            word = verdict(median, limits[name])
            told += f", at most {limits[name]:g}: {word}"
            missed += [f"{RUNS} runs, {name}"] if word == "MISSED" else []
        print(told)
    return missed


def _searched(runs: Runs) -> int:
    return len(runs.search(FILTER))


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
