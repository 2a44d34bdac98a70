"""The thread that follows a log."""

import errno
import os
import subprocess
import sys
from contextlib import suppress
from threading import Event
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking.attempts import cut as cut_log
from treadle_tracking.entries import Committed, Ended, Image, Scalars, Started, Tags
from treadle_tracking.errors import TrackingError
from treadle_tracking.log import START, LogWriter, attempt_path, read_entries
from treadle_tracking.mirrors import remainder as remainder_module
from treadle_tracking.mirrors import sender as sender_module
from treadle_tracking.mirrors.errors import MirrorFailed
from treadle_tracking.mirrors.sender import BATCH, Sender
from treadle_tracking.mirrors.state import Sent, load_every, load_sent, save_sent

ALWAYS = 1_000_000_000
STARTED = Started(wall_time=1.0, uid="u", experiment="e", name="n")


def scalars(step):
    return Scalars(wall_time=2.0, step=step, values={"loss": 0.5})


class ListMirror:
    """A mirror that keeps what it is sent, and fails as often as it is told to."""

    def __init__(self, *, failures=0, uri="mlflow:list", identity="r1"):
        self.uri = uri
        self.identity = None
        self.entries = []
        self.opened = []
        self.closed = 0
        self._identity = identity
        self.failures = failures
        self.sending = Event()

    def open(self, started, directory):
        self.opened.append((started, directory))
        self.identity = self._identity

    def send(self, entries):
        self.sending.set()
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no\n answer")
        self.entries.extend(entries)

    def close(self):
        self.closed += 1


class BlockedMirror(ListMirror):
    """A mirror that accepts and does not answer until it is released."""

    def __init__(self):
        super().__init__()
        self.released = Event()

    def send(self, entries):
        self.sending.set()
        self.released.wait()
        super().send(entries)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(sender_module, "FIRST_PAUSE", 0.0)
    monkeypatch.setattr(sender_module, "REST", 0.0)
    monkeypatch.setattr(sender_module, "WAITING_REST", 0.0)


@pytest.fixture
def log(tmp_path):
    writer = LogWriter(attempt_path(tmp_path))
    writer.append(STARTED)
    yield writer
    writer.close()


def sent_by(directory, mirror):
    """What `close` says after everything in the log was offered to `mirror`."""
    sender = Sender(directory, mirror)
    sender.start()
    return sender.close(None)


def test_everything_arrives_in_order(tmp_path, log):
    """What was appended before `close` is at the mirror after it, in the log's order."""
    mirror = ListMirror()
    sender = Sender(tmp_path, mirror)
    sender.start()
    for step in range(1000):
        log.append(scalars(step))
        sender.wake()

    remainder = sender.close(None)

    assert None is remainder
    assert [STARTED, *map(scalars, range(1000))] == mirror.entries
    assert ([(STARTED, tmp_path)], 1) == (mirror.opened, mirror.closed)


def test_entries_arrive_while_the_run_is_alive(tmp_path, log):
    """`wake` is enough: nothing waits for the end."""
    mirror = ListMirror()
    sender = Sender(tmp_path, mirror)
    sender.start()
    log.append(scalars(1))
    sender.wake()

    arrived = mirror.sending.wait(60)

    sender.close(None)
    assert arrived


def test_a_log_that_has_not_begun_is_waited_for(tmp_path):
    """A sender may be started before the run's first entry."""
    mirror = ListMirror()
    sender = Sender(tmp_path, mirror)
    sender.start()
    writer = LogWriter(attempt_path(tmp_path))
    writer.append(STARTED)
    writer.close()

    remainder = sender.close(None)

    assert (None, [STARTED]) == (remainder, mirror.entries)


def test_a_wanted_mirror_is_noted_before_anything_is_sent(tmp_path, log):
    """A run that is killed at once, while the mirror is still being opened, is known to `sync`."""
    mirror = ListMirror()
    Sender(tmp_path, mirror)

    assert [Sent(uri="mlflow:list")] == load_every(tmp_path)


def test_the_note_is_moved_on_after_the_acknowledgement(tmp_path, log):
    """The position on disk is the log's end once everything has arrived."""
    mirror = ListMirror()
    sent_by(tmp_path, mirror)

    [(_, end)] = read_entries(tmp_path)

    assert Sent(uri="mlflow:list", position=end, identity="r1", started=STARTED) == load_sent(
        tmp_path, "mlflow:list"
    )


