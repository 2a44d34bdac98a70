import pytest

from treadle_tracking.entries import Ended, Started
from treadle_tracking.log import read_entries
from treadle_tracking.ownership import Ownership
from treadle_tracking.recalled import Recalled
from treadle_tracking.recorder import Recorder
from treadle_tracking.run import Run
from treadle_tracking.signals import Terminated


class Sender:
    """Stands for the thread that feeds a mirror; notes what the run asks of it."""

    def __init__(self, directory, *answers):
        self.directory = directory
        self.answers = list(answers)
        self.wakes = 0
        self.hurries = 0
        self.closings = []

    def start(self):
        pass

    def wake(self):
        self.wakes += 1

    def hurry(self):
        self.hurries += 1

    def close(self, timeout):
        *_, (last, _) = read_entries(self.directory)
        self.closings.append((type(last) is Ended, round(timeout)))
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, BaseException):
            raise answer
        return answer


def started(directory, *senders):
    recorder = Recorder(
        directory,
        Started(wall_time=1.0, uid="u", experiment="e", name="n"),
        Recalled(),
        ownership=Ownership(directory),
    )
    recorder.mirror(senders, at_once=True)
    return Run(
        mirrors=[f"sqlite:////{number}.db" for number in range(len(senders))],
        uid="u",
        experiment="e",
        name="n",
        directory=directory,
        recorder=recorder,
        senders=senders,
    )


def test_a_mirror_is_woken_after_every_entry(tmp_path):
    """Each entry wakes each sender once; the end closes it."""
    senders = [Sender(tmp_path), Sender(tmp_path)]
    with started(tmp_path, *senders) as run:
        run.log({"loss": 1.0}, step=1)
        run.text("a", "b", step=1)

    assert [2, 2] == [sender.wakes for sender in senders]


def test_mirrors_drain_after_the_end_is_in_the_log(tmp_path):
    """A sender is closed once, when the log already has the run's end."""
    sender = Sender(tmp_path)
    with started(tmp_path, sender):
        pass

    assert [(True, 60.0)] == sender.closings


def test_what_is_left_is_said_on_stderr(tmp_path, capsys):
    """The sentence of each sender that has not delivered everything is printed once."""
    started(tmp_path, Sender(tmp_path, "3 entries are left."), Sender(tmp_path)).close()

    assert "treadle: 3 entries are left.\n" == capsys.readouterr().err


def test_ctrl_c_while_draining_gives_up_waiting(tmp_path, capsys):
    """An interrupt ends the wait for every mirror; what is left is said, and nothing is raised."""
    first = Sender(tmp_path, KeyboardInterrupt(), "3 entries are left.")
    second = Sender(tmp_path, "5 entries are left.")
    run = started(tmp_path, first, second)
    run.close(timeout=7.0)

    assert [(True, 7.0), (True, 0)] == first.closings
    assert [(True, 0)] == second.closings
    assert "treadle: 3 entries are left.\ntreadle: 5 entries are left.\n" == capsys.readouterr().err
    assert "FINISHED" == run.status


def test_sigterm_while_draining_still_ends_the_process(tmp_path):
    """A termination gives up waiting and goes on to end the process; the status on disk stays what it was."""
    run = started(tmp_path, Sender(tmp_path, Terminated(), "3 entries are left."))
    with pytest.raises(Terminated):
        run.close()

    *_, (last, _) = read_entries(tmp_path)
    assert "FINISHED" == last.status


def test_after_sigterm_the_drain_is_short(tmp_path):
    """A scheduler that sent SIGTERM will soon kill: mirrors get ten seconds."""
    sender = Sender(tmp_path)
    with pytest.raises(Terminated), started(tmp_path, sender):
        raise Terminated

    assert [(True, 10.0)] == sender.closings


def test_a_closed_run_knows_which_mirrors_have_everything(tmp_path):
    """`mirrored` is empty while the run is open, and has the mirrors with nothing left once it is closed."""
    run = started(tmp_path, Sender(tmp_path), Sender(tmp_path, "3 entries are left."))
    before = run.mirrored
    run.close()

    assert ((), ("sqlite:////0.db",)) == (before, run.mirrored)


def test_a_mirror_that_was_not_waited_for_may_have_everything(tmp_path):
    """After Ctrl-C a mirror counts by what it has, not by whether it was waited for."""
    first = Sender(tmp_path, KeyboardInterrupt(), "3 entries are left.")
    run = started(tmp_path, first, Sender(tmp_path))
    run.close()

    assert ("sqlite:////1.db",) == run.mirrored


def test_mirrors_share_one_wait(tmp_path, monkeypatch):
    """All are told to hurry before the first is waited for, and what one takes is no longer there for the next."""
    now = [100.0]
    monkeypatch.setattr("treadle_tracking.run.monotonic", lambda: now[0])
    told = []

    class Slow(Sender):
        def close(self, timeout):
            told.append([sender.hurries for sender in senders])
            now[0] += 40.0
            return super().close(timeout)

    senders = [Slow(tmp_path), Slow(tmp_path), Slow(tmp_path)]
    with started(tmp_path, *senders):
        pass

    assert [[(True, 60)], [(True, 20)], [(True, 0)]] == [sender.closings for sender in senders]
    assert [[1, 1, 1]] * 3 == told


def test_ctrl_c_while_mirrors_are_told_to_hurry_gives_up_waiting(tmp_path):
    """Wherever it comes, the run has ended, and each mirror is closed."""

    class Interrupted(Sender):
        def hurry(self):
            raise KeyboardInterrupt

    senders = [Interrupted(tmp_path), Sender(tmp_path)]
    started(tmp_path, *senders).close()

    assert [[(True, 0)], [(True, 0)]] == [sender.closings for sender in senders]
