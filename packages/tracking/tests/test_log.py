import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking.entries import (
    Artifact,
    Ended,
    Image,
    Params,
    Scalars,
    Started,
    Tags,
    Text,
)
from treadle_tracking.errors import CorruptRecord
from treadle_tracking.log import (
    START,
    LogWriter,
    attempt_path,
    attempt_paths,
    read_entries,
)

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
        step=st.none() | STEPS,
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
        f"was written. What comes before it can be read; keep a copy of the file before you change anything"
    ) == str(caught.value)


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


def test_a_full_disk_leaves_no_part_of_an_entry(tmp_path):
    """Where the system takes only a part of a record, the part is cut off, and what fits later is readable."""
    script = """
import resource, signal, sys
from pathlib import Path
from treadle_tracking.entries import Scalars, Text
from treadle_tracking.log import LogWriter, attempt_path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = LogWriter(attempt_path(Path(sys.argv[1])))
writer.append(Text(wall_time=1.0, step=1, name="a", text="x"))
resource.setrlimit(resource.RLIMIT_FSIZE, (300, resource.RLIM_INFINITY))
try:
    writer.append(Text(wall_time=1.0, step=2, name="a", text="x" * 1000))
except OSError as error:
    print(error.strerror)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.append(Text(wall_time=1.0, step=3, name="a", text="y"))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], check=True, capture_output=True, text=True
    )

    assert "No space left on device\n" == done.stdout
    assert [1, 3] == [entry.step for entry in read(tmp_path)]


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
