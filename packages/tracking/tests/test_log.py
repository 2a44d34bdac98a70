import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking import log as log_module
from treadle_tracking.encoding import EntryEncoder
from treadle_tracking.entries import (
    Artifact,
    Committed,
    Ended,
    Function,
    Histogram,
    Image,
    Params,
    Rewound,
    Scalars,
    Started,
    Table,
    Tags,
    Text,
)
from treadle_tracking.errors import CorruptRecord
from treadle_tracking.log import (
    START,
    LogClosed,
    LogWriter,
    Position,
    attempt_path,
    attempt_paths,
    read_entries,
)
from treadle_tracking.wire import framed

TEXT = Text(wall_time=1.0, step=1, name="a", text="b")
TIMES = st.floats(min_value=0, max_value=1e11)
NAMES = st.text(min_size=1, max_size=20)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
STEPS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
DOUBLES = st.floats(allow_nan=False)
PARAM_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | DOUBLES | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)
ENTRIES = st.one_of(
    st.builds(
        Started,
        wall_time=TIMES,
        uid=ANY_TEXT,
        experiment=ANY_TEXT,
        name=ANY_TEXT,
        group=st.none() | ANY_TEXT,
        attempt=st.integers(min_value=0, max_value=9),
        named=st.booleans(),
        best=st.dictionaries(NAMES, st.sampled_from(["min", "max"]), max_size=2),
    ),
    st.builds(Rewound, wall_time=TIMES, began=TIMES, step=STEPS, after=st.none() | TIMES),
    st.builds(Committed, wall_time=TIMES, step=STEPS),
    st.builds(
        Histogram,
        wall_time=TIMES,
        step=STEPS,
        name=NAMES,
        buckets=st.lists(st.tuples(DOUBLES, DOUBLES, DOUBLES), max_size=3).map(tuple),
    ),
    st.builds(Table, wall_time=TIMES, step=STEPS, name=NAMES, path=ANY_TEXT, preview=st.text()),
    st.builds(
        Function,
        wall_time=TIMES,
        name=NAMES,
        qualified_name=ANY_TEXT,
        sha256=st.none() | ANY_TEXT,
        path=st.none() | ANY_TEXT,
        source=st.text(),
    ),
    st.builds(Params, wall_time=TIMES, values=st.dictionaries(ANY_TEXT, PARAM_VALUES, max_size=4)),
    st.builds(Tags, wall_time=TIMES, values=st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=4)),
    st.builds(
        Scalars,
        wall_time=TIMES,
        step=STEPS,
        values=st.dictionaries(NAMES, DOUBLES, min_size=1, max_size=4),
    ),
    st.builds(
        Image,
        wall_time=TIMES,
        step=STEPS,
        name=NAMES,
        png=st.binary(),
        width=st.integers(min_value=1, max_value=2**31),
        height=st.integers(min_value=1, max_value=2**31),
    ),
    st.builds(Text, wall_time=TIMES, step=STEPS, name=NAMES, text=st.text()),
    st.builds(
        Artifact,
        wall_time=TIMES,
        path=ANY_TEXT,
        size=st.integers(min_value=0, max_value=2**63),
        sha256=ANY_TEXT,
    ),
    st.builds(Ended, wall_time=TIMES, status=st.sampled_from(["FINISHED", "FAILED", "KILLED"])),
)


def scalars(step):
    return Scalars(wall_time=1.0, step=step, values={"loss": step / 3})


def read(directory, position=START):
    """The entries after a position."""
    return [entry for entry, _ in read_entries(directory, position)]


def written(directory, entries, attempt=0):
    writer = LogWriter(attempt_path(directory, attempt))
    for entry in entries:
        writer.append(entry)
    writer.close()


@settings(deadline=None)
@given(entries=st.lists(ENTRIES, max_size=6))
def test_every_entry_comes_back_exactly(tmp_path_factory, entries):
    """What is appended is what is read: same types, same values, same order."""
    directory = tmp_path_factory.mktemp("run")
    written(directory, entries)

    assert repr(entries) == repr(read(directory))


def test_a_nan_comes_back(tmp_path):
    """A metric that became NaN is read as NaN."""
    written(tmp_path, [Scalars(wall_time=1.0, step=1, values={"loss": float("nan")})])

    assert "nan" == repr(read(tmp_path)[0].values["loss"])


