import shutil
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking import open_runs
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
from treadle_tracking.log import LogWriter, attempt_path
from treadle_tracking.protos import messages
from treadle_tracking.reading.outlines import outline
from treadle_tracking.reading.scanning import scalar_parser
from treadle_tracking.wire import ScalarEncoder, framed, records

FOREIGN = Path(__file__).parent / "foreign"
STEPS = st.integers(-(2**63), 2**63 - 1)
TIMES = st.floats(0, 4e9)
NAMES = st.text(min_size=1, max_size=60)


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Bytes of event files, of ours with an entry of every kind, and of others."""
    directory = tmp_path_factory.mktemp("run")
    log = LogWriter(attempt_path(directory))
    for entry in (
        Started(wall_time=100.0, uid="u", experiment="e", name="n", best={"loss": "min"}),
        Params(wall_time=100.0, values={"lr": 0.1, "deep": {"er": [1, None, True]}}),
        Tags(wall_time=100.0, values={"a": "b"}),
        *(Scalars(wall_time=101.0, step=step, values={"loss": 0.5, "x": 1.0}) for step in (1, 2)),
        Image(wall_time=102.0, step=1, name="image", png=bytes(50), width=1, height=1),
        Text(wall_time=102.0, step=1, name="text", text="hello"),
        Histogram(wall_time=102.0, step=1, name="histogram", buckets=((0.0, 1.0, 2.0),)),
        Artifact(wall_time=103.0, path="a/b", size=1, sha256="0"),
        Table(wall_time=103.0, step=None, name="table", path="table.csv", preview="|a|"),
        Function(wall_time=103.0, name="f", qualified_name="m:f", sha256=None, path=None),
        Committed(wall_time=104.0, step=2),
        Rewound(wall_time=104.0, began=100.0, step=2, after=102.0),
        Ended(wall_time=105.0, status="FINISHED"),
    ):
        log.append(entry)
    log.close()
    ours = {attempt_path(directory).name: attempt_path(directory).read_bytes()}
    [theirs] = (FOREIGN / "torch" / "full").glob("events*")
    [lightning] = (FOREIGN / "lightning").rglob("events*")
    return [ours, {theirs.name: theirs.read_bytes()}, {lightning.name: lightning.read_bytes()}]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory for one example after the other."""
    return tmp_path_factory.mktemp("fuzzed")


def read_all(root):
    """Everything that can be asked of the runs there."""
    runs = open_runs(f"tensorboard:{root}")
    for run in runs:
        repr((run, run.contents))
        for _, _, points in run.reader.histories([run]):
            repr((list(points), points.extremes))
        for entry in run.reader.entries(run):
            repr(entry)
    return len(runs)


def put(place, files):
    shutil.rmtree(place)
    (place / "run").mkdir(parents=True)
    for name, data in files.items():
        (place / "run" / name).write_bytes(data)


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["flip", "set", "cut", "drop", "double", "insert"]),
        st.integers(0, 2**20),
        st.integers(0, 2**20),
    ),
    min_size=1,
    max_size=4,
)


def changed(data, changes):
    """Bytes with something done to them."""
    data = bytearray(data)
    for what, one, other in changes:
        if not data:
            break
        at = one % len(data)
        end = at + other % 40
        if what == "flip":
            data[at] ^= 1 << other % 8
        elif what == "set":
            data[at] = other % 256
        elif what == "cut":
            del data[at:]
        elif what == "drop":
            del data[at:end]
        elif what == "double":
            data[at:at] = data[at:end]
        else:
            data[at:at] = other.to_bytes(4, "little")
    return bytes(data)


@settings(max_examples=150, deadline=None)
@given(which=st.integers(0, 2), changes=CHANGES)
def test_whatever_became_of_a_file_it_is_read(logs, place, which, changes):
    """Flipped, missing, doubled and foreign bytes raise nothing: what can be read is read."""
    files = {name: changed(data, changes) for name, data in logs[which].items()}
    put(place, files)

    assert read_all(place) <= 1


@settings(max_examples=150, deadline=None)
@given(which=st.integers(0, 2), record=st.integers(0, 30), changes=CHANGES)
def test_whatever_a_whole_record_holds_it_is_read(
    logs, place, which, record, changes, tmp_path_factory
):
    """A record that matches its checksum and is no event raises nothing either."""
    files = {}
    for name, data in logs[which].items():
        path = place / "whole"
        path.write_bytes(data)
        with path.open("rb") as file:
            payloads = [payload for _, payload in records(file, 0)]
        number = record % len(payloads)
        payloads[number] = changed(payloads[number], changes)
        files[name] = b"".join(map(framed, payloads))
    put(place, files)

    assert read_all(place) <= 1


