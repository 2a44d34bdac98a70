from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_units import At, Batches, Epochs, Every, InvalidTrigger, Records, Schedule


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Every("1 epoch | 2 h"),
            "a trigger takes one length, not 1 epoch | 2 h; use a trigger for each",
        ),
        (
            lambda: Every("5 steps", offset=-1),
            "the offset of every 5 steps is -1; give a number of steps, 0 or more",
        ),
        (
            lambda: Every("5 steps", offset=Fraction(1, 2)),
            "the offset of every 5 steps is 1/2; only epochs may be fractions",
        ),
        (
            lambda: At(["1 epoch", "5 steps"]),
            "At has lengths in epochs and steps; use a trigger for each unit",
        ),
        (lambda: At([]), "At has no lengths; give at least one, or None for never"),
        (
            lambda: Schedule("1 epoch", batch_per_epoch=5),
            (
                "batch_per_epoch=5 is no trigger; give a length such as '1 epoch', Every(...), "
                "At(...), or None for never"
            ),
        ),
        (
            lambda: At(5),
            "a trigger was made from 5; give a length such as '1 epoch' or Epochs(1)",
        ),
        (
            lambda: Every(None),
            "a trigger was made from None; give a length such as '1 epoch' or Epochs(1)",
        ),
        (
            lambda: Every("5 steps", at_end="false"),
            "at_end of every 5 steps is 'false'; give True or False",
        ),
    ],
)
def test_refused(make, message):
    """What is not one length of one unit is no trigger."""
    with pytest.raises(InvalidTrigger) as raised:
        make()

    assert message == str(raised.value)


def test_values():
    """Triggers are values: equal, hashable, and written as they were meant."""
    triggers = {
        Every("1 epoch", at_end=True): "1 epoch, at end",
        Every(Batches(1000), offset=1): "1000 batches from 1",
        At([Epochs(3), "1 epoch", "3 epochs"]): "at 1 epoch, 3 epochs",
        At("2 batches"): "at 2 batches",
    }

    assert list(triggers.values()) == [str(trigger) for trigger in triggers]
    assert Every(Epochs(1), at_end=True) in triggers


@settings(max_examples=300, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=40),
    every=st.integers(1, 20),
    offset=st.integers(0, 20),
)
def test_fires_are_crossings(sizes, every, offset):
    """A trigger is due exactly at the calls that cross a point of its grid."""
    schedule = Schedule(Records(10**6), do=Every(Records(every), offset=offset))
    due, expected, total = [], [], 0
    points = range(offset, 400, every)
    for size in sizes:
        due.append(bool(schedule.advance(size)))
        expected.append(any(total < point <= total + size for point in points))
        total += size

    assert expected == due


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=40),
    every=st.integers(1, 20),
)
def test_fires_are_evenly_spread(sizes, every):
    """From one fire to the next there are less records than the length and a batch together."""
    schedule = Schedule(Records(10**6), do=Every(Records(every)))
    fires = [schedule.progress.records for size in sizes if schedule.advance(size)]
    gaps = [after - before for before, after in pairwise([0, *fires])]

    assert all(0 < gap < every + max(sizes) for gap in gaps)
