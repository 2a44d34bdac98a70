import copy
import math
import pickle
from bisect import bisect_left, bisect_right
from fractions import Fraction
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_units import (
    Batches,
    Counts,
    EmptyEpoch,
    Epochs,
    Inexact,
    InvalidArgument,
    Length,
    MissingUnit,
    Records,
    Schedule,
    Seconds,
    Steps,
    UnknownEpochLength,
)
from treadle_units.errors import Unconvertible
from treadle_units.geometry import UNITS, Geometry


def simulated(geometry, batches):
    """What is counted after 0, 1, 2, ... batches by handing out records, pass after pass."""
    size = geometry.batch_size * geometry.world_size
    whole = math.inf if geometry.dataset_size is None else geometry.dataset_size
    left, window, counts = whole, 0, Counts()
    yield counts
    for _ in range(batches):
        taken = min(size, left)
        left -= taken
        last = left == 0 or (geometry.drop_last and left < size)
        window += 1
        steps = int(window == geometry.accumulate or (last and geometry.remainder == "flush"))
        if steps or (last and geometry.remainder == "drop"):
            window = 0
        if last:
            left = whole
        counts = Counts(
            counts.records + taken, counts.batches + 1, counts.steps + steps, counts.epochs + last
        )
        yield counts


def positions(table):
    """The table of counts as one list a unit, with epochs that are exact in between."""
    by_unit = {unit: [getattr(counts, unit) for counts in table] for unit in UNITS}
    of_pass = by_unit["epochs"].index(1)
    by_unit["epochs"] = [Fraction(counts.batches, of_pass) for counts in table]
    return by_unit


def first(counts, value):
    reached_at = bisect_left(counts, value)
    assert reached_at < len(counts)
    return reached_at


def converted(table, given_length, to):
    """What a conversion is by looking it up: a length, or the neighbours of none."""
    reached_at = first(table[given_length.unit], given_length.value)
    before, at = table[to][reached_at - 1], table[to][reached_at]
    met = table[given_length.unit][reached_at] == given_length.value
    if given_length.unit == to:
        return given_length
    if met and first(table[to], at) == reached_at:
        return Length(at, to)
    above = table[to][bisect_right(table[to], before, lo=reached_at)]
    return (Length(before, to) if before else None), Length(above, to)


def attempted(geometry, given_length, to):
    try:
        return geometry.convert(given_length, to)
    except Inexact as error:
        return error.floor, error.ceil


def compare(geometry, *, thorough):
    """Hold the answers about the first passes against a simulation, and say how many those were.

    Of lengths those up to the middle of the second pass are taken, and of parts of an epoch, if
    that is to be thorough, each batch's.
    """
    passes = list(simulated(geometry, geometry.dataset_size))
    of_pass = next(counts.batches for counts in passes if counts.epochs)
    horizon = of_pass + of_pass // 2 + 1
    table = list(simulated(geometry, 2 * of_pass + 3 * geometry.accumulate + 2))
    assert table == [geometry.at_batch(batches) for batches in range(len(table))]
    by_unit = positions(table)
    compared = len(table)
    lengths = [
        Length(value, unit)
        for unit in ("records", "batches", "steps")
        for value in range(1, by_unit[unit][horizon] + 1)
    ]
    parts = range(1, horizon + 1) if thorough else (1, 2, 3, of_pass, of_pass + 1)
    lengths += [Epochs(Fraction(part, of_pass)) for part in parts]
    lengths += [Epochs(Fraction(part, 3)) for part in range(1, 7)]
    for length in lengths:
        assert first(by_unit[length.unit], length.value) == geometry.batches_to_reach(length)
        compared += 1
    for length, to in product(lengths, UNITS):
        if length.unit != to:
            assert converted(by_unit, length, to) == attempted(geometry, length, to)
            compared += 1
    return compared


