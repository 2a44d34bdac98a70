import pytest

from treadle_units import InvalidCount, Meter, Throughput, report


def test_message(clock):
    """Records, batches, time and both rates are one line."""
    meter = Meter(clock=clock)
    for _ in range(12):
        meter.add(30)
    clock.now += 0.52

    assert (
        "validated 360 records in 12 batches, 0.52 s (692 records/s, 23.1 batches/s)"
    ) == meter.report("validated")


@pytest.mark.parametrize(
    ("batch_size", "batches"), [(1, "10 batches"), (4, "3 batches"), (16, "1 batch")]
)
def test_batches_are_counted(batch_size, batches, loader_of, clock):
    """Ten records are in as many batches as there were, never in one less."""
    meter = Meter(clock=clock)
    for batch in loader_of(10, batch_size):
        meter.add(len(batch))

    assert f"validated 10 records in {batches}, 0 s" == meter.report("validated")


def test_nothing_was_added(clock):
    """A meter that was given nothing says so, without a rate."""
    meter = Meter(clock=clock)
    clock.now += 2

    assert "validated 0 records in 0 batches, 2.00 s" == meter.report("validated")


# treadle-loop prints the same words for the same numbers, and its tests have the same table.
@pytest.mark.parametrize(
    ("records", "batches", "seconds", "line"),
    [
        (10, 10, 0.52, "10 records in 10 batches, 0.52 s (19.2 records/s, 19.2 batches/s)"),
        (1, 1, 0.0, "1 record in 1 batch, 0 s"),
        (1, 1, 9e-10, "1 record in 1 batch, 0 s"),
        (1, 1, 1.0, "1 record in 1 batch, 1.00 s (1 record/s, 1 batch/s)"),
        (0, 0, 0.0, "0 records in 0 batches, 0 s"),
        (0, 0, 0.5, "0 records in 0 batches, 0.50 s"),
        (
            8,
            1,
            4e-9,
            "8 records in 1 batch, 0.0000000040 s (2000000000 records/s, 250000000 batches/s)",
        ),
        (10, 1, 0.003, "10 records in 1 batch, 0.0030 s (3333 records/s, 333 batches/s)"),
        (10, 1, 0.0151, "10 records in 1 batch, 0.015 s (662 records/s, 66.2 batches/s)"),
        (10, 1, 0.0996, "10 records in 1 batch, 0.10 s (100 records/s, 10 batches/s)"),
        (10, 1, 12.345, "10 records in 1 batch, 12.35 s (0.81 records/s, 0.081 batches/s)"),
        (9996, 1, 10.0, "9996 records in 1 batch, 10.00 s (1000 records/s, 0.1 batches/s)"),
        (60, 6, 59.994, "60 records in 6 batches, 59.99 s (1 record/s, 0.1 batches/s)"),
        (60, 6, 59.996, "60 records in 6 batches, 1 min 00 s (1 record/s, 0.1 batches/s)"),
        (372, 6, 372.4, "372 records in 6 batches, 6 min 12 s (0.999 records/s, 0.0161 batches/s)"),
        (3600, 36, 3599.7, "3600 records in 36 batches, 1 h 00 min (1 record/s, 0.01 batches/s)"),
        (60, 1, 3725.0, "60 records in 1 batch, 1 h 02 min (0.0161 records/s, 0.000268 batches/s)"),
        (
            1,
            1,
            90_000.0,
            "1 record in 1 batch, 25 h 00 min (0.0000111 records/s, 0.0000111 batches/s)",
        ),
    ],
)
def test_wording(records, batches, seconds, line):
    """Singular and plural, durations and rates are written as a person reads them."""
    assert f"read {line}" == report("read", records=records, batches=batches, seconds=seconds)


def test_ranks():
    """Merged across ranks, counts add up and the longest time holds."""
    merged = Throughput(6, 2, 0.4).merge(Throughput(4, 1, 0.3))

    assert (
        "validated 10 records in 3 batches on 2 ranks, 0.40 s (25 records/s, 7.5 batches/s)"
    ) == merged.report("validated")


def test_large_ranks():
    """A long run over many ranks keeps plain digits."""
    line = report("trained", records=1281167, batches=5005, seconds=372.5, ranks=8)

    assert (
        "trained 1281167 records in 5005 batches on 8 ranks, 6 min 12 s "
        "(3439 records/s, 13.4 batches/s)"
    ) == line


def test_detail():
    """A detail stands beside the batches that it belongs to."""
    line = report("trained", records=8, batches=4, seconds=0, detail="1 step")

    assert "trained 8 records in 4 batches (1 step), 0 s" == line


def test_clock_that_jumps_back(clock):
    """A clock that jumps back takes no time back."""
    meter = Meter(clock=clock)
    clock.now += 2
    before = meter.seconds
    clock.now -= 50

    assert (2.0, 2.0) == (before, meter.seconds)


@pytest.mark.parametrize("records", [-1, 4.0, True])
def test_no_count(records):
    """What is no count is not added."""
    meter = Meter()

    with pytest.raises(InvalidCount) as raised:
        meter.add(records)

    assert (
        f"add was given {records!r} records and 1 batches; give ints, 0 or more",
        0,
    ) == (str(raised.value), meter.batches)
