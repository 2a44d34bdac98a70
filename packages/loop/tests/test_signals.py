"""Stopping on signals: at a boundary, with everyone else's handlers in place."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from signal import SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2

import pytest
from torch.utils.data import DataLoader

from treadle_loop.errors import InvalidSetting, NotAWorker, StopNotEntered
from treadle_loop.signals import ignore_stop_signals, stop_on_signals

ALL = (SIGINT, SIGTERM, SIGUSR1)


@pytest.fixture(autouse=True)
def _handlers_stay():
    """What a test sets is gone after it."""
    before = {number: signal.getsignal(number) for number in (*ALL, SIGHUP, SIGUSR2)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def handlers():
    return [signal.getsignal(number) for number in ALL]


@pytest.mark.parametrize("number", ALL)
def test_a_signal_asks_for_a_stop(number):
    """Each of the three signals turns the poll true, and nothing else happens."""
    with stop_on_signals() as stop:
        before = stop(), bool(stop), stop.signal
        os.kill(os.getpid(), number)
        after = stop(), bool(stop), stop.signal

    assert (False, False, None) == before
    assert (True, True, number) == after
    assert stop()


def test_the_first_signal_is_told():
    """`signal` is the first that arrived, whatever follows."""
    with stop_on_signals() as stop:
        signal.raise_signal(SIGUSR1)
        signal.raise_signal(SIGTERM)

    assert SIGUSR1 is stop.signal


def test_only_the_named_signals_are_watched():
    """With signals of your own, the default ones are left as they are."""
    before = handlers()
    with stop_on_signals(SIGUSR2) as stop:
        within = handlers()
        signal.raise_signal(SIGUSR2)

    assert before == within
    assert SIGUSR2 is stop.signal


def test_handlers_are_put_back():
    """After the block, also one that an exception ends, every handler is the one from before."""
    signal.signal(SIGTERM, signal.SIG_DFL)
    signal.signal(SIGUSR1, signal.SIG_IGN)
    before = handlers()

    with contextlib.suppress(ZeroDivisionError), stop_on_signals():
        within = handlers()
        1 / 0  # noqa: B018

    assert before != within
    assert before == handlers()


def test_handlers_from_before_are_called():
    """A handler that was there is called with each signal, once the flag is set."""
    calls = []
    stop = stop_on_signals()
    signal.signal(SIGTERM, lambda number, frame: calls.append((number, bool(frame), stop())))
    with stop:
        signal.raise_signal(SIGTERM)
        signal.raise_signal(SIGTERM)

    assert [(SIGTERM, True, True)] * 2 == calls


def test_a_second_interrupt_is_immediate():
    """The first Ctrl-C asks for a stop; the second raises KeyboardInterrupt where it arrives."""
    signal.signal(SIGINT, signal.default_int_handler)
    with stop_on_signals() as stop:
        signal.raise_signal(SIGTERM)
        signal.raise_signal(SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(SIGINT)

    assert stop()


def test_a_second_interrupt_is_immediate_beside_a_handler():
    """Where a handler for Ctrl-C was there, it is called each time, and the second still raises."""
    calls = []
    signal.signal(SIGINT, lambda *_: calls.append(1))
    with stop_on_signals():
        signal.raise_signal(SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(SIGINT)

    assert [1, 1] == calls


def test_an_interrupt_that_was_ignored_stays_ignored():
    """SIGINT that a script let its background jobs ignore does not stop them."""
    signal.signal(SIGINT, signal.SIG_IGN)
    with stop_on_signals() as stop:
        signal.raise_signal(SIGINT)
        signal.raise_signal(SIGINT)

    assert not stop()
    assert signal.SIG_IGN == signal.getsignal(SIGINT)


def test_blocks_nest():
    """A signal within two blocks reaches both, one within the outer only that, and all is undone."""
    before = handlers()
    with stop_on_signals() as outer:
        with stop_on_signals() as inner:
            signal.raise_signal(SIGUSR1)
        between = outer(), inner()
        with stop_on_signals() as later:
            pass
        signal.raise_signal(SIGINT)
        with stop_on_signals(), pytest.raises(KeyboardInterrupt):
            signal.raise_signal(SIGINT)

    assert (True, True) == between
    assert not later()
    assert before == handlers()


def test_one_object_may_be_entered_again():
    """The same stop, entered within itself and after itself, still undoes what it did."""
    before = handlers()
    stop = stop_on_signals()
    with stop:
        with stop:
            pass
        signal.raise_signal(SIGTERM)
    between = handlers()
    with stop:
        again = stop()

    assert [before, before] == [between, handlers()]
    assert again


def test_a_handler_set_meanwhile_stays():
    """A handler that was set within the block is left, and what it hands on to us goes through."""
    calls = []
    signal.signal(SIGTERM, lambda number, _: calls.append(("before", number)))
    with stop_on_signals() as stop:
        ours = signal.getsignal(SIGTERM)

        def meanwhile(number, frame):
            calls.append(("meanwhile", number))
            ours(number, frame)

        signal.signal(SIGTERM, meanwhile)
    signal.raise_signal(SIGTERM)

    assert meanwhile is signal.getsignal(SIGTERM)
    assert [("meanwhile", SIGTERM), ("before", SIGTERM)] == calls
    assert not stop()


def test_blocks_may_end_in_any_order():
    """Where the outer block ends first, the handlers from before do their work in the end."""
    calls = []
    signal.signal(SIGTERM, lambda *_: calls.append(1))
    outer, inner = stop_on_signals(), stop_on_signals()
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    inner.__exit__(None, None, None)
    signal.raise_signal(SIGTERM)

    assert [1] == calls
    assert (False, False) == (outer(), inner())


def test_a_thread_polls_in_peace():
    """In a thread no handler is set, nothing is raised, and a request by hand still works."""
    before, polls = handlers(), []

    def trial():
        with stop_on_signals() as stop:
            polls.extend([handlers() == before, stop(), stop.signal])
            stop.request()
            polls.append(stop())

    thread = threading.Thread(target=trial)
    thread.start()
    thread.join()

    assert [True, False, None, True] == polls


def test_a_block_that_ends_in_another_thread_is_harmless():
    """Handlers that could not be put back do what those from before did."""
    calls = []
    signal.signal(SIGTERM, lambda *_: calls.append(1))
    stop = stop_on_signals()
    stop.__enter__()
    thread = threading.Thread(target=stop.__exit__, args=(None, None, None))
    thread.start()
    thread.join()
    signal.raise_signal(SIGTERM)

    assert [1] == calls
    assert not stop()


def test_a_request_by_hand_is_no_signal():
    """`request` turns the poll true from any thread, and `signal` stays None."""
    with stop_on_signals() as stop:
        thread = threading.Thread(target=stop.request)
        thread.start()
        thread.join()

    assert (True, None) == (stop(), stop.signal)


def test_a_system_without_user_signals(monkeypatch):
    """Where there is no SIGUSR1, as on Windows, the others are watched."""
    monkeypatch.delattr("signal.SIGUSR1")
    with stop_on_signals() as stop:
        signal.raise_signal(SIGTERM)

    assert SIGTERM is stop.signal


def test_a_foreign_handler_is_left(monkeypatch):
    """A handler that was set outside of Python, which Python could not put back, stays."""
    before = signal.getsignal(SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr("signal.getsignal", lambda _: None)
        with stop_on_signals():
            patch.undo()
            within = signal.getsignal(SIGTERM)

    assert before == within


def test_a_poll_without_its_block_is_an_error():
    """A stop that was never entered sees no signal, and says so instead of False."""
    stop = stop_on_signals()

    with pytest.raises(StopNotEntered) as caught:
        stop()

    assert (
        "a stop was polled outside of its block, where it sees no signal; write "
        "with stop_on_signals() as stop: and poll it inside"
    ) == str(caught.value)
    stop.request()
    assert stop()


@pytest.mark.parametrize(
    ("number", "seen"), [(signal.SIGKILL, "<Signals.SIGKILL: 9>"), (0, "0"), ("TERM", "'TERM'")]
)
def test_what_cannot_be_caught_is_refused(number, seen):
    """SIGKILL, and what is no signal, are errors."""
    with pytest.raises(InvalidSetting) as caught:
        stop_on_signals(number)

    assert (
        f"the signal is {seen}, and one that a process can catch was expected, such as "
        "signal.SIGTERM"
    ) == str(caught.value)


@contextlib.contextmanager
def forked(body):
    """A child that says when it is ready, and the rest of what it says."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20)  # a child that cannot be ended ends itself
        try:
            os.write(writing, b"r")
            os.write(writing, body())
        finally:
            os._exit(7)
    os.close(writing)
    os.read(reading, 1)
    yield child, reading
    os.close(reading)