def test_each_entry_is_one_write(tmp_path, monkeypatch):
    """`append` calls `os.write` once, the first entry with its file's header included."""
    real, calls = os.write, []
    monkeypatch.setattr(os, "write", lambda *args: (calls.append(len(args[1])), real(*args))[1])
    started = Started(wall_time=1.0, uid="u", experiment="e", name="n")
    written(tmp_path, [started, Params(wall_time=1.0), scalars(1)])

    assert 3 == len(calls)


def test_a_log_is_read_on_from_a_position(tmp_path):
    """Reading from where the last reading ended gives the entries appended since, and then none."""
    writer = LogWriter(attempt_path(tmp_path))
    writer.append(scalars(1))
    [(_, position)] = read_entries(tmp_path)
    writer.append(scalars(2))
    [(later, end)] = read_entries(tmp_path, position)
    writer.close()

    assert scalars(2) == later
    assert [] == read(tmp_path, end)


def test_a_directory_without_a_log_has_no_entries(tmp_path):
    """Before the first entry there is nothing to read."""
    assert [] == read(tmp_path)


def test_a_torn_last_record_is_left_for_later(tmp_path):
    """A record cut short at any byte is not read, and is once its rest has arrived."""
    written(tmp_path, [scalars(1)])
    first_end = attempt_path(tmp_path).stat().st_size
    attempt_path(tmp_path).unlink()
    written(tmp_path, [scalars(1), scalars(2)])
    whole = attempt_path(tmp_path).read_bytes()
    for cut in range(first_end, len(whole)):
        attempt_path(tmp_path).write_bytes(whole[:cut])
        [(entry, position)] = read_entries(tmp_path)
        attempt_path(tmp_path).write_bytes(whole)

        assert scalars(1) == entry
        assert [scalars(2)] == read(tmp_path, position)


def test_a_torn_record_is_passed_over_once_there_is_a_later_attempt(tmp_path):
    """The attempts' files are read in order, and what tore in an earlier one holds nothing up."""
    written(tmp_path, [scalars(1), scalars(2)])
    os.truncate(attempt_path(tmp_path), attempt_path(tmp_path).stat().st_size - 3)
    [(entry, position)] = read_entries(tmp_path)
    written(tmp_path, [scalars(3)], attempt=1)

    assert scalars(1) == entry
    assert [scalars(3)] == read(tmp_path, position)
    assert [scalars(1), scalars(3)] == read(tmp_path)


def test_attempts_are_in_order_of_number(tmp_path):
    """The tenth attempt comes after the second, and another writer's event file is none."""
    for attempt in (10, 2, 0):
        written(tmp_path, [], attempt=attempt)
    (tmp_path / "events.out.tfevents.1795280331.host.12.0").touch()
    (tmp_path / "events.out.tfevents.000000.treadle.profile-empty").touch()

    assert [attempt_path(tmp_path, attempt) for attempt in (0, 2, 10)] == attempt_paths(tmp_path)


def test_what_comes_before_a_damaged_record_is_read_and_then_it_is_named(tmp_path):
    """Entries before the damage are given; going on raises, with the file and the offset."""
    path = attempt_path(tmp_path)
    written(tmp_path, [scalars(1), scalars(2), scalars(3)])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    reading = read_entries(tmp_path)
    entry, _ = next(reading)
    with pytest.raises(CorruptRecord) as caught:
        next(reading)

    assert scalars(1) == entry
    assert (
        f"the record at byte {len(data) // 3} of {path} does not match its checksum: the file was damaged after it "
        f"was written. Readers skip it, and where its length was hit the rest of that file; mirrors get what "
        f"comes before it, and the run cannot go on, until it is set aside, with a copy: "
        f"python -m treadle_tracking doctor {tmp_path} --fix"
    ) == str(caught.value)


def test_damage_of_others_files_is_not_the_doctors():
    """Of a file that another program wrote, no command mends anything."""
    assert (
        "the record at byte 9 of /r/events.out.tfevents.1.host does not match its checksum: the file was damaged after it "
        "was written. Readers skip it, and where its length was hit the rest of that file; the program that "
        "wrote the file may have another copy of it"
    ) == str(CorruptRecord(Path("/r/events.out.tfevents.1.host"), 9))


def test_a_file_has_one_writer(tmp_path):
    """A second writer of an attempt's file is refused."""
    written(tmp_path, [scalars(1)])

    with pytest.raises(FileExistsError):
        LogWriter(attempt_path(tmp_path))