@settings(max_examples=50, deadline=None)
@given(data=st.binary(max_size=300), ours=st.booleans())
def test_random_bytes_are_no_run(place, data, ours):
    """They are named as unreadable, if there are enough for a record's frame, and raise nothing."""
    put(place, {"events.out.tfevents.000000.treadle" if ours else "tfevents": data})
    runs = open_runs(f"tensorboard:{place}")

    assert 0 == len(runs)
    assert (len(data) >= 12) == bool(runs._reader.unreadable)


def nested(depth):
    """A session whose one parameter is a list in a list in a list, as bytes."""
    value = b"\x11" + struct.pack("<d", 1.0)
    for _ in range(depth):
        values = b"\x0a" + length(value) + value
        value = b"\x32" + length(values) + values
    item = b"\x0a\x01a\x12" + length(value) + value
    info = b"\x0a" + length(item) + item
    return b"\x1a" + length(info) + info


def length(data):
    number, encoded = len(data), bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


@pytest.mark.parametrize("depth", [10, 90, 5000])
def test_a_message_within_a_message_ends_somewhere(place, depth):
    """A parameter that is nested thousands of levels deep costs its own event, and nothing else."""
    event = messages().event(wall_time=1.0)
    value = event.summary.value.add(tag="s")
    value.metadata.plugin_data.plugin_name = "hparams"
    value.metadata.plugin_data.content = nested(depth)
    number = messages().event(wall_time=1.0)
    number.summary.value.add(tag="x", simple_value=1.0)
    put(place, {"tfevents": framed(event.SerializeToString()) + framed(number.SerializeToString())})
    [run] = open_runs(f"tensorboard:{place}")

    assert {"x": 1.0} == run.metrics
    assert read_all(place)


@pytest.mark.parametrize("size", [2**31, 2**40, 2**63, 2**64 - 1])
def test_a_length_that_no_file_has_ends_it(place, size):
    """A record that claims to be longer than its file is one that is cut short; no memory is asked for."""
    number = messages().event(wall_time=1.0)
    number.summary.value.add(tag="x", simple_value=1.0)
    header = framed(b"")[:0] + struct.pack("<Q", size)
    crc = framed(struct.pack("<Q", size))[-4:]
    put(place, {"tfevents": framed(number.SerializeToString()) + header + crc + b"data"})
    [run] = open_runs(f"tensorboard:{place}")

    assert ({"x": 1.0}, None) == (run.metrics, run.damage)


@given(TIMES, STEPS, st.dictionaries(NAMES, st.floats(), max_size=4))
def test_numbers_taken_from_bytes_are_those_of_the_message(time, step, values):
    """Our own scalars are read by hand as protobuf reads them, whatever their names, steps and values."""
    data = ScalarEncoder().encode(time, step, values)
    event = messages().event.FromString(data)
    parsed = scalar_parser(exact=True)(data)
    expected = (event.wall_time, event.step, [(one.tag, one.exact) for one in event.summary.value])
    is_short = all(len(name.encode()) < 100 for name in values)

    assert parsed is not None or not (values and is_short)
    assert parsed is None or repr(expected) == repr(parsed)


@given(TIMES, STEPS, st.lists(st.tuples(NAMES, st.floats(width=32)), max_size=4), CHANGES)
def test_others_numbers_taken_from_bytes_are_those_of_the_message(time, step, values, changes):
    """So are others', also of bytes that something has happened to, or they are not taken at all."""
    event = messages().event(wall_time=time, step=step)
    for name, value in values:
        event.summary.value.add(tag=name, simple_value=value)
    data = event.SerializeToString()
    for each in (data, changed(data, changes)):
        parsed = scalar_parser(exact=False)(each)
        if parsed is not None:
            event = messages().event.FromString(each)
            found = [(one.tag, one.simple_value) for one in event.summary.value]
            assert repr((event.wall_time, event.step, found)) == repr(parsed)


@given(
    TIMES, STEPS, NAMES, st.sampled_from(["images", "text", ""]), st.binary(max_size=200), CHANGES
)
def test_an_outline_is_that_of_the_message(time, step, name, plugin, content, changes):
    """Time, step, name and plugin are those that protobuf finds; of bytes that are no message there may be none."""
    event = messages().event(wall_time=time, step=step)
    value = event.summary.value.add(tag=name)
    value.metadata.plugin_data.plugin_name = plugin
    value.tensor.string_val.append(content)
    data = event.SerializeToString()
    found = outline(data)
    outline(changed(data, changes))

    assert (time, step) == (found.wall_time, found.step)
    assert ((name, plugin, frozenset({1, 8, 9})),) == found.values
