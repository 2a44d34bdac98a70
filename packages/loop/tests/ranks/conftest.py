import importlib.util
import inspect
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("rank.py")
SECONDS = 50.0


class Ranks:
    """Two processes, made once, that run a case together: `ranks(case, *arguments)`.

    A case is a function of a test module, of its `Rank` and plain arguments. What it returns on
    each rank comes back as a list. An error in it is a failure here, and so is a hang; both with
    the stack of every rank.
    """

    def __init__(self, folder: Path, world_size: int = 2) -> None:
        self._folder = folder
        self._world_size = world_size
        self._starts = 0
        self._processes: list[subprocess.Popen[bytes]] = []
        self._channels: list[Connection] = []

    def __call__(self, case: Callable[..., Any], *arguments: Any) -> list[Any]:
        if not self._processes:
            self._start()
        asked = pickle.dumps((inspect.getfile(case), case.__name__, arguments))
        for channel in self._channels:
            channel.send_bytes(asked)
        answers = self._answers()
        if all(answer is not None and answer[0] for answer in answers):
            return [answer[1] for answer in answers if answer is not None]
        self._kill()
        raise AssertionError(self._report(answers))

    def close(self) -> list[int]:
        """End the processes as a script ends; their exit codes."""
        for channel in self._channels:
            channel.send_bytes(pickle.dumps(None))
        codes = [process.wait(SECONDS) for process in self._processes]
        self._forget()
        return codes

    def _start(self) -> None:
        self._starts += 1
        # A new one each time: a store that was used has the addresses of those that were killed.
        store = self._folder / f"store-{self._starts}"
        for rank in range(self._world_size):
            ours, theirs = Pipe()
            with theirs, self._errors(rank).open("wb") as errors:
                arguments = (rank, self._world_size, store, theirs.fileno(), SECONDS)
                self._processes.append(
                    subprocess.Popen(
                        [sys.executable, str(SCRIPT), *map(str, arguments)],
                        pass_fds=[theirs.fileno()],
                        stderr=errors,
                        env={**os.environ, "GLOO_SOCKET_IFNAME": "lo"},
                    )
                )
            self._channels.append(ours)

    def _answers(self) -> list[tuple[bool, Any] | None]:
        answers: list[tuple[bool, Any] | None] = [None] * self._world_size
        waiting = dict(zip(self._channels, range(self._world_size), strict=True))
        until = monotonic() + SECONDS
        while waiting:
            ready = wait(list(waiting), timeout=max(0.0, until - monotonic()))
            if not ready:
                break
            for channel in ready:
                assert isinstance(channel, Connection)
                rank = waiting.pop(channel)
                try:
                    answers[rank] = pickle.loads(channel.recv_bytes())
                except EOFError:
                    answers[rank] = (False, "the process has ended")
                if not answers[rank][0]:  # the others may wait for it for ever
                    until = min(until, monotonic() + 3)
        return answers

    def _report(self, answers: list[tuple[bool, Any] | None]) -> str:
        lines = []
        for rank, answer in enumerate(answers):
            said = self._errors(rank).read_text(errors="replace").strip()
            done = "hangs" if answer is None else answer[1] if not answer[0] else "is done"
            lines.append(f"rank {rank}: {done}\n{said}")
        return "\n".join(lines)

    def _errors(self, rank: int) -> Path:
        return self._folder / f"errors-{self._starts}-{rank}"

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        self._forget()

    def _forget(self) -> None:
        for channel in self._channels:
            channel.close()
        self._processes, self._channels = [], []


@pytest.fixture(scope="session")
def ranks() -> Iterator[Ranks]:
    with tempfile.TemporaryDirectory() as folder:
        both = Ranks(Path(folder))
        yield both
        assert set(both.close()) <= {0}


@pytest.fixture(scope="session")
def alone() -> Callable[..., Any]:
    """Run a case in this process, by itself."""
    specification = importlib.util.spec_from_file_location("rank", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    here = module.Rank()
    return lambda case, *arguments: case(here, *arguments)