def test_threads_share_a_writer(tmp_path):
    """Entries that four threads append at once are all whole, each thread's in its order."""
    writer = LogWriter(attempt_path(tmp_path))

    def append(first):
        for step in range(first, first + 200):
            writer.append(scalars(step))

    threads = [threading.Thread(target=append, args=(1000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    steps = [entry.step for entry in read(tmp_path)]

    assert sorted(steps) == [1000 * n + step for n in range(4) for step in range(200)]
    for n in range(4):
        assert [1000 * n + step for step in range(200)] == [s for s in steps if s // 1000 == n]


FULL = """
import resource, signal, sys
from pathlib import Path
from treadle_tracking.entries import Text
from treadle_tracking.log import LogWriter, attempt_path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = LogWriter(attempt_path(Path(sys.argv[1])), strict=bool(sys.argv[2:]))
writer.append(Text(wall_time=1.0, step=1, name="a", text="x"))
resource.setrlimit(resource.RLIMIT_FSIZE, (300, resource.RLIM_INFINITY))
try:
    writer.append(Text(wall_time=1.0, step=2, name="a", text="x" * 1000))
except OSError as error:
    print(error.strerror)
print(writer.waiting, writer.trouble and writer.trouble.strerror, attempt_path(Path(sys.argv[1])).stat().st_size)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.append(Text(wall_time=1.0, step=3, name="a", text="y"))
"""


@pytest.mark.parametrize(
    ("arguments", "said", "steps"),
    [
        ([], "1 No space left on device {size}\n", [1, 2, 3]),
        (
            ["strict"],
            "No space left on device\n0 No space left on device {size}\n",
            [1, 3],
        ),
    ],
)
def test_a_full_disk_leaves_no_part_of_an_entry(tmp_path, arguments, said, steps):
    """Where the system takes only a part of a record, the part is cut off; the entry waits, or is an error if strict."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    [(_, first), *_] = read_entries(tmp_path)

    assert said.format(size=first.offset) == done.stdout
    assert steps == [entry.step for entry in read(tmp_path)]


class Disk:
    """Stands for a disk with so much room, in bytes; each write may take a part, as the system's does."""

    def __init__(self, monkeypatch, room):
        self.room = room
        self.writes = 0
        self._write, self._ftruncate = os.write, os.ftruncate
        monkeypatch.setattr(os, "write", self.write)
        monkeypatch.setattr(os, "ftruncate", self.ftruncate)

    def write(self, descriptor, data):
        self.writes += 1
        taken = data[: self.room]
        if not taken:
            raise OSError(28, "No space left on device")
        self.room -= len(taken)
        return self._write(descriptor, taken)

    def ftruncate(self, descriptor, size):
        self.room += os.fstat(descriptor).st_size - size
        self._ftruncate(descriptor, size)


def size_of(*entries):
    """How many bytes these entries are."""
    encoder = EntryEncoder()
    return sum(len(encoder.record(entry)) for entry in entries)


def test_entries_wait_in_order_and_are_written_when_there_is_room(tmp_path, monkeypatch):
    """Nothing overtakes what waits, not even what there would be room for, and nothing is lost."""
    long = Text(wall_time=1.0, step=2, name="a", text="x" * 1000)
    disk = Disk(monkeypatch, size_of(scalars(1)) + 50)
    log = LogWriter(attempt_path(tmp_path))
    for entry in (scalars(1), long, scalars(3)):
        log.append(entry)
    before = (log.waiting, log.trouble.strerror, read(tmp_path))
    disk.room = 10_000
    log.retry()
    after = (log.waiting, log.trouble, read(tmp_path))
    log.append(scalars(4))
    log.close()

    assert (2, "No space left on device", [scalars(1)]) == before
    assert (0, None, [scalars(1), long, scalars(3)]) == after
    assert [scalars(1), long, scalars(3), scalars(4)] == read(tmp_path)
    assert 0 == log.lost


def test_a_place_has_what_waits_in_front_of_it(tmp_path, monkeypatch):
    """Whoever asks for the place has everything written first that there is room for."""
    disk = Disk(monkeypatch, 0)
    log = LogWriter(attempt_path(tmp_path))
    log.append(scalars(1))
    empty = log.position()
    disk.room = 1000
    place = log.position()
    log.close()

    assert Position(attempt_path(tmp_path).name, 0) == empty
    assert [(scalars(1), place)] == list(read_entries(tmp_path))


def test_what_waits_is_bounded_and_what_is_lost_is_counted(tmp_path, monkeypatch):
    """A buffer that is full takes no more; at the end, what there is no room for is lost, and the end is written."""
    monkeypatch.setattr(log_module, "_WAITING_BYTES", 3000)
    disk = Disk(monkeypatch, 0)
    long = Text(wall_time=1.0, step=2, name="a", text="x" * 1000)
    ended = Ended(wall_time=2.0, status="FINISHED")
    log = LogWriter(attempt_path(tmp_path))
    for entry in (scalars(1), long, long, long, scalars(5)):
        log.append(entry)
    waiting, lost = log.waiting, log.lost
    disk.room = size_of(scalars(1), scalars(5), ended) + 50
    log.close(ended)

    assert (4, 1) == (waiting, lost)
    assert [scalars(1), scalars(5), ended] == read(tmp_path)
    assert 3 == log.lost


def test_a_log_without_room_for_its_end_counts_it(tmp_path, monkeypatch):
    """An end that cannot be written is lost like any other entry, and closing again changes nothing."""
    Disk(monkeypatch, 0)
    log = LogWriter(attempt_path(tmp_path))
    log.append(scalars(1))
    log.close(Ended(wall_time=2.0, status="FINISHED"))
    log.close()

    assert (2, []) == (log.lost, read(tmp_path))


def test_a_strict_log_raises_at_its_end_and_is_closed(tmp_path, monkeypatch):
    """Nothing waits in a strict log; the file is closed whatever happens."""
    Disk(monkeypatch, 0)
    log = LogWriter(attempt_path(tmp_path), strict=True)
    with pytest.raises(OSError, match="No space"):
        log.close(Ended(wall_time=2.0, status="FINISHED"))
    with pytest.raises(LogClosed):
        log.append(scalars(1))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["append", "retry", "position"]), st.integers(0, 200))))