def made(records, batch_size, world_size, accumulate, drop_last, remainder):
    """The geometry, or `None` where there is none: a pass without a batch, or without a step."""
    size = batch_size * world_size
    batches = records // size if drop_last else -(-records // size)
    if batches == 0 or (remainder == "drop" and batches < accumulate):
        with pytest.raises(EmptyEpoch):
            Geometry(
                batch_size,
                dataset_size=records,
                accumulate=accumulate,
                world_size=world_size,
                drop_last=drop_last,
                remainder=remainder,
            )
        return None
    return Geometry(
        batch_size,
        dataset_size=records,
        accumulate=accumulate,
        world_size=world_size,
        drop_last=drop_last,
        remainder=remainder,
    )


@st.composite
def geometries(draw, remainders=("flush", "carry", "drop")):
    sizes = (
        draw(st.integers(1, 40)),
        draw(st.integers(1, 12)),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 6)),
        draw(st.booleans()),
        draw(st.sampled_from(remainders)),
    )
    geometry = made(*sizes)
    return geometry or Geometry(sizes[1], dataset_size=sizes[0], accumulate=sizes[3])


def loader(geometry, passes=1):
    """The batches of all ranks together."""
    table = list(simulated(geometry, passes * geometry.batches_per_epoch))
    return [[0] * (after.records - before.records) for before, after in pairwise(table)]


@settings(max_examples=120)
@given(geometries())
def test_equals_a_simulation(geometry):
    """Closed forms say what handing out the records one by one does."""
    assert compare(geometry, thorough=False) > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("remainder", "geometries"), [("flush", 14_688), ("carry", 14_688), ("drop", 6883)]
)
def test_equals_a_simulation_everywhere(remainder, geometries):
    """Over the whole grid of small sizes: millions of answers, none of them off."""
    grid = product(
        range(1, 41), range(1, 13), range(1, 4), range(1, 7), (False, True), (remainder,)
    )
    sizes = [geometry for arguments in grid if (geometry := made(*arguments)) is not None]
    compared = sum(compare(geometry, thorough=True) for geometry in sizes)

    assert (geometries, True) == (len(sizes), compared > 1_000_000)


@given(geometries(("flush",)), st.integers(1, 60))
def test_equals_a_schedule(geometry, batches):
    """A schedule over such a loader counts at each batch what its geometry says."""
    schedule = Schedule(Batches(batches))
    run = schedule.batches(loader(geometry), accumulate=geometry.accumulate)
    counted = [
        Counts(progress.records, progress.batches, progress.steps, progress.epochs)
        for _ in run
        for progress in [schedule.progress]
    ]
    planned = [geometry.at_batch(number) for number in range(1, batches)]

    assert [*planned, geometry.at_end(Batches(batches))] == counted


@given(geometries(("flush",)), st.sampled_from(UNITS), st.integers(1, 90), st.integers(1, 3))
def test_ends_as_a_schedule_does(geometry, unit, value, parts):
    """A schedule ends at the batch that its geometry says, having counted what it says."""
    until = Epochs(Fraction(value, 30 * parts)) if unit == "epochs" else Length(value, unit)
    schedule = Schedule(until)
    for _ in schedule.batches(loader(geometry), accumulate=geometry.accumulate):
        pass
    progress = schedule.progress

    assert geometry.batches_to_reach(until) == progress.batches
    assert geometry.at_end(until) == Counts(
        progress.records, progress.batches, progress.steps, progress.epochs
    )


@given(geometries(), st.sampled_from(UNITS), st.sampled_from(UNITS), st.integers(1, 50))
def test_conversions_return(geometry, unit, to, value):
    """What is converted exactly converts back, and ends a run at the same batch."""
    length = Length(value, unit)
    there = attempted(geometry, length, to)
    exact = isinstance(there, Length)

    assert not exact or attempted(geometry, there, unit) == length
    assert not exact or geometry.batches_to_reach(there) == geometry.batches_to_reach(length)


