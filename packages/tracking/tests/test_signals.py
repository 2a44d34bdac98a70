import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from treadle_tracking.signals import Terminated, Termination, deferred_termination


@pytest.fixture(autouse=True)
def default_handler():
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


def test_the_first_sigterm_raises_and_later_ones_do_not():
    """SIGTERM is an exception in the main thread, once: repeating it does not break off the unwinding."""
    termination = Termination()
    with pytest.raises(Terminated) as caught:
        os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    termination.restore()

    assert 143 == caught.value.code
    assert signal.SIG_DFL == signal.getsignal(signal.SIGTERM)


def test_somebody_elses_handler_is_left_alone():
    """Where SIGTERM has a handler, or is ignored, nothing is installed and nothing restored."""
    for handler in (signal.SIG_IGN, lambda *_: None):
        signal.signal(signal.SIGTERM, handler)
        Termination().restore()

        assert handler == signal.getsignal(signal.SIGTERM)


def test_a_handler_that_came_later_stays():
    """Restoring does not undo what somebody installed over ours."""
    termination = Termination()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    termination.restore()

    assert signal.SIG_IGN == signal.getsignal(signal.SIGTERM)


def test_other_threads_install_nothing():
    """A run that is started in a thread leaves signals alone, as Python demands."""
    thread = threading.Thread(target=Termination)
    thread.start()
    thread.join()

    assert signal.SIG_DFL == signal.getsignal(signal.SIGTERM)


def test_runs_may_end_in_any_order():
    """While one of several runs is open SIGTERM is an exception, and its default is back after the last."""
    first, second = Termination(), Termination()
    first.restore()
    first.restore()
    with pytest.raises(Terminated):
        os.kill(os.getpid(), signal.SIGTERM)
    second.restore()

    assert signal.SIG_DFL == signal.getsignal(signal.SIGTERM)


@pytest.mark.parametrize(("own", "code"), [("", -signal.SIGTERM), ("run = Termination()", 143)])
def test_a_forked_process_is_unwound_for_a_run_of_its_own_alone(own, code):
    """In a forked process SIGTERM kills at once, unless a run was started there: those of its parent do not count."""
    script = f"""
import os, signal, time
from treadle_tracking.signals import Termination
termination = Termination()
child = os.fork()
if child == 0:
    {own}
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert f"{code:d}\n" == done.stdout


@pytest.mark.parametrize("by", ["destructor", "handler"])
def test_a_sigterm_that_somebody_swallows_is_not_the_last(by, monkeypatch):
    """Where the exception of the first went nowhere, the next one is raised."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)

    class Swallowing:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)

    termination = Termination()
    if by == "destructor":
        Swallowing()
    else:
        with suppress(BaseException):
            os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Terminated):
        os.kill(os.getpid(), signal.SIGTERM)
    termination.restore()

    assert signal.SIG_DFL == signal.getsignal(signal.SIGTERM)


def test_a_sigterm_that_somebody_keeps_is_the_last_for_a_minute(monkeypatch):
    """An exception that is there still is being unwound, for as long as that may take, and no longer."""
    now = [100.0]
    monkeypatch.setattr("treadle_tracking.signals.monotonic", lambda: now[0])
    termination = Termination()
    with pytest.raises(Terminated) as kept:
        os.kill(os.getpid(), signal.SIGTERM)
    now[0] += 59.0
    os.kill(os.getpid(), signal.SIGTERM)
    now[0] += 2.0
    with pytest.raises(Terminated) as next_one:
        os.kill(os.getpid(), signal.SIGTERM)
    termination.restore()

    assert kept.value is not next_one.value


def test_a_deferred_sigterm_is_raised_at_the_end_of_the_block():
    """Within the block the program goes on, also within a block in it; then the signal is what it was."""
    termination = Termination()
    said = []

    def interrupted():
        with deferred_termination():
            with deferred_termination():
                signal.raise_signal(signal.SIGTERM)
                said.append("inner")
            said.append("outer")

    with pytest.raises(Terminated) as caught:
        interrupted()
    with deferred_termination():
        said.append("later")
    termination.restore()

    assert 143 == caught.value.code
    assert ["inner", "outer", "later"] == said


def test_a_deferred_sigterm_gives_way_to_another_exception():
    """What ends the block by itself is not replaced."""
    termination = Termination()

    def fails():
        with deferred_termination():
            signal.raise_signal(signal.SIGTERM)
            raise LookupError

    with pytest.raises(LookupError):
        fails()
    with deferred_termination():
        pass
    termination.restore()

    assert signal.SIG_DFL == signal.getsignal(signal.SIGTERM)


def test_without_a_run_nothing_is_deferred():
    """A handler of somebody else's is called as ever."""
    called = []
    before = signal.signal(signal.SIGTERM, lambda number, _: called.append(number))
    with deferred_termination():
        signal.raise_signal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, before)

    assert [signal.SIGTERM] == called