def test_a_disk_that_is_full_now_and_then_loses_nothing(tmp_path_factory, actions):
    """However room comes and goes, what is in the file is a beginning of what was appended, and at last all of it."""
    directory = tmp_path_factory.mktemp("run")
    appended = []
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch, 0)
        log = LogWriter(attempt_path(directory))
        for number, (action, room) in enumerate(actions):
            disk.room = room
            if action == "append":
                appended.append(scalars(number))
                log.append(appended[-1])
            else:
                getattr(log, action)()
            entries = read(directory)
            assert appended[: len(entries)] == entries
            assert len(appended) - len(entries) == log.waiting
        disk.room = 100_000
        log.close()

    assert (appended, 0) == (read(directory), log.lost)


def test_a_cut_that_fails_is_made_up_for(tmp_path, monkeypatch):
    """Where even the part of a record cannot be cut off, it is before anything else is written."""
    disk = Disk(monkeypatch, size_of(scalars(1)) + 20)
    real = os.ftruncate

    def broken(*_):
        raise OSError(5, "Input/output error")

    log = LogWriter(attempt_path(tmp_path))
    log.append(scalars(1))
    monkeypatch.setattr(os, "ftruncate", broken)
    log.append(scalars(2))
    torn = log.position()
    monkeypatch.setattr(os, "ftruncate", real)
    disk.room = 1000
    log.append(scalars(3))
    log.close()

    [(_, first), *_] = read_entries(tmp_path)
    assert first == torn
    assert [scalars(1), scalars(2), scalars(3)] == read(tmp_path)


def test_an_append_is_one_call_of_the_system(tmp_path, monkeypatch):
    """Nothing but one `os.write`, for entries of every kind."""
    disk = Disk(monkeypatch, 10**6)
    log = LogWriter(attempt_path(tmp_path))
    for name in ("ftruncate", "fsync", "open", "fstat", "stat", "lseek"):
        monkeypatch.setattr(os, name, None)
    for entry in (scalars(1), TEXT, Params(wall_time=1.0)):
        log.append(entry)
    monkeypatch.undo()
    log.close()

    assert 3 == disk.writes


def test_a_log_is_synced_without_holding_anybody_up(tmp_path, monkeypatch):
    """While the device takes its time, entries are appended; a closed log has nothing to sync."""
    log = LogWriter(attempt_path(tmp_path))
    synced = []

    def fsync(_):
        log.append(scalars(1))  # as another thread does meanwhile
        synced.append(read(tmp_path))
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    log.sync()
    log.close()
    log.sync()

    assert [[scalars(1)]] == synced


