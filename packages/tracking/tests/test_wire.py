from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking.protos import messages
from treadle_tracking.wire import (
    FrameMismatch,
    ScalarEncoder,
    framed,
    leading_step,
    records,
    varint,
)

DOUBLES = st.floats(allow_nan=False)
STEPS = st.integers(min_value=-(2**63), max_value=2**63 - 1)


@given(st.lists(st.binary(max_size=300)))
def test_records_come_back_as_they_were_framed(payloads):
    """Every payload comes back whole, in order, and the last offset is the file's end."""
    data = b"".join(framed(payload) for payload in payloads)

    read = list(records(BytesIO(data), 0))

    assert payloads == [payload for _, payload in read]
    assert len(data) == (read[-1][0] if read else 0)


def test_a_checksum_is_a_masked_crc32c():
    """The catalogued CRC-32C of "123456789", 0xe3069283, is rotated by 15 bits and offset as TensorFlow does."""
    assert 0xC78AB0E5.to_bytes(4, "little") == framed(b"123456789")[-4:]


def test_tensorboard_reads_the_frames(tmp_path):
    """TensorBoard's own record reader, which checks every checksum, returns the payloads."""
    iterator = pytest.importorskip(
        "tensorboard.compat.tensorflow_stub.pywrap_tensorflow",
        reason="needs the extra treadle-tracking[tensorboard]",
    ).PyRecordReader_New
    path = tmp_path / "records"
    path.write_bytes(framed(b"abc") + framed(b"") + framed(b"x" * 1000))
    reader = iterator(str(path))
    read = []
    for _ in range(3):
        reader.GetNext()
        read.append(reader.record())

    assert [b"abc", b"", b"x" * 1000] == read


def test_a_record_cut_short_at_any_byte_ends_the_iteration():
    """A torn last record is not returned, wherever it was cut, and is no error."""
    first, last = framed(b"first"), framed(b"last")

    for cut in range(len(last)):
        assert [(len(first), b"first")] == list(records(BytesIO(first + last[:cut]), 0))


def test_a_flipped_bit_anywhere_is_found():
    """One wrong bit in a record, in its frame or its data, is a mismatch or makes the record look cut short."""
    record = framed(b"some data")

    for place in range(len(record) * 8):
        damaged = bytearray(record)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(FrameMismatch) as caught:
            list(records(BytesIO(bytes(damaged)), 0))
        assert (0,) == caught.value.args


@given(STEPS)
def test_varints_are_protobufs(number):
    """A varint of any 64-bit integer is what protobuf writes for it."""
    assert messages().event(step=number).SerializeToString()[1:] == varint(number)


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    STEPS,
    st.dictionaries(st.text(min_size=1), DOUBLES, max_size=5),
)
def test_hand_encoded_scalars_are_protobufs_byte_for_byte(wall_time, step, values):
    """The hand encoding equals what protobuf makes of the same event, at the first use of a name and the second."""
    encoder = ScalarEncoder()
    event = messages().event(wall_time=wall_time, step=step)
    event.summary.SetInParent()
    for name, value in values.items():
        event.summary.value.add(tag=name, simple_value=value, exact=value)
    expected = event.SerializeToString()

    assert expected == encoder.encode(wall_time, step, values)
    assert expected == encoder.encode(wall_time, step, values)


@pytest.mark.parametrize(
    "value",
    [0.1234567890123456, 1e300, -1e300, 1e-320, -0.0, float("inf"), float("nan"), 2.0**53 + 2],
)
def test_a_double_is_exact_beside_what_tensorboard_plots(value):
    """Our field holds the very double, whatever float32 makes of it in TensorBoard's."""
    event = messages().event.FromString(ScalarEncoder().encode(0.0, 1, {"x": value}))

    assert repr(value) == repr(event.summary.value[0].exact)


def test_a_new_name_every_step_does_not_fill_the_memory():
    """The encoder forgets names when there are thousands."""
    encoder = ScalarEncoder()
    for step in range(10_000):
        encoder.encode(0.0, step, {f"name {step}": 1.0})

    assert len(encoder._heads) <= 4096


@given(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
def test_the_step_of_scalars_is_at_their_beginning(step, wall_time):
    """It is told without decoding the event; where an event does not begin so, nothing is."""
    assert step == leading_step(ScalarEncoder().encode(wall_time, step, {"a": 1.0}))
    assert [None] * 3 == [leading_step(data) for data in (b"", b"\x09", b"\x1a\x00")]