@given(geometries(), st.sampled_from(UNITS), st.sampled_from(UNITS), st.integers(1, 50))
def test_neighbours_enclose(geometry, unit, to, value):
    """Of the neighbours of an inexact result, one ends a run before the length, and one does not."""
    length = Length(value, unit)
    there = attempted(geometry, length, to)
    at = geometry.batches_to_reach(length)
    below, above = (None, length) if isinstance(there, Length) else there

    assert below is None or geometry.batches_to_reach(below) < at
    assert geometry.batches_to_reach(above) >= at


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 5), st.sampled_from(("flush", "drop")))
def test_without_end(batch_size, world_size, accumulate, remainder):
    """Without a dataset's size all is one pass that nothing cuts short."""
    geometry = Geometry(
        batch_size, accumulate=accumulate, world_size=world_size, remainder=remainder
    )
    table = list(simulated(geometry, 40))
    records = [counts.records for counts in table]
    reached = [geometry.batches_to_reach(Records(value)) for value in range(1, records[-1] + 1)]

    assert table == [geometry.at_batch(batches) for batches in range(41)]
    assert reached == [first(records, value) for value in range(1, records[-1] + 1)]
    assert 3 * accumulate == geometry.batches_to_reach(Steps(3))


def test_reaches_records():
    """Nine records in batches of 4 of 10 are reached by 3 batches, at 10 records."""
    geometry = Geometry(4, dataset_size=10)

    assert (3, 10) == (geometry.batches_to_reach(Records(9)), geometry.at_batch(3).records)


def test_reaches_one_record():
    """One record is reached by one batch."""
    assert Geometry(4, dataset_size=10).batches_to_reach("1 record") == 1


def test_no_batch():
    """A dataset below one batch with `drop_last` is refused with the sizes."""
    with pytest.raises(EmptyEpoch) as raised:
        Geometry(4, dataset_size=3, drop_last=True)

    assert (
        "a pass has 0 batches: dataset_size=3 is less than one batch, with batch_size=4, world_size=1 "
        "and drop_last=True; give it more data, a smaller batch_size, or drop_last=False"
    ) == str(raised.value)


def test_steps_do_not_drift():
    """Every 4 steps of 2 batches, at 7 batches a pass, are batches 7, 14, 21 and 28."""
    geometry = Geometry(1, dataset_size=7, accumulate=2)

    assert [7, 14, 21, 28] == [geometry.batches_to_reach(Steps(steps)) for steps in (4, 8, 12, 16)]


def test_windows_longer_than_a_pass():
    """Windows of 4 in passes of 3 are flushed to 3 steps, or carried to 2 and 1 batch."""
    flush = Geometry(1, dataset_size=3, accumulate=4)
    carry = Geometry(1, dataset_size=3, accumulate=4, remainder="carry")
    with pytest.raises(EmptyEpoch) as raised:
        Geometry(1, dataset_size=3, accumulate=4, remainder="drop")

    assert [3, 6, 9] == [flush.batches_to_reach(Steps(step)) for step in (1, 2, 3)]
    assert [4, 8] == [carry.batches_to_reach(Steps(step)) for step in (1, 2)]
    assert Counts(9, 9, 2, 3) == carry.at_end("3 epochs")
    assert (
        "a pass has 0 steps: its 3 batches are less than a window, with accumulate=4 and "
        "remainder='drop'; give a smaller accumulate, or remainder='flush' or 'carry'"
    ) == str(raised.value)


def test_windows_of_two():
    """In 2 passes of 3, windows of 2 end at 2, 3, 5, 6 flushed, and at 2, 4, 6 carried."""
    flush = Geometry(1, dataset_size=3, accumulate=2)
    carry = Geometry(1, dataset_size=3, accumulate=2, remainder="carry")
    drop = Geometry(1, dataset_size=3, accumulate=2, remainder="drop")

    assert [2, 3, 5, 6] == [flush.batches_to_reach(Steps(step)) for step in range(1, 5)]
    assert [2, 4, 6] == [carry.batches_to_reach(Steps(step)) for step in range(1, 4)]
    assert [2, 5] == [drop.batches_to_reach(Steps(step)) for step in range(1, 3)]


def test_steps_over_passes():
    """Five steps of 4 batches, at 10 a pass, take 18 batches flushed and 20 carried."""
    flush = Geometry(1, dataset_size=10, accumulate=4)
    carry = Geometry(1, dataset_size=10, accumulate=4, remainder="carry")

    assert [4, 8, 10, 14, 18] == [flush.batches_to_reach(Steps(step)) for step in range(1, 6)]
    assert carry.batches_to_reach(Steps(5)) == 20