def test_a_log_that_is_there_is_gone_on_with(tmp_path):
    """With `again` entries are appended to the file, and its places are those that reading gives."""
    written(tmp_path, [scalars(1)])
    log = LogWriter(attempt_path(tmp_path), again=True)
    place = log.position()
    log.append(scalars(2))
    end = log.position()
    log.close()

    assert [(scalars(1), place), (scalars(2), end)] == list(read_entries(tmp_path))


def test_a_file_that_was_cut_since_is_read_from_its_beginning(tmp_path):
    """A place that is none any more is not taken for one, though an entry may happen to end there."""
    written(tmp_path, [scalars(1), scalars(2), scalars(3)])
    places = [place for _, place in read_entries(tmp_path)]
    data = attempt_path(tmp_path).read_bytes()
    attempt_path(tmp_path).write_bytes(data[: places[0].offset] + data[places[1].offset :])
    written(tmp_path, [scalars(4)], attempt=1)

    assert [scalars(1), scalars(3), scalars(4)] == read(tmp_path, places[1])
    assert [scalars(1), scalars(3), scalars(4)] == read(tmp_path, places[2])
    assert [scalars(3), scalars(4)] == read(tmp_path, places[0])


def test_a_file_that_goes_while_a_log_is_read_is_passed_over(tmp_path):
    """An attempt that is cut out whole, between two entries that a reader asks for, is none."""
    written(tmp_path, [scalars(1)])
    written(tmp_path, [scalars(2)], attempt=1)
    written(tmp_path, [scalars(3)], attempt=2)
    reading = read_entries(tmp_path)
    first = next(reading)
    attempt_path(tmp_path, 1).unlink()

    assert [scalars(1), scalars(3)] == [first[0], *(entry for entry, _ in reading)]
    assert [scalars(3)] == read(tmp_path, Position(attempt_path(tmp_path, 1).name, 9, 9))


@pytest.fixture
def small(tmp_path):
    """A disk of 64 kB."""
    place = tmp_path / "small"
    place.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)],
            capture_output=True,
            check=False,
        )
    except OSError:
        pytest.skip("needs the command mount")
    if done.returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_real_full_disk_loses_nothing(small):
    """On a file system that is full and has room again, every entry arrives, in order."""
    ballast = small / "ballast"
    ballast.write_bytes(b"x" * 40_000)
    log = LogWriter(attempt_path(small))
    entries = [Text(wall_time=1.0, step=step, name="a", text="x" * 1000) for step in range(40)]
    for entry in entries:
        log.append(entry)
    waiting, arrived = log.waiting, len(read(small))
    ballast.unlink()
    log.close()

    assert waiting > 0
    assert 40 == waiting + arrived
    assert (entries, 0) == (read(small), log.lost)


def test_what_another_program_logged_in_the_same_format_is_no_entry(tmp_path):
    """An event without anything of ours, such as the file's version, is passed over."""
    from treadle_tracking.protos import messages
    from treadle_tracking.wire import framed

    event = messages().event(wall_time=1.0, step=1)
    event.summary.value.add(tag="loss", simple_value=0.5)
    unknown = messages().event(wall_time=1.0, entry=b'{"kind":"of a later version"}')
    attempt_path(tmp_path).write_bytes(
        framed(event.SerializeToString()) + framed(unknown.SerializeToString())
    )

    assert [] == read(tmp_path)


def test_a_record_of_somebody_elses_is_passed_over(tmp_path):
    """Bytes that are no event, though their checksum is right, hide nothing that comes before or after."""
    path = attempt_path(tmp_path)
    writer = LogWriter(path)
    writer.append(Started(wall_time=1.0, uid="u", experiment="e", name="n"))
    writer.append(Scalars(wall_time=2.0, step=1, values={"loss": 1.0}))
    writer.close()
    first = path.read_bytes()
    strange = [
        b"\xff" * 40,
        b"\x9a\x6a\x02{]",
        b"\x9a\x6a\x0d" + b'{"kind":"tag"',
        b"\x2a\x02\x0a\x00",
    ]
    path.write_bytes(first + b"".join(framed(data) for data in strange) + first)

    assert [Started, Scalars, Started, Scalars] == [
        type(entry) for entry, _ in read_entries(tmp_path)
    ]
