"""Signals that ask a run to stop, and are answered between two updates."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

from treadle_loop.errors import InvalidSetting, NotAWorker, StopNotEntered

_Handler = Callable[[int, FrameType | None], Any] | int | None


def stop_on_signals(*signals: int) -> "Stop":
    """Ask the loop to end where it is complete, instead of being ended where it stands.

        with stop_on_signals() as stop:
            for update in engine.updates(loader, stop=stop):
                ...
        if stop:
            save_checkpoint(...)

    A signal sets a flag, and nothing else: what is to be saved is saved by your code, at a
    boundary. The first Ctrl-C does the same, and a second one raises `KeyboardInterrupt` at once.

    Handlers that were there before are called too, and are put back at the end of the block. Where
    handlers cannot be set, as in a thread, no signal is seen, and the rest works:
    `stop.request()` stops from any thread.

    A process that is forked within the block leaves the signals to this one, except SIGTERM, with
    which it can be ended as ever. For the workers of a `DataLoader`, see `ignore_stop_signals`.

    Args:
        signals: which; by default SIGTERM, SIGINT and, where there is one, SIGUSR1. SIGINT stays
            ignored where it was, as in a job that a script has put in the background.

    Raises:
        InvalidSetting: one is no signal, or one that no process can catch.
    """
    return Stop(signals or _default_signals())


class Stop:
    """Whether a run was asked to stop: the object that `stop_on_signals` returns.

    A context manager within which the signals are seen, and a function without arguments; `if
    stop:` is the same as `if stop():`.
    """

    def __init__(self, signals: tuple[int, ...]) -> None:
        self._signals = tuple(_check_signal(number) for number in signals)
        self._previous: dict[int, _Handler] = {}
        self._process = 0
        self._depth = 0
        self._entered = False
        self._requested = False
        self._interrupts = 0
        self._signal: signal.Signals | None = None

    @property
    def signal(self) -> signal.Signals | None:
        """The first signal that arrived; None before, and after a mere `request()`."""
        return self._signal

    def request(self) -> None:
        """Ask for the stop by hand, from any thread."""
        self._requested = True

    def __call__(self) -> bool:
        """Whether to stop; it stays true after the block.

        Raises:
            StopNotEntered: signals were never watched, because the `with` is missing.
        """
        if not self._entered and not self._requested:
            raise StopNotEntered(
                "a stop was polled outside of its block, where it sees no signal; write "
                "with stop_on_signals() as stop: and poll it inside",
            )
        return self._requested

    def __bool__(self) -> bool:
        return self()

    def __enter__(self) -> Self:
        self._entered = True
        if not self._depth:
            self._process = os.getpid()
            self._interrupts = 0
            self._install()
        # Last: handlers that an interrupt leaves behind before this point only pass on.
        self._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._restore()

    def _install(self) -> None:
        for number in self._signals:
            previous = signal.getsignal(number)
            # Python cannot put back a handler that is none of its own.
            if previous is None or (number == signal.SIGINT and previous == signal.SIG_IGN):
                continue
            self._previous[number] = previous  # before a signal can ask for it
            try:
                signal.signal(number, self._receive)
            except ValueError:  # only the main thread of the main interpreter may
                del self._previous[number]

    def _restore(self) -> None:
        for number, previous in self._previous.items():
            # Someone else's handler stays, and may call ours, which then only passes on.
            if signal.getsignal(number) == self._receive:
                try:
                    signal.signal(number, previous)
                except ValueError:  # the block ends in another thread than it began in
                    continue

    def _receive(self, number: int, frame: FrameType | None) -> None:
        forked = os.getpid() != self._process
        if not self._depth or (forked and number == signal.SIGTERM):
            self._pass_on(number, frame)
            return
        if forked:  # the process that began the block decides, and ends this one
            return
        self._requested = True
        if self._signal is None:
            self._signal = signal.Signals(number)
        self._interrupts += number == signal.SIGINT
        previous = self._previous[number]
        if callable(previous) and previous is not signal.default_int_handler:
            previous(number, frame)
        if number == signal.SIGINT and self._interrupts > 1:
            raise KeyboardInterrupt

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        """Do what would be done if this object had never been."""
        previous = self._previous[number]
        if callable(previous):
            previous(number, frame)
        elif previous == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


def ignore_stop_signals(worker_id: int = 0) -> None:  # noqa: ARG001 - what DataLoader calls it with
    """Let the workers of a `DataLoader` outlast the signals of `stop_on_signals`.

        DataLoader(dataset, num_workers=4, worker_init_fn=ignore_stop_signals)

    Ctrl-C, a job scheduler and torchrun signal not only your process but its workers too. A worker
    that dies of it takes the training down before it reaches the boundary ("DataLoader worker
    is killed by signal: Terminated").

    SIGINT and SIGUSR1 are ignored. SIGTERM is ignored unless the process that started the worker
    sent it, which is how a `DataLoader` ends its workers: to ignore that too would let your
    program hang at its end. That needs Linux, and workers that are started by fork; elsewhere SIGTERM
    is left as it is. Where it is done, programs that the dataset starts are born deaf to
    SIGTERM: end them with `kill()`.

    Args:
        worker_id: what a `DataLoader` passes; the same is done in each worker. Call it without
            in a `worker_init_fn` of your own.

    Raises:
        NotAWorker: it was called in a process that no other one started.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        raise NotAWorker(
            "ignore_stop_signals was called in the main process, which would ignore the signals "
            "for good, and a worker was expected; give it to a DataLoader as worker_init_fn",
        )
    for number in _default_signals():
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    # Only a wait for a blocked signal tells who sent it; macOS and Windows have none.
    if hasattr(signal, "sigwaitinfo"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_with_parent, args=(parent.pid,), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)  # as torch's own handler in a worker does


def _default_signals() -> tuple[int, ...]:
    names = ("SIGTERM", "SIGINT", "SIGUSR1")
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


def _check_signal(number: Any) -> int:
    uncatchable = {getattr(signal, name, None) for name in ("SIGKILL", "SIGSTOP")}
    if number not in signal.valid_signals() or number in uncatchable:
        raise InvalidSetting(
            f"the signal is {number!r}, and one that a process can catch was expected, such as "
            "signal.SIGTERM",
        )
    return int(number)