def test_a_forked_child_leaves_the_stop_to_its_parent():
    """In a child SIGINT and SIGUSR1 do nothing, even twice, and the parent's flag is its own."""
    with stop_on_signals() as stop:

        def body():
            for number in (SIGINT, SIGINT, SIGUSR1):
                signal.raise_signal(number)
            return b"stopped" if stop() else b"working"

        with forked(body) as (child, reading):
            said = os.read(reading, 100)
            os.waitpid(child, 0)

    assert b"working" == said
    assert not stop()


def test_a_forked_child_can_be_ended():
    """SIGTERM ends a child that was forked within a block, as it would without."""
    signal.signal(SIGTERM, signal.SIG_DFL)
    with stop_on_signals() as stop:

        def body():
            while True:
                signal.pause()

        with forked(body) as (child, _):
            os.kill(child, SIGTERM)
            _, status = os.waitpid(child, 0)

    assert SIGTERM == os.WTERMSIG(status)
    assert not stop()


TRAINING = """
import os, signal, sys, time
import torch
from torch.utils.data import DataLoader
from treadle_loop.signals import ignore_stop_signals, stop_on_signals

class Records(torch.utils.data.Dataset):
    def __len__(self):
        return 100_000
    def __getitem__(self, index):
        return index

def main():
    shield = {"worker_init_fn": ignore_stop_signals} if sys.argv[1] == "shielded" else {}
    loader = DataLoader(
        Records(), batch_size=4, num_workers=2, persistent_workers=True,
        multiprocessing_context=sys.argv[2], **shield,
    )
    global batches  # so that the workers are alive at the end of the program
    with stop_on_signals() as stop:
        batches = iter(loader)
        for number, _ in enumerate(batches):
            if number == 20:
                print("ready", flush=True)
            if stop:
                break
        for _ in range(20):  # what is left of the update
            next(batches)
    print("stopped by", stop.signal.name, flush=True)

if __name__ == "__main__":
    main()
"""


