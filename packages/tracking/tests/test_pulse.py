"""The thread beside a run."""

from threading import Event, Semaphore

import pytest

from treadle_tracking.pulse import Pulse

FOREVER = 1e6  # seconds


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(Pulse, "FLUSH_SECONDS", 0.0)


def test_a_nudge_is_followed_by_a_flush():
    """Whoever nudges has something flushed soon, each time."""
    flushed = Semaphore(0)
    pulse = Pulse("a", beat=lambda: None, flush=flushed.release, beat_seconds=FOREVER)
    for _ in range(3):
        pulse.nudge()
        assert flushed.acquire(timeout=60)

    pulse.close()
    assert not pulse._thread.is_alive()


def test_what_still_waits_is_flushed_again():
    """A flush that could not do everything is repeated without another nudge, until it could."""
    left, done = [3, 2, 1, 0], Event()

    def flush():
        waiting = left.pop(0)
        if not waiting:
            done.set()
        return waiting > 0

    pulse = Pulse("a", beat=lambda: None, flush=flush, beat_seconds=FOREVER)
    pulse.nudge()
    finished = done.wait(60)
    pulse.close()

    assert finished
    assert [] == left


def test_a_run_that_is_silent_beats():
    """Without any nudge the process says that it lives, again and again."""
    beats = Semaphore(0)
    pulse = Pulse("a", beat=beats.release, flush=lambda: False, beat_seconds=0.0)
    heard = [beats.acquire(timeout=60) for _ in range(3)]
    pulse.close()

    assert [True] * 3 == heard


def test_a_run_that_waits_for_its_disk_beats_too():
    """Flushing again and again leaves time to say that the process lives."""
    beats = Semaphore(0)
    pulse = Pulse("a", beat=beats.release, flush=lambda: True, beat_seconds=0.0)
    pulse.nudge()
    heard = [beats.acquire(timeout=60) for _ in range(3)]
    pulse.close()

    assert [True] * 3 == heard


def test_closing_waits_for_what_is_under_way():
    """When `close` returns, no flush is going on, and none comes any more."""
    entered, released, flushes = Event(), Event(), []

    def flush():
        entered.set()
        released.wait(60)
        flushes.append(1)
        return True

    pulse = Pulse("a", beat=lambda: None, flush=flush, beat_seconds=FOREVER)
    pulse.nudge()
    entered.wait(60)
    pulse._closing = _Releasing(released)
    pulse.close()

    assert ([1], False) == (flushes, pulse._thread.is_alive())


class _Releasing(Event):
    """Lets the flush that is under way go on as soon as the pulse is told to close."""

    def __init__(self, released):
        super().__init__()
        self._released = released

    def set(self):
        super().set()
        self._released.set()


def test_a_second_nudge_touches_nothing(monkeypatch):
    """A nudge takes the event's lock once at most until the flush begins, and the calling thread never waits."""
    monkeypatch.setattr(Pulse, "_work", lambda self: None)
    pulse = Pulse("a", beat=lambda: None, flush=lambda: False, beat_seconds=FOREVER)
    calls = []

    class Flag:
        def is_set(self):
            return bool(calls)

        def set(self):
            calls.append("set")

    pulse._nudged = Flag()
    for _ in range(3):
        pulse.nudge()

    assert ["set"] == calls


def test_the_thread_bears_the_run_s_name(monkeypatch):
    """Whoever lists the threads of a process knows what it is for; it never keeps a process from ending."""
    pulse = Pulse("a", beat=lambda: None, flush=lambda: False, beat_seconds=FOREVER)
    thread = pulse._thread
    pulse.close()

    assert ("run a", True) == (thread.name, thread.daemon)