def test_the_note_stays_where_the_mirror_failed(tmp_path, log):
    """Nothing counts as sent that was not acknowledged."""
    sent_by(tmp_path, ListMirror(failures=ALWAYS))

    assert START == load_sent(tmp_path, "mlflow:list").position


def test_a_later_sender_goes_on_where_the_first_stopped(tmp_path, log):
    """What was acknowledged is not sent again."""
    sent_by(tmp_path, ListMirror())
    log.append(scalars(1))
    later = ListMirror()

    sent_by(tmp_path, later)

    assert [scalars(1)] == later.entries


def test_another_run_at_the_mirror_gets_everything(tmp_path, log):
    """Where the run that was sent to is gone and another made, it is sent from the beginning."""
    sent_by(tmp_path, ListMirror())
    other = ListMirror(identity="r2")

    sent_by(tmp_path, other)

    assert [STARTED] == other.entries


def test_a_failed_batch_is_sent_again(tmp_path, log):
    """A mirror that fails and recovers has everything once."""
    mirror = ListMirror(failures=2)

    remainder = sent_by(tmp_path, mirror)

    assert (None, [STARTED]) == (remainder, mirror.entries)


def test_a_failing_mirror_leaves_a_sentence_with_the_call(tmp_path, log):
    """What is left is counted, with the reason and the call that sends it."""
    log.append(scalars(1))
    expected = (
        f"2 entries of this run did not reach mlflow:list in time (ConnectionError: no answer); "
        f"send the rest with: python -m treadle_tracking sync {tmp_path}"
    )

    remainder = sent_by(tmp_path, ListMirror(failures=ALWAYS))

    assert expected == remainder


def test_a_reason_is_without_the_statement(tmp_path, log):
    """Of what SQLAlchemy says, the SQL and all the values in it are left out."""

    class Database(ListMirror):
        def send(self, entries):
            raise OSError("database is locked\n[SQL: INSERT INTO metrics]\n[parameters: (1, 2)]")

    remainder = sent_by(tmp_path, Database())

    assert " in time (OSError: database is locked); send" in remainder


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError, "a" * 300 + " …"),
        (MirrorFailed, "a" * 300 + " …"),
        (TrackingError, "a" * 400),
    ],
)
def test_a_long_reason_is_cut_where_it_is_not_ours(tmp_path, log, error, told):
    """A page of another library's is not told; a sentence of ours, which says what to type, is told whole."""

    class Talkative(ListMirror):
        def send(self, entries):
            raise error("a" * 400)

    remainder = sent_by(tmp_path, Talkative())

    assert f"({error.__name__}: {told});" in remainder


def test_a_mirror_that_failed_is_opened_anew(tmp_path, log):
    """A run that has gone from the mirror meanwhile, with its database, say, is made again and gets everything."""

    class Replaced(ListMirror):
        def open(self, started, directory):
            super().open(started, directory)
            self.identity = f"r{len(self.opened)}"

        def send(self, entries):
            super().send(entries)
            if len(self.entries) == 1:
                log.append(scalars(1))
                self.failures = 1

    mirror = Replaced()

    remainder = sent_by(tmp_path, mirror)

    assert (None, [STARTED, STARTED, scalars(1)]) == (remainder, mirror.entries)


def test_every_batch_is_noted(tmp_path, log):
    """A process that dies in the middle of a long log has not to begin again."""
    for step in range(BATCH):
        log.append(scalars(step))

    class Dying(ListMirror):
        def send(self, entries):
            if self.entries:
                self.failures = ALWAYS
            super().send(entries)

    remainder = sent_by(tmp_path, Dying())

    assert remainder.startswith("1 entry of this run did not reach")
    assert START != load_sent(tmp_path, "mlflow:list").position


def test_a_batch_has_one_image(tmp_path, log):
    """Whatever waits to be sent, little of it is in memory at once."""
    image = Image(wall_time=1.0, step=1, name="a", png=b"", width=1, height=1)
    for entry in (image, scalars(1), image):
        log.append(entry)
    batches = []

    class Noting(ListMirror):
        def send(self, entries):
            batches.append(entries)

    sent_by(tmp_path, Noting())

    assert [[STARTED, image], [scalars(1), image]] == batches


