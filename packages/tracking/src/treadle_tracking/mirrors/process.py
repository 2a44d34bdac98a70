"""A sender in a process of its own: the interpreter that trains gives it no time at all."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from signal import Signals
from threading import Event, Lock, Thread
from time import monotonic

from attrs import evolve

from treadle_tracking.backends import mirror
from treadle_tracking.mirrors.remainder import (
    When,
    entries_left,
    gone,
    is_gone,
    remainder,
    rewound,
    waiting,
)
from treadle_tracking.mirrors.sender import FIRST_PAUSE, LONGEST_PAUSE, SILENCE
from treadle_tracking.mirrors.state import load_sent, save_sent
from treadle_tracking.notices import say

__all__ = ["ProcessSender"]

_NOTICE = "treadle: "  # how a sentence of ours begins


def _environment() -> dict[str, str]:
    """The environment here, with the import path of here: what is found here is found there."""
    paths = [os.path.abspath(path) for path in sys.path]  # noqa: PTH100 # "" is the current directory
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


class ProcessSender:
    """Sends a run's log to a mirror, as `Sender` does and with its methods, from a process that follows the log.

    The process is told the mirror's address through a pipe: it is in no list of processes. A Ctrl-C in a terminal does
    not reach it. Where this process is killed, it sends what is left, and ends. Where it is killed itself, that is said
    once, and another takes its place, ever more slowly; at `close` at once.

    Args:
        directory: The run directory, in which it is noted that this mirror is wanted.
        uri: The mirror's whole target, secrets and all.
        when: As for `Sender`.

    Raises:
        TrackingError: the target can be no mirror, or lacks something; as `backends.mirror`.
        OSError: the note cannot be written.
    """

    def __init__(self, directory: Path, uri: str, when: When = "logged") -> None:
        self._directory = directory.absolute()
        self._whole_uri = uri
        self._uri = mirror(uri).uri
        self._when = when
        self._child: subprocess.Popen[str] | None = None
        self._guard = Lock()  # of the child's being there, and of the note while there is none
        self._closing = Event()
        self._given_up = Event()
        self._failure: str | None = None
        self._said: set[str] = set()
        self._has_said_end = False
        self._noise = ""
        self._thread = Thread(target=self._work, name=f"mirror {self._uri}", daemon=True)
        # Before anything is sent: a run that is killed now must be known to `sync`.
        save_sent(self._directory, load_sent(self._directory, self._uri))
        self._at_close = load_sent(self._directory, self._uri)

    @property
    def failure(self) -> str | None:
        """Why the mirror takes nothing at the moment, if that is known."""
        return self._failure

    def start(self) -> None:
        """Start the process, from a thread."""
        self._thread.start()

    def wake(self) -> None:
        """As `Sender.wake`, of what is final alone: that process is told, and the other looks at the log itself."""
        if self._when == "committed":
            with self._guard:
                if self._child is not None:
                    self._tell({"wake": True})

    def rewind(self, places: Mapping[str, int]) -> None:
        """As `Sender.rewind`."""
        with self._guard:
            if self._child is not None:
                self._tell({"rewind": dict(places)})
                return
            sent = load_sent(self._directory, self._uri)
            position = rewound(sent.position, places)
            if position != sent.position:
                # Left as it was, the note has a place whose checksum tells that it is there no more.
                with suppress(OSError):
                    save_sent(self._directory, evolve(sent, position=position))

    def hurry(self) -> None:
        """As `Sender.hurry`."""
        if not self._closing.is_set():
            self._at_close = load_sent(self._directory, self._uri)
        with self._guard:
            self._closing.set()
            if self._child is not None:
                self._tell({"close": True})

    def close(self, timeout: float | None) -> str | None:
        """As `Sender.close`; the process has ended when this returns."""
        self.hurry()
        if self._thread.ident is not None:
            self._wait(timeout)
        return self._remainder()

    def _wait(self, timeout: float | None) -> None:
        if timeout is None or timeout <= SILENCE:
            self._thread.join(timeout)
        else:
            self._thread.join(SILENCE)
            left = self._left() if self._thread.is_alive() else None
            if left is not None:
                say(waiting(self._uri, left, timeout))
            self._thread.join(timeout - SILENCE)
        if not self._thread.is_alive():
            return
        if self._failure is None and load_sent(self._directory, self._uri) == self._at_close:
            self._failure = "it has not answered"
        # At any moment: what has arrived is noted, or is sent again and changes nothing.
        with self._guard:
            self._given_up.set()
            if self._child is not None:
                self._child.kill()
        self._thread.join()

    def _left(self) -> str | None:
        sent = load_sent(self._directory, self._uri)
        return entries_left(self._directory, sent.position, self._when)

    def _remainder(self) -> str | None:
        if is_gone(self._directory, self._at_close.position):
            return gone(self._directory, self._uri)
        left = self._left()
        if left is None:
            return None
        return remainder(self._directory, self._uri, left, self._failure)

    def _tell(self, order: Mapping[str, object]) -> None:
        assert self._child is not None
        assert self._child.stdin is not None
        with suppress(OSError):  # it is gone, and who waits for it will know
            self._child.stdin.write(json.dumps(order) + "\n")
            self._child.stdin.flush()

    def _work(self) -> None:
        pause = FIRST_PAUSE
        while True:
            was_closing = self._closing.is_set()
            began = monotonic()
            why = self._one_child()
            if why is None or self._given_up.is_set():
                return
            self._failure = f"the process that sends it has ended, {why}"
            if was_closing:
                return
            # Without its directory it cannot begin, and the run says that itself.
            if not self._has_said_end and not is_gone(self._directory, self._at_close.position):
                self._has_said_end = True
                say(
                    f"the process that sends the run in {self._directory} to {self._uri} has ended, {why}; "
                    f"the run goes on, and another process is started"
                )
            if monotonic() - began > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            self._closing.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _one_child(self) -> str | None:
        """Start a process, and wait for its end; None if that was in order, else what is known of it."""
        try:
            with self._guard:
                if self._given_up.is_set():
                    return None
                child = self._started()
        except OSError as error:
            return f"before it began: {error.strerror}"
        answered = False
        assert child.stdin is not None
        assert child.stdout is not None
        for line in child.stdout:
            answered |= self._heard(line.rstrip("\n"))
        with self._guard, suppress(OSError):  # of what it was told and did not read
            self._child = None
            child.stdin.close()
        child.stdout.close()
        child.wait()
        if answered and child.returncode == 0:
            return None
        if child.returncode < 0:
            return f"by the signal {Signals(-child.returncode).name}"
        return f"with the exit code {child.returncode}{f': {self._noise}' if self._noise else ''}"

    def _started(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-P", "-m", "treadle_tracking.mirrors.follower"]
        child = self._child = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=_environment() | {"PYTHONIOENCODING": "utf-8"},
            start_new_session=True,
        )
        self._noise = ""
        self._tell(
            {
                "directory": str(self._directory),
                "uri": self._whole_uri,
                "when": self._when,
                "parent": os.getpid(),
            }
        )
        if self._closing.is_set():
            self._tell({"close": True})
        return child

    def _heard(self, line: str) -> bool:
        """Pass on what the process says; whether it was its answer."""
        if line.startswith(_NOTICE):
            sentence = line.removeprefix(_NOTICE)
            if sentence not in self._said:  # by the one before
                self._said.add(sentence)
                say(sentence)
            return False
        try:
            self._failure = json.loads(line)["failure"]
        except (ValueError, TypeError, KeyError):
            self._noise = line.strip()[:300] or self._noise
            return False
        return True