def train(directory, number, *, shielded, start="fork", everyone=False):
    """Signal a training process and its workers, and tell how it ended."""
    script = directory / "training.py"
    script.write_text(TRAINING)
    process = subprocess.Popen(
        [sys.executable, str(script), "shielded" if shielded else "bare", start],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert "ready\n" == process.stdout.readline()
    if everyone:  # as a scheduler signals all of a job, whatever group it is in
        children = f"/proc/{process.pid}/task/{process.pid}/children"
        with open(children) as file:  # noqa: PTH123
            for pid in [*map(int, file.read().split()), process.pid]:
                os.kill(pid, number)
    else:
        os.killpg(process.pid, number)
    try:
        said, complaints = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, said, complaints


@pytest.mark.slow
@pytest.mark.parametrize("everyone", [False, True])
@pytest.mark.parametrize("number", ALL)
def test_shielded_workers_outlast_the_signals(tmp_path, number, everyone):
    """With `ignore_stop_signals` a whole job may be signalled: it trains on to the boundary, and ends."""
    ended = train(tmp_path, number, shielded=True, everyone=everyone)

    assert (0, f"stopped by {number.name}\n", "") == ended


@pytest.mark.slow
@pytest.mark.parametrize("number", [SIGINT, SIGUSR1])
def test_workers_forked_within_the_block_ignore_the_polite_signals(tmp_path, number):
    """Ctrl-C and SIGUSR1 need no helper where the workers were forked within the block."""
    ended = train(tmp_path, number, shielded=False)

    assert (0, f"stopped by {number.name}\n", "") == ended


@pytest.mark.slow
def test_unshielded_workers_die_of_a_group_wide_term(tmp_path):
    """Without the helper SIGTERM to the group ends the training with torch's error: it is needed."""
    returned, said, complaints = train(tmp_path, SIGTERM, shielded=False)

    assert (1, "") == (returned, said)
    # Of a worker that is gone, or of the pipe that it left.
    assert "Error" in complaints


@pytest.mark.slow
def test_spawned_workers_outlast_an_interrupt(tmp_path):
    """Ctrl-C to a group with spawned workers reaches only the training."""
    returned, said, complaints = train(tmp_path, SIGINT, shielded=True, start="spawn")

    assert (0, "stopped by SIGINT\n") == (returned, said), complaints
    # Python itself may complain about semaphores of such workers.
    assert "Traceback" not in complaints


def test_a_stuck_worker_can_still_be_ended():
    """A shielded worker outlasts a SIGUSR1, and ends with the SIGTERM of the process it works for."""
    context = multiprocessing.get_context("fork")
    passed = context.Event()

    def stuck(_):
        os.kill(os.getpid(), SIGUSR1)
        passed.set()
        while True:
            signal.pause()

    batches = iter(
        DataLoader(
            range(8),
            num_workers=1,
            collate_fn=stuck,
            worker_init_fn=ignore_stop_signals,
            multiprocessing_context=context,
        )
    )
    (worker,) = batches._workers
    assert passed.wait(30)
    os.kill(worker.pid, SIGINT)

    worker.terminate()
    worker.join(10)
    exitcode = worker.exitcode
    worker.kill()  # or one that cannot be ended would keep the tests from ending

    assert 0 == exitcode


def test_the_main_process_is_no_worker():
    """In the process that trains, the helper is an error, not a deaf program."""
    with pytest.raises(NotAWorker) as caught:
        ignore_stop_signals()

    assert (
        "ignore_stop_signals was called in the main process, which would ignore the signals for "
        "good, and a worker was expected; give it to a DataLoader as worker_init_fn"
    ) == str(caught.value)


def test_a_program_stops_politely_and_then_at_once(tmp_path):
    """A real Ctrl-C lets the block finish its update; a second one, in the update, ends it there."""
    script = """if True:
        from treadle_loop.signals import stop_on_signals
        with stop_on_signals() as stop:
            print("ready", flush=True)
            while not stop:
                pass
            print("stopped by", stop.signal.name, flush=True)
            while True:
                pass
    """
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    lines = [process.stdout.readline()]
    process.send_signal(SIGINT)
    lines.append(process.stdout.readline())
    process.send_signal(SIGINT)
    _, complaints = process.communicate(timeout=60)

    assert ["ready\n", "stopped by SIGINT\n"] == lines
    assert complaints.endswith("KeyboardInterrupt\n")
    assert -SIGINT == process.returncode