def test_a_hidden_password_is_asked_for_in_the_call(tmp_path, log):
    """The call that sends the rest shows where the password goes."""
    mirror = ListMirror(failures=ALWAYS, uri="mlflow:http://***@host")
    expected = (
        f"1 entry of this run did not reach mlflow:http://***@host in time (ConnectionError: no answer); "
        f"send the rest with: python -m treadle_tracking sync {tmp_path} --to mlflow:http://USER:PASSWORD@host"
    )

    remainder = sent_by(tmp_path, mirror)

    assert expected == remainder


def test_a_mirror_that_never_answers_is_left(tmp_path, log):
    """`close` returns after its timeout, and what has not arrived is named."""
    mirror = BlockedMirror()
    sender = Sender(tmp_path, mirror)
    sender.start()
    mirror.sending.wait(60)

    remainder = sender.close(0)

    mirror.released.set()
    assert (
        f"1 entry of this run did not reach mlflow:list in time (it has not answered); "
        f"send the rest with: python -m treadle_tracking sync {tmp_path}"
    ) == remainder
    assert None is sender.close(None)


def test_a_mirror_that_takes_something_is_not_said_to_be_silent(tmp_path, log):
    """A slow mirror that was interrupted half way has answered, and there is no reason but the time."""
    entered, released = [Event(), Event()], [Event(), Event()]

    class Slow(ListMirror):
        def send(self, entries):
            number = len(self.entries)
            entered[number].set()
            released[number].wait()
            self.entries.append(entries)

    sender = Sender(tmp_path, Slow())
    sender.start()
    entered[0].wait(60)
    log.append(scalars(1))
    sender.close(0)
    released[0].set()
    entered[1].wait(60)

    remainder = sender.close(0)

    released[1].set()
    sender.close(None)
    assert remainder.endswith(
        f"mlflow:list in time; send the rest with: python -m treadle_tracking sync {tmp_path}"
    )


def test_a_long_wait_is_announced_once(tmp_path, log, monkeypatch):
    """Whoever sits before the terminal learns what is waited for, how long, and how to stop it."""
    mirror = BlockedMirror()
    sender = Sender(tmp_path, mirror)
    sender.start()
    mirror.sending.wait(60)
    said = []

    def say(sentence):
        said.append(sentence)
        mirror.released.set()

    monkeypatch.setattr(sender_module, "say", say)
    monkeypatch.setattr(sender_module, "SILENCE", 0.0)

    remainder = sender.close(60.0)

    expected = (
        "waiting up to 60 s for mlflow:list to take what is left (1 entry); "
        "Ctrl-C stops waiting, and nothing is lost"
    )
    assert (None, [expected]) == (remainder, said)


@pytest.mark.parametrize("timeout", [0.0, None])
def test_a_wait_that_is_short_or_asked_for_is_not_announced(
    tmp_path, log, capsys, monkeypatch, timeout
):
    """Nothing is said where the limit is no longer than the silence, nor by `sync`, which was told to wait."""
    monkeypatch.setattr(sender_module, "SILENCE", 0.0)
    mirror = BlockedMirror()
    sender = Sender(tmp_path, mirror)
    joined = []
    sender._thread = SimpleNamespace(ident=1, join=joined.append, is_alive=lambda: True)

    sender.close(timeout)

    assert [timeout] == joined
    assert "" == capsys.readouterr().err


def test_a_failure_is_told_of_once(tmp_path, log, capsys):
    """However often a mirror fails, stderr has one line."""
    expected = (
        f"treadle: mlflow:list does not take the run (ConnectionError: no answer); the run goes on in {tmp_path}, "
        f"and sending is tried again\n"
    )

    sent_by(tmp_path, ListMirror(failures=ALWAYS))

    assert expected == capsys.readouterr().err


def test_a_damaged_log_is_said(tmp_path, log):
    """A log that cannot be read on is no traceback in a thread, but a sentence."""
    log.append(scalars(1))
    path = attempt_path(tmp_path)
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)
    mirror = ListMirror()

    remainder = sent_by(tmp_path, mirror)

    assert [STARTED] == mirror.entries
    assert remainder is not None
    assert remainder.startswith(
        "Some entries of this run did not reach mlflow:list in time (Corrupt"
    )


def test_a_second_wake_touches_nothing(tmp_path, log):
    """Between two readings of the log, `wake` takes the event's lock once at most."""
    sender = Sender(tmp_path, ListMirror())
    calls = []
    state = SimpleNamespace(is_set=lambda: bool(calls), set=lambda: calls.append("set"))
    sender._woken = state

    for _ in range(3):
        sender.wake()

    assert ["set"] == calls