def test_parts_of_epochs():
    """Three halves of an epoch of 3 batches are reached at 5, which is 5/3 exactly."""
    geometry = Geometry(4, dataset_size=12)

    assert geometry.batches_to_reach(Epochs(Fraction(3, 2))) == 5
    assert Epochs(Fraction(5, 3)) == geometry.convert(Batches(5), to="epochs")
    assert Batches(5) == geometry.convert(Epochs(Fraction(5, 3)), to="batches")


def test_ranks():
    """A batch is one draw of every rank, and a padded dataset is given as padded."""
    geometry = Geometry(32, dataset_size=50_048, world_size=8, accumulate=2)

    assert (256, 196, 50_048) == (
        geometry.records_per_batch,
        geometry.batches_per_epoch,
        geometry.records_per_epoch,
    )
    assert Counts(100_096, 392, 196, 2) == geometry.at_end("2 epochs")


def test_left_out():
    """With `drop_last` the records of a last batch that is not full are not of the pass."""
    geometry = Geometry(4, dataset_size=10, drop_last=True)

    assert (2, 8) == (geometry.batches_per_epoch, geometry.records_per_epoch)
    assert geometry.batches_to_reach("10 records") == 3


def test_end_closes_the_window():
    """A run that ends in an open window makes one step more, and one that goes on does not."""
    geometry = Geometry(4, accumulate=4)
    carry = Geometry(4, accumulate=4, remainder="carry")

    assert (1, 2, 1) == (
        geometry.at_batch(6).steps,
        geometry.at_end("6 batches").steps,
        carry.at_end("6 batches").steps,
    )


def test_alternatives():
    """Of alternatives, the one reached first counts."""
    geometry = Geometry(4, dataset_size=10)

    assert Counts(28, 8, 8, 2) == geometry.at_end("3 epochs | 8 steps")
    assert Counts(30, 9, 9, 3) == geometry.at_end(Epochs(3) | Steps(10))


def test_large_numbers():
    """Numbers of any size are answered at once, and exactly."""
    geometry = Geometry(7, dataset_size=10**12 + 1, accumulate=3, world_size=11)
    records = 10**30 + 1
    batches = geometry.batches_to_reach(Records(records))

    assert geometry.at_batch(batches - 1).records < records <= geometry.at_batch(batches).records


@pytest.mark.parametrize(
    ("length", "to", "message", "neighbours"),
    [
        (
            "10 records",
            "batches",
            (
                "10 records is no exact number of batches: batch 3 reaches it, at 12 records; "
                "take .floor (2 batches) or .ceil (3 batches) of this error"
            ),
            (Batches(2), Batches(3)),
        ),
        (
            "3 batches",
            "steps",
            (
                "3 batches is no exact number of steps: batch 3 reaches it and makes no step; "
                "take .floor (1 step) or .ceil (2 steps) of this error"
            ),
            (Steps(1), Steps(2)),
        ),
        (
            "1 batch",
            "steps",
            (
                "1 batch is no exact number of steps: batch 1 reaches it and makes no step; "
                "take .ceil (1 step) of this error"
            ),
            (None, Steps(1)),
        ),
        (
            "1/2 epochs",
            "records",
            (
                "1/2 epochs is no exact number of records: batch 3 reaches it, at 3/5 epochs; "
                "take .floor (8 records) or .ceil (12 records) of this error"
            ),
            (Records(8), Records(12)),
        ),
    ],
)
def test_inexact(length, to, message, neighbours):
    """A conversion that is not exact is refused, with the numbers and both neighbours."""
    with pytest.raises(Inexact) as raised:
        Geometry(4, dataset_size=18, accumulate=2).convert(length, to)

    assert message == str(raised.value)
    assert neighbours == (raised.value.floor, raised.value.ceil)


