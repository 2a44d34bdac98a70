"""The times of a log."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from treadle_tracking import clock as clock_module
from treadle_tracking.clock import LogClock, milliseconds

TIMES = st.floats(min_value=0, max_value=1e11)


def reading(times):
    """A stand-in for `time` of which the clock shows these times, one after the other."""
    moments = iter(times)
    return SimpleNamespace(time=lambda: next(moments))


@given(st.lists(TIMES, min_size=1, max_size=9))
def test_times_never_go_back(times):
    """However the system's clock is set, a time is never earlier than the one before, and the true one if it can be."""
    clock = LogClock()
    real, clock_module.time = clock_module.time, reading(times)
    try:
        shown = [clock.now() for _ in times]
    finally:
        clock_module.time = real

    assert [max(0.001, *times[: i + 1]) for i in range(len(times))] == shown


@given(TIMES, st.lists(st.tuples(TIMES, st.booleans()), max_size=9))
def test_a_division_is_between_milliseconds(after, moments):
    """What is after a division is in a later millisecond than anything before it, and so is the very first time."""
    clock = LogClock(after)
    real, clock_module.time = clock_module.time, reading(time for time, _ in moments)
    before, latest = milliseconds(after), milliseconds(after)
    try:
        for _, divided in moments:
            now = milliseconds(clock.now())
            assert now > before
            latest = max(latest, now)
            if divided:
                assert latest == milliseconds(clock.divide())
                before = latest
    finally:
        clock_module.time = real


def test_a_division_of_nothing_costs_nothing():
    """Dividing again, with no time between, moves nothing on."""
    clock = LogClock(1e12)
    clock.divide()
    clock.divide()

    assert 1e12 + 0.001 == clock.now()