def test_a_close_that_comes_between_is_heard(tmp_path, log):
    """However `close` and the thread interleave, the thread does not sleep through it."""

    class Racing(Event):
        def clear(self):
            # The very moment before the thread clears the flag.
            sender._closing.set()
            self.set()
            super().clear()

        def wait(self, timeout=None):
            pytest.fail("the thread would wait for ever")

    mirror = ListMirror()
    sender = Sender(tmp_path, mirror)
    sender._woken = Racing()

    sender._work()

    assert ([STARTED], 1) == (mirror.entries, mirror.closed)


def test_the_thread_rests_in_proportion_to_its_work(tmp_path, log, monkeypatch):
    """After every batch it rests 19 times the processor time that it took and 9 times the rest of it, up to a limit."""
    for step in range(599):
        log.append(scalars(step))
    work, wall = iter([0.0, 0.1, 5.0, 15.0, 20.0]), iter([0.0, 0.3, 5.0, 15.0, 20.0])
    monkeypatch.setattr(sender_module, "REST", 19)
    monkeypatch.setattr(sender_module, "WAITING_REST", 9)
    clocks = SimpleNamespace(thread_time=lambda: next(work), monotonic=lambda: next(wall))
    monkeypatch.setattr(sender_module, "time", clocks)
    sender = Sender(tmp_path, ListMirror())
    rests = []
    sender._closing = SimpleNamespace(wait=rests.append)

    sender._deliver()

    assert [pytest.approx(1.9 + 1.8), 5.0] == rests


def test_a_failing_mirror_is_tried_ever_more_slowly(tmp_path, log, monkeypatch):
    """Pauses double up to a minute, and begin anew after a success."""
    monkeypatch.setattr(sender_module, "FIRST_PAUSE", 0.5)
    sender = Sender(tmp_path, ListMirror())
    outcomes = iter([*[OSError("down")] * 9, None, OSError("down"), None])
    pauses = []
    over = []

    def deliver():
        outcome = next(outcomes)
        over.append(outcome)
        if outcome is not None:
            raise outcome

    sender._deliver = deliver
    sender._closing = SimpleNamespace(wait=pauses.append, is_set=lambda: len(over) == 11)
    sender._woken = SimpleNamespace(clear=lambda: None, wait=lambda: None)

    sender._work()

    assert [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 0.5] == pauses


def committed(step):
    return Committed(wall_time=2.0, step=step)


def test_only_what_is_final_is_sent(tmp_path, log):
    """With `committed` a mirror gets what comes before the last commit, and what bears no step and waits for nothing."""
    tags = Tags(wall_time=2.0, values={"a": "b"})
    entries = [tags, scalars(1), tags, committed(1), tags, scalars(2), tags]
    for entry in entries:
        log.append(entry)
    mirror = ListMirror()
    sender = Sender(tmp_path, mirror, "committed")
    sender.start()

    remainder = sender.close(None)

    assert (None, [STARTED, *entries[:5]]) == (remainder, mirror.entries)


def test_what_is_committed_arrives_while_the_run_is_alive(tmp_path, log):
    """A commit makes what waits final, and `wake` has it sent."""
    mirror = ListMirror()
    sender = Sender(tmp_path, mirror, "committed")
    sender.start()
    mirror.sending.wait(60)
    mirror.sending.clear()
    log.append(scalars(1))
    log.append(committed(1))
    sender.wake()

    arrived = mirror.sending.wait(60)

    sender.close(None)
    assert arrived
    assert [STARTED, scalars(1), committed(1)] == mirror.entries


@pytest.mark.parametrize(
    ("status", "expected"), [("FINISHED", [scalars(1)]), ("FAILED", []), ("KILLED", [])]
)
def test_the_end_of_a_run_that_did_not_finish_is_sent_alone(tmp_path, log, status, expected):
    """A finished run is final as a whole; of another one the mirror learns how it ended, and nothing that may go."""
    ended = Ended(wall_time=3.0, status=status)
    log.append(scalars(1))
    log.append(ended)
    mirror = ListMirror()
    sender = Sender(tmp_path, mirror, "committed")
    sender.start()

    remainder = sender.close(None)

    assert (None, [STARTED, *expected, ended]) == (remainder, mirror.entries)


