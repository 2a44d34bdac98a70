"""The process beside a run that sends it to one mirror: what `treadle_tracking.mirrors.process` starts.

It is told what to do on its standard input, in lines of JSON, and answers on its standard output likewise; what it says
to the user is on its standard error. It ends with the run: when it is told to, or when the run's process is gone, and
then only after everything has been sent.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TextIO

from treadle_tracking.backends import mirror
from treadle_tracking.log import attempt_paths
from treadle_tracking.mirrors.sender import Sender

__all__ = ["follow"]

NICENESS = 5
SHORTEST_PAUSE = 0.2  # seconds between two looks at the log, while it grows
LONGEST_PAUSE = 1.0


def _state(directory: Path) -> list[tuple[str, int]]:
    """What differs when the log has grown."""
    with suppress(OSError):
        return [(path.name, path.stat().st_size) for path in attempt_paths(directory)]
    return []


def _lines(source: TextIO) -> "SimpleQueue[dict[str, Any] | None]":
    """What is read from `source`, one thing a line; None at its end."""
    queue: SimpleQueue[dict[str, Any] | None] = SimpleQueue()

    def _read() -> None:
        for line in source:
            queue.put(json.loads(line))
        queue.put(None)

    Thread(target=_read, name="lifeline", daemon=True).start()
    return queue


def _orders(
    source: TextIO, parent: int, directory: Path, sender: Sender, *, looks: bool
) -> Iterator[dict[str, Any]]:
    """What the run's process says, until it says no more; meanwhile the sender hears of what is in the log."""
    queue = _lines(source)
    seen: list[tuple[str, int]] = []
    pause = SHORTEST_PAUSE
    # A worker that was forked from the run's process keeps the pipe open after it is gone.
    while os.getppid() == parent:
        try:
            order = queue.get(timeout=pause)
        except Empty:
            if not looks:  # it is told when something is final
                pause = LONGEST_PAUSE
                continue
            state = _state(directory)
            pause = SHORTEST_PAUSE if state != seen else min(2 * pause, LONGEST_PAUSE)
            if state != seen:
                seen = state
                sender.wake()
            continue
        if order is None:
            return
        yield order


def follow(source: TextIO, answers: TextIO) -> None:
    """Follow the log that the first line of `source` names, and do what the next ones say.

    The first line has the `directory`, the `uri` of the mirror with its secrets, `when` (as for a sender), and the
    number of the `parent`. A line with `rewind` has the places of `Sender.rewind`; one with `close` is the last. The one
    answer is a line with `failure`, which says why the mirror takes nothing, or null.
    """
    first = json.loads(source.readline())
    directory = Path(first["directory"])
    sender = Sender(directory, mirror(first["uri"]), first["when"])
    sender.start()
    looks = first["when"] == "logged"
    for order in _orders(source, first["parent"], directory, sender, looks=looks):
        if "wake" in order:
            sender.wake()
        if "rewind" in order:
            sender.rewind(order["rewind"])
        if "close" in order:
            break
    # Whoever has asked does the waiting, and ends this process when he is tired of it.
    sender.close(None)
    with suppress(OSError):
        answers.write(json.dumps({"failure": sender.failure}) + "\n")
        answers.flush()


if __name__ == "__main__":
    os.nice(NICENESS)
    # It ends after the run's process, and a scheduler that stops a job tells everyone in it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    follow(sys.stdin, sys.stdout)
