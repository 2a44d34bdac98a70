import warnings

import pytest

from treadle_units import (
    DataExhausted,
    EmptyBatch,
    EmptyEpoch,
    Every,
    Schedule,
    UnprovenEnd,
    WrongLength,
)


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (4, "the loader announced 4 batches and ended after 3"),
        (2, "the loader announced 2 batches and yielded one more"),
    ],
)
def test_wrong_length(length, message, announced, loader_of):
    """A loader that yields another number than its length says is named."""
    with pytest.raises(WrongLength) as raised:
        list(Schedule("9 steps").batches(announced(loader_of(12, 4), length)))

    assert (
        f"{message}; mend its __len__, or give lookahead=True to find the last batch by reading "
        "one ahead"
    ) == str(raised.value)


def test_wrong_length_is_not_relied_on(announced, loader_of):
    """With `lookahead=True` the length is not used."""
    schedule = Schedule("2 epochs | 99 steps")
    bodies = len(list(schedule.batches(announced(loader_of(12, 4), 7), lookahead=True)))

    assert (6, 2) == (bodies, schedule.progress.epochs)


def test_exhausted_iterator(loader_of):
    """A one-shot iterator that ends before the limit is an error with both numbers."""
    schedule = Schedule("20 batches", save=Every("50 batches", at_end=True))
    drawn = []

    with pytest.raises(DataExhausted) as raised:
        drawn.extend(schedule.batches(iter(loader_of(10, 1))))

    assert (10, 10, "20 batches", "exhausted", ("save",)) == (
        len(drawn),
        raised.value.reached.batches,
        str(raised.value.wanted),
        schedule.outcome.reason,
        schedule.due(),
    )


def test_exhausted_message(clock):
    """The message says how far the data came, and what to do."""
    schedule = Schedule("20 batches", clock=clock)

    with pytest.raises(DataExhausted) as raised:
        list(schedule.batches(iter([[0]])))

    assert (
        "the data ended after 1 record, 1 batch, 1 step, 1 epoch, before the limit of 20 batches; "
        "give a loader that can be passed over again, or accept the shorter run with "
        "allow_short=True"
    ) == str(raised.value)


def test_short_data_allowed(loader_of, fires_of):
    """With `allow_short` the last batch of the data is the end, and what is due then is due."""
    schedule = Schedule("5 epochs", allow_short=True, save=Every("1k steps", at_end=True))
    fires = fires_of(schedule, iter(loader_of(12, 4)))

    assert ([("save", 3)], "exhausted", ()) == (fires, schedule.outcome.reason, schedule.due())


def test_hidden_one_shot(unsized, loader_of):
    """An iterable that is empty the second time has exhausted its data, and is not asked again."""
    loader = unsized(loader_of(12, 4), [])
    schedule = Schedule("20 batches")

    with pytest.raises(DataExhausted):
        list(schedule.batches(loader))

    assert (2, 3, "exhausted") == (
        loader.begun,
        schedule.progress.batches,
        schedule.outcome.reason,
    )


def test_hidden_one_shot_allowed(unsized, loader_of):
    """Allowed to be short, data found to be so after the last body are due their end there."""
    schedule = Schedule("20 batches", allow_short=True, save=Every("99 batches", at_end=True))
    bodies = list(schedule.batches(unsized(loader_of(12, 4), [])))

    assert (3, "exhausted", ("save",)) == (len(bodies), schedule.outcome.reason, schedule.due())


@pytest.mark.parametrize("length", [2, 3])
def test_one_shot_with_a_length(length, loader_of):
    """An iterator may have a length, and what it yields beyond is named before it is counted."""

    class Counted:
        def __init__(self):
            self.source = iter(loader_of(12, 4))

        def __len__(self):
            return length

        def __iter__(self):
            return self

        def __next__(self):
            return next(self.source)

    schedule = Schedule("20 batches")
    bodies = []

    with pytest.raises(DataExhausted if length == 3 else WrongLength):
        bodies.extend(schedule.batches(Counted()))

    assert (length, length) == (len(bodies), schedule.progress.batches)


@pytest.mark.parametrize("allow_short", [True, False])
def test_empty_iterable(allow_short, unsized, clock):
    """A loader that yields nothing is an error after the first pass."""
    schedule = Schedule("20 steps", allow_short=allow_short, clock=clock)
    loader = unsized([])

    with pytest.raises(EmptyEpoch) as raised:
        list(schedule.batches(loader))

    assert (
        (
            "a pass over the data had no batches, after 0 records, 0 batches, 0 steps, 0 epochs of "
            "20 steps; give a loader that can be passed over again"
        ),
        1,
    ) == (str(raised.value), loader.begun)


def test_empty_sized_loader():
    """A sized loader of length 0 is an error at start that says why it is empty."""

    class Loader(list):
        dataset = range(3)
        batch_size = 4
        drop_last = True

    with pytest.raises(EmptyEpoch) as raised:
        list(Schedule("20 steps").batches(Loader()))

    assert (
        "the loader has 0 batches: its dataset has 3 records, with batch_size=4 and "
        "drop_last=True; give it more data, a smaller batch_size, or drop_last=False"
    ) == str(raised.value)


def test_no_progress_in_the_unit(unsized, loader_of):
    """A pass that adds nothing in the limit's unit is an error, not another pass."""
    with pytest.raises(EmptyEpoch) as raised:
        list(Schedule("5 tokens").batches(unsized(loader_of(12, 4))))

    assert (
        "a pass over the data had 12 records in 3 batches but added no tokens, "
        "so 5 tokens would never be reached; limit the run in batches"
    ) == str(raised.value)


def test_unproven_end(unsized, loader_of):
    """Whole epochs alone on a loader without a length warn that nothing proves their end."""
    with pytest.warns(UnprovenEnd) as warned:
        list(Schedule("1 epoch").batches(unsized(loader_of(12, 4))))

    assert [
        (
            "the run is limited to 1 epoch on a loader without a length, and nothing proves that "
            "its epochs end; add '| <limit>' or give batches_per_epoch="
        )
    ] == [str(warning.message) for warning in warned]


@pytest.mark.parametrize(
    ("until", "arguments"),
    [("1 epoch | 9 steps", {}), ("1 epoch", {"batches_per_epoch": 3})],
)
def test_proven_end(until, arguments, unsized, loader_of):
    """A second limit or the length of an epoch silences the warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(Schedule(until, **arguments).batches(unsized(loader_of(12, 4))))

    assert [] == caught


@pytest.mark.parametrize("until", ["5 tokens | 4 batches", "5 tokens | 1 h", "5 tokens | 2 epochs"])
def test_one_alternative_that_comes_nearer(until, clock, loader_of):
    """One alternative that a pass brings nearer is enough to go on to the next pass."""
    schedule = Schedule(until, clock=clock)
    bodies = 0
    for _ in schedule.batches(loader_of(12, 4)):
        bodies += 1
        clock.now += 900

    assert (True, bodies > 3) == (schedule.finished, True)


def test_time_does_not_excuse_an_empty_pass(unsized, loader_of):
    """A limit in time comes nearer by itself, but not by passes without a batch."""
    with pytest.raises(EmptyEpoch):
        list(Schedule("1 h", clock=lambda: 0.0).batches(unsized([])))


def test_batch_without_records(loader_of):
    """A batch without records is an error in its place, and is not counted."""
    schedule = Schedule("9 batches")
    used = []

    with pytest.raises(EmptyBatch):
        used.extend(schedule.batches([[0], [1], [], [2]]))

    assert ([[0], [1]], 2, 2) == (used, schedule.progress.batches, schedule.progress.records)