def test_what_was_not_final_is_sent_once_it_is(tmp_path, log):
    """A run that goes on after an end of which the mirror has heard sends what it then commits."""
    log.append(scalars(1))
    mirrors = [ListMirror(), ListMirror()]
    for mirror, entry in zip(
        mirrors, (Ended(wall_time=3.0, status="FAILED"), committed(1)), strict=True
    ):
        log.append(entry)
        sender = Sender(tmp_path, mirror, "committed")
        sender.start()
        sender.close(None)

    assert [STARTED, Ended(wall_time=3.0, status="FAILED")] == mirrors[0].entries
    assert [scalars(1), Ended(wall_time=3.0, status="FAILED"), committed(1)] == (mirrors[1].entries)


def test_a_long_log_is_looked_through_once_for_what_is_final(tmp_path, log, monkeypatch):
    """What is final is found once for all batches, so that a long log does not take the square of its length."""
    for step in range(3 * BATCH):
        log.append(scalars(step))
    log.append(committed(1))
    mirror, read = ListMirror(), []
    real = remainder_module.read_entries

    def counting(*arguments):
        for entry in real(*arguments):
            read.append(1)
            yield entry

    monkeypatch.setattr(remainder_module, "read_entries", counting)
    sender = Sender(tmp_path, mirror, "committed")

    sender._deliver()

    assert 3 * BATCH + 2 == len(mirror.entries) == len(read)


class Rewinding(ListMirror):
    """A mirror during whose first request the log is cut."""

    def __init__(self, cut):
        super().__init__()
        self.cut = cut

    def send(self, entries):
        super().send(entries)
        if self.cut:
            self.cut, cut = None, self.cut
            cut()


@pytest.mark.parametrize("told", [False, True], ids=["untold", "told"])
def test_a_log_that_is_cut_while_it_is_sent_arrives_as_it_is_then(tmp_path, log, told):
    """What is on its way is not taken for what is there now, whether the sender is told of the cut or finds it."""
    for step in range(1, 6):
        log.append(scalars(step))
    [(_, first), *_] = read_entries(tmp_path)

    def cut():
        places = cut_log(tmp_path, 1, after=first)
        if told:
            sender.rewind(places)
        later = LogWriter(attempt_path(tmp_path, 1))
        for entry in (STARTED, scalars(1)):
            later.append(entry)
        later.close()

    mirror = Rewinding(cut)
    sender = Sender(tmp_path, mirror)
    sender.start()

    remainder = sender.close(None)

    [*_, (_, end)] = read_entries(tmp_path)
    assert None is remainder
    assert [STARTED, scalars(1)] == mirror.entries[-2:]
    assert end == load_sent(tmp_path, "mlflow:list").position


def test_the_note_of_a_cut_log_is_not_moved_on_by_what_was_on_its_way(tmp_path, log):
    """A request that ends after the cut says nothing of what the file has now."""
    for step in range(1, 6):
        log.append(scalars(step))
    [(_, first), *_] = read_entries(tmp_path)
    noted = []

    def cut():
        sender.rewind(cut_log(tmp_path, 1, after=first))
        noted.append(load_sent(tmp_path, "mlflow:list").position.offset)
        mirror.failures = ALWAYS

    mirror = Rewinding(cut)
    sender = Sender(tmp_path, mirror)
    with suppress(ConnectionError):
        sender._deliver()
    after = load_sent(tmp_path, "mlflow:list").position.offset

    assert ([0], 0) == (noted, after)


def test_a_cut_in_the_middle_of_a_file_is_found_by_another_process(tmp_path, log):
    """A sender that was not told, with a note from before, leaves out nothing that the file still has."""
    later = [scalars(step) for step in range(1, 4)]
    for entry in (*later, Tags(wall_time=2.0, values={"a": "b"})):
        log.append(entry)
    places = [place for _, place in read_entries(tmp_path)]
    save_sent(tmp_path, Sent(uri="mlflow:list", position=places[2], identity="r1"))
    cut_log(tmp_path, 1, step=2)
    mirror = ListMirror()

    remainder = sent_by(tmp_path, mirror)

    assert (None, True) == (remainder, Tags(wall_time=2.0, values={"a": "b"}) in mirror.entries)


