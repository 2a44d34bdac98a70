"""Seconds of the log as milliseconds of other stores."""

from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_tracking.clock import milliseconds


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=2**42))
def test_whole_milliseconds_come_back(whole):
    """A time of another store that went through seconds is the same time again."""
    actual = milliseconds(whole / 1000)

    assert whole == actual


def test_a_time_between_two_milliseconds_is_the_nearer():
    """Rounding is to the nearest, not down."""
    assert (1, 2) == (milliseconds(0.0014), milliseconds(0.0016))


def test_a_time_before_the_epoch_is_zero():
    """MLflow refuses negative times."""
    assert 0 == milliseconds(-1.0)
