import warnings

from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_units import (
    DataExhausted,
    EmptyEpoch,
    Schedule,
    UnitsError,
    UnknownEpochLength,
    WrongLength,
)

CAP = 3000
NAMED = (DataExhausted, EmptyEpoch, UnknownEpochLength, WrongLength)

LIMITS = st.one_of(
    st.builds(
        "{} {}".format,
        st.integers(1, 40),
        st.sampled_from(["records", "batches", "steps", "tokens"]),
    ),
    st.builds("{}/{} epochs".format, st.integers(1, 9), st.integers(1, 3)),
)


class Adversary:
    """A loader that changes from pass to pass, and may lie about its length or hide an iterator."""

    def __init__(self, passes, lies):
        self.passes = passes
        self.lies = lies
        self.at = 0

    def __iter__(self):
        sizes = self.passes[min(self.at, len(self.passes) - 1)]
        self.at += 1
        return iter([[0] * size for size in sizes])


class Sized(Adversary):
    """The same with a length."""

    def __len__(self):
        return max(0, len(self.passes[min(self.at, len(self.passes) - 1)]) + self.lies)


passes = st.lists(
    st.lists(st.integers(1, 5), max_size=6),
    min_size=1,
    max_size=4,
)
kinds = st.sampled_from(["sized", "unsized", "one-shot", "hidden"])


def loader_of(kind, sizes, lies):
    if kind == "sized":
        return Sized(sizes, lies)
    if kind == "hidden":
        return Adversary([sizes[0], []], 0)
    loader = Adversary(sizes, 0)
    return iter(loader) if kind == "one-shot" else loader


@settings(max_examples=600, deadline=None)
@given(
    kind=kinds,
    sizes=passes,
    lies=st.sampled_from([0, 0, 0, 1, -1]),
    until=st.lists(LIMITS, min_size=1, max_size=2).map(" | ".join),
    accumulate=st.integers(1, 5),
    lookahead=st.sampled_from([None, True, False]),
    resolve=st.sampled_from([None, "first_epoch"]),
    allow_short=st.booleans(),
    epoch_length=st.sampled_from([None, "3 records", "2 steps"]),
)
def test_every_run_ends(  # Hypothesis fills the arguments
    kind, sizes, lies, until, accumulate, lookahead, resolve, allow_short, epoch_length
):
    """Whatever the loader does, a run reaches a named end, with every gradient stepped."""
    schedule = Schedule(
        until, resolve=resolve, allow_short=allow_short, epoch_length=epoch_length, log="1 batch"
    )
    announced, bodies, error = 0, 0, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loop = schedule.batches(
                loader_of(kind, sizes, lies),
                accumulate=accumulate,
                lookahead=lookahead,
                tokens=lambda batch: len(batch) - 1,
            )
            for _ in loop:
                bodies += 1
                announced += schedule.step_now
                if bodies > CAP:
                    break
        except UnitsError as raised:
            error = raised
    announced += schedule.step_now

    assert bodies <= CAP
    assert error is None or isinstance(error, NAMED)
    assert error is not None or schedule.finished
    assert (schedule.progress.batches, schedule.progress.steps) == (bodies, announced)
    assert not schedule.finished or schedule.state_dict()["window"] == 0


@settings(max_examples=300, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=40),
    every=st.integers(1, 20),
    offset=st.integers(0, 20),
)
def test_fires_are_crossings(sizes, every, offset):
    """A trigger is due exactly at the calls that cross a point of its grid."""
    from treadle_units import Every, Records

    schedule = Schedule(Records(10**6), do=Every(Records(every), offset=offset))
    due, expected, total = [], [], 0
    points = range(offset, 400, every)
    for size in sizes:
        due.append(bool(schedule.advance(size)))
        expected.append(any(total < point <= total + size for point in points))
        total += size

    assert expected == due