@pytest.mark.parametrize("count", [2, 4])
def test_several_senders_of_one_log_lose_nothing(tmp_path, log, count):
    """Senders that know nothing of each other bring everything, and leave a note that loses nothing either."""
    for step in range(3 * BATCH):
        log.append(scalars(step))
    mirrors = [ListMirror() for _ in range(count)]
    senders = [Sender(tmp_path, mirror) for mirror in mirrors]
    for sender in senders:
        sender.start()

    remainders = [sender.close(None) for sender in senders]

    everything = [STARTED, *map(scalars, range(3 * BATCH))]
    later = ListMirror()
    sent_by(tmp_path, later)
    assert [None] * count == remainders
    assert [everything] * count == [mirror.entries for mirror in mirrors]
    assert [] == later.entries


SENDING = """
import os, sys
from pathlib import Path
from treadle_tracking.entries import Scalars
from treadle_tracking.mirrors import sender
sender.REST, sender.WAITING_REST, sender.BATCH = 0.0, 0.0, 7

class Files:
    uri, identity = "mlflow:files", "r"

    def open(self, started, directory):
        pass

    def send(self, entries):
        for entry in entries:
            if isinstance(entry, Scalars):
                Path(sys.argv[2], str(entry.step)).touch()
        print(len(entries), flush=True)

    def close(self):
        pass

sending = sender.Sender(Path(sys.argv[1]), Files())
sending.start()
raise SystemExit(sending.close(None))
"""


@pytest.mark.slow
def test_processes_that_send_one_log_and_are_killed_lose_nothing(tmp_path, log):
    """Several at once, killed at any moment and begun again, bring every entry there is."""
    for step in range(1000):
        log.append(scalars(step))
    arrived = tmp_path / "arrived"
    arrived.mkdir()
    command = [sys.executable, "-c", SENDING, str(tmp_path), str(arrived)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def begin():
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)

    for lines in (1, 5, 20):
        rivals = [begin() for _ in range(3)]
        for rival in rivals[:2]:
            for _ in range(lines):
                rival.stdout.readline()
            rival.kill()
        for rival in rivals[1:]:
            rival.kill()
        for rival in rivals:
            rival.communicate()
    last = begin()
    last.communicate()

    assert 0 == last.returncode
    assert set(map(str, range(1000))) == {path.name for path in arrived.iterdir()}


def test_a_rewind_of_what_was_not_sent_changes_nothing(tmp_path, log):
    """A sender that is behind the cut has nothing to read anew."""
    sender = Sender(tmp_path, ListMirror())
    before = load_sent(tmp_path, "mlflow:list")

    sender.rewind({attempt_path(tmp_path).name: 1000})
    sender.rewind({})

    assert before == load_sent(tmp_path, "mlflow:list")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=5),
    st.integers(0, 700),
)
def test_a_flaky_mirror_ends_with_the_log(tmp_path_factory, failures, count):
    """Whatever fails, and however often the process is begun again, every entry arrives, and in order."""
    directory = tmp_path_factory.mktemp("run")
    writer = LogWriter(attempt_path(directory))
    writer.append(STARTED)
    for step in range(count):
        writer.append(scalars(step))
    writer.close()
    arrived = []

    for number in [*failures, 0]:
        mirror = ListMirror(failures=number)
        sent_by(directory, mirror)
        arrived.extend(mirror.entries)

    assert [STARTED, *map(scalars, range(count))] == list(dict.fromkeys(map(_hashable, arrived)))


def _hashable(entry):
    """An entry that a dict can hold: equal to the entry, by its step."""
    return _Hashable(entry)


class _Hashable:
    def __init__(self, entry):
        self.entry = entry

    def __hash__(self):
        return hash(getattr(self.entry, "step", None))

    def __eq__(self, other):
        return self.entry == getattr(other, "entry", other)


def test_a_note_that_cannot_be_written_stops_no_mirror(log, tmp_path, monkeypatch, capsys):
    """A disk that is full under the run directory does not keep what is in the log from the mirror."""
    mirror = ListMirror()
    sender = Sender(tmp_path, mirror)

    def full(directory, sent):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sender_module, "save_sent", full)
    log.append(scalars(1))
    sender.start()
    sender.hurry()
    sender._thread.join(60)
    sender.rewind({attempt_path(tmp_path).name: 0})

    assert ([STARTED, scalars(1)], "") == (mirror.entries, capsys.readouterr().err)
    assert 0 == sender._sent.position.offset