@pytest.mark.parametrize(
    ("ask", "kind", "message"),
    [
        (
            lambda: Geometry(4).batches_to_reach("2 epochs"),
            UnknownEpochLength,
            (
                "2 epochs needs the length of an epoch, which this geometry does not have; "
                "give it dataset_size="
            ),
        ),
        (
            lambda: Geometry(4).convert("2 batches", to="epochs"),
            UnknownEpochLength,
            (
                "a number of epochs needs the length of an epoch, which this geometry does not "
                "have; give it dataset_size="
            ),
        ),
        (
            lambda: Geometry(4).records_per_epoch,
            UnknownEpochLength,
            (
                "records_per_epoch needs the length of an epoch, which this geometry does not "
                "have; give it dataset_size="
            ),
        ),
        (
            lambda: Geometry(4).batches_to_reach("10 steps | 2 h"),
            Unconvertible,
            (
                "2 h cannot be computed from the sizes of a loader, as records, batches, steps and "
                "epochs can; leave it to the Schedule, which counts it"
            ),
        ),
        (
            lambda: Geometry(4).convert("5 tokens", to="records"),
            Unconvertible,
            (
                "5 tokens cannot be computed from the sizes of a loader, as records, batches, steps "
                "and epochs can; leave it to the Schedule, which counts it"
            ),
        ),
        (
            lambda: Geometry(4).convert("5 records", to="tokens"),
            Unconvertible,
            "to is 'tokens'; a geometry converts to 'records', 'batches', 'steps' or 'epochs'",
        ),
        (
            lambda: Geometry(4).convert(Seconds(5), to="records"),
            Unconvertible,
            "5 s is not one length; convert a length such as '10 epochs'",
        ),
        (
            lambda: Geometry(4).convert("1 epoch | 2 steps", to="records"),
            Unconvertible,
            "1 epoch | 2 steps is not one length; convert a length such as '10 epochs'",
        ),
        (
            lambda: Geometry(4).batches_to_reach(5),
            MissingUnit,
            (
                "5 has no unit; write '5 epochs', '5 steps', '5 batches', '5 records' or a time "
                "such as '5 min'"
            ),
        ),
        (lambda: Geometry(0), InvalidArgument, "batch_size is 0; give an int, 1 or more"),
        (lambda: Geometry(4.0), InvalidArgument, "batch_size is 4.0; give an int, 1 or more"),
        (lambda: Geometry(True), InvalidArgument, "batch_size is True; give an int, 1 or more"),
        (
            lambda: Geometry(4, dataset_size=0),
            InvalidArgument,
            "dataset_size is 0; give an int, 1 or more",
        ),
        (
            lambda: Geometry(4, accumulate=-1),
            InvalidArgument,
            "accumulate is -1; give an int, 1 or more",
        ),
        (
            lambda: Geometry(4, world_size="2"),
            InvalidArgument,
            "world_size is '2'; give an int, 1 or more",
        ),
        (
            lambda: Geometry(4, drop_last=1),
            InvalidArgument,
            "drop_last is 1; give True or False",
        ),
        (
            lambda: Geometry(4, remainder="keep"),
            InvalidArgument,
            "remainder is 'keep'; give 'flush', 'carry' or 'drop'",
        ),
        (
            lambda: Geometry(4).at_batch(-1),
            InvalidArgument,
            "batches is -1; give an int, 0 or more",
        ),
        (
            lambda: Geometry(4).at_batch(True),
            InvalidArgument,
            "batches is True; give an int, 0 or more",
        ),
    ],
)
def test_refused(ask, kind, message):
    """What no sizes of a loader can tell is refused, each with a way out."""
    with pytest.raises(kind) as raised:
        ask()

    assert message == str(raised.value)


def test_value():
    """A geometry is a value: equal and hashed by its sizes, copied, pickled, and frozen."""
    geometry = Geometry(4, dataset_size=10, remainder="carry")
    with pytest.raises(AttributeError):
        geometry.batch_size = 5

    assert geometry == Geometry(4, dataset_size=10, remainder="carry") != Geometry(4)
    assert {geometry} == {copy.deepcopy(geometry), pickle.loads(pickle.dumps(geometry))}
    assert (
        "Geometry(batch_size=4, dataset_size=10, accumulate=1, world_size=1, drop_last=False, "
        "remainder='carry')"
    ) == repr(geometry)
