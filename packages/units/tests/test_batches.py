import warnings

import pytest

from treadle_units import (
    DataExhausted,
    EmptyEpoch,
    Every,
    Schedule,
    TakenOver,
    UnprovenEnd,
    WrongLength,
)


@pytest.mark.parametrize(
    ("until", "records", "accumulate", "steps"),
    [
        ("3 epochs", 12, 4, [3, 6, 9]),
        ("2 epochs", 12, 2, [2, 3, 5, 6]),
        ("5 steps", 40, 4, [4, 8, 10, 14, 18]),
        ("6 batches", 40, 4, [4, 6]),
        ("21 records", 40, 4, [4, 6]),
        ("7 batches", 12, 1, [1, 2, 3, 4, 5, 6, 7]),
    ],
)
@pytest.mark.parametrize("lookahead", [None, True])
@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.filterwarnings("ignore::treadle_units.UnprovenEnd")
def test_windows_are_flushed(  # pytest fills the arguments
    until, records, accumulate, steps, lookahead, sized, loader_of, unsized, steps_of
):
    """The last batch of a pass and of the run closes its window, however that is known."""
    schedule = Schedule(until)
    loader = loader_of(records, 4) if sized else unsized(loader_of(records, 4))
    found = steps_of(schedule, loader, accumulate=accumulate, lookahead=lookahead)

    assert (steps, len(steps), False) == (found, schedule.progress.steps, schedule.step_now)


def test_no_lookahead(unsized, loader_of):
    """Without looking ahead a window runs on, and the last one is closed after the loop."""
    schedule = Schedule("3 epochs | 99 steps", validate="1 epoch")
    seen = [
        (schedule.progress.batches, schedule.step_now, schedule.due())
        for _ in schedule.batches(unsized(loader_of(12, 4)), accumulate=4, lookahead=False)
        if schedule.step_now or schedule.due()
    ]

    assert (
        [(4, True, ("validate",)), (7, False, ("validate",)), (8, True, ())],
        (True, ("validate",), 3),
    ) == (seen, (schedule.step_now, schedule.due(), schedule.progress.steps))


def test_steps_over_short_passes(unsized, loader_of, steps_of):
    """Passes shorter than a window still bring a limit in steps nearer."""
    schedule = Schedule("2 steps")
    steps = steps_of(schedule, unsized(loader_of(12, 4)), accumulate=7, lookahead=False)

    assert [7, 14] == steps


def test_end_by_time_closes_its_window(clock, steps_of):
    """A run that time ends steps at that batch, and counts that step."""

    class Ticking(list):
        def __iter__(self):
            for batch in super().__iter__():
                clock.now += 1
                yield batch

    schedule = Schedule("6 s", clock=clock, save=Every("1k steps", at_end=True))
    steps = steps_of(schedule, Ticking([[0]] * 20), accumulate=4)

    assert ([4, 6], 2, 6) == (steps, schedule.outcome.counts.steps, schedule.progress.batches)


def test_counters_of_a_batch(steps_of):
    """Counters are counted from the batch, and what they end closes its window."""
    schedule = Schedule("10 tokens")
    steps = steps_of(schedule, [[0, 0]] * 20, accumulate=4, tokens=lambda batch: 2 * len(batch))

    assert ([3], {"tokens": 12}) == (steps, schedule.progress.counters)


def test_one_shot_is_not_drawn_past_the_limit(loader_of):
    """What a one-shot iterator has beyond the limit stays in it."""
    source = iter(loader_of(40, 4))
    taken = sum(1 for _ in Schedule("7 batches").batches(source))

    assert (7, 3) == (taken, sum(1 for _ in source))


def test_batch_drawn_ahead_is_kept(loader_of):
    """A batch drawn ahead of a break comes first when the same iterator is given again."""
    source = iter(loader_of(40, 4))
    schedule = Schedule("1 epoch")
    first = next(batch for batch in schedule.batches(source))
    second = next(batch for batch in schedule.batches(source))

    assert ([0, 1, 2, 3], [4, 5, 6, 7]) == (first, second)


def test_break_leaves_what_is_due(loader_of):
    """A break leaves what is due, and the end of the body clears it."""
    schedule = Schedule("9 batches", log="2 batches")
    left = []
    for _ in schedule.batches(loader_of(40, 4)):
        if schedule.due():
            left.append(schedule.due())
            break
    for _ in schedule.batches(iter([[0]])):
        break

    assert ([("log",)], ()) == (left, schedule.due())


def test_finished_before_the_body_ends(loader_of):
    """The last body sees that it is the last, and nothing is due after the loop again."""
    schedule = Schedule("2 batches", save=Every("2 batches", at_end=True))
    seen = [(schedule.finished, schedule.due()) for _ in schedule.batches(loader_of(40, 4))]

    assert ([(False, ()), (True, ("save",))], ()) == (seen, schedule.due())


def test_loader_is_closed():
    """The iterator made for a pass is closed at the limit and at a break, not when it is dropped."""
    closed = []

    class Drawing:
        def __iter__(self):
            return self

        def __next__(self):
            return [0]

        def close(self):
            closed.append(self)

    class Loader:
        def __iter__(self):
            return Drawing()

    for _ in Schedule("2 batches").batches(Loader()):
        pass
    for _ in Schedule("2 batches").batches(Loader()):
        break

    assert 2 == len(closed)


def test_stop_waits_for_the_window(loader_of):
    """A stop in the middle of a window takes effect where the window closes."""
    schedule = Schedule("9 epochs", save=Every("9 epochs", at_end=True))
    steps = []
    for _ in schedule.batches(loader_of(100, 4), accumulate=4):
        if schedule.progress.batches == 6:
            schedule.stop("patience")
        if schedule.step_now:
            steps.append((schedule.progress.batches, schedule.due()))

    assert ([(4, ()), (8, ("save",))], "patience", 2) == (
        steps,
        schedule.outcome.reason,
        schedule.progress.steps,
    )


def test_stop_and_break(loader_of):
    """A stop that waits for its window takes effect at a break."""
    schedule = Schedule("9 epochs", save=Every("9 epochs", at_end=True))
    for _ in schedule.batches(loader_of(100, 4), accumulate=4):
        schedule.stop("signal")
        break

    assert ("signal", ("save",)) == (schedule.outcome.reason, schedule.due())


def test_stop_between_windows(loader_of):
    """A stop at a batch that steps ends the run after that body."""
    schedule = Schedule("9 epochs")
    for _ in schedule.batches(loader_of(100, 4)):
        schedule.stop("enough")

    assert 1 == schedule.progress.batches


def test_newer_loop_takes_over(loader_of):
    """The older of two loops on one schedule is an error when it is resumed."""
    schedule = Schedule("9 batches")
    older = schedule.batches(loader_of(40, 4))
    next(older)
    next(schedule.batches(loader_of(40, 4)))

    with pytest.raises(TakenOver) as raised:
        next(older)

    assert (
        "a newer batches() of this schedule has begun; "
        "use one loop at a time, or a schedule for each"
    ) == str(raised.value)


def test_finished_schedule_draws_nothing():
    """A finished schedule yields nothing, from an empty loader too."""
    schedule = Schedule("1 batch")
    schedule.advance(1)

    assert [] == list(schedule.batches([]))


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


def test_failure_while_drawing_ahead():
    """A loader that fails while one batch is drawn ahead fails after the batch before was used."""

    def failing():
        yield [0]
        yield [1]
        raise OSError("disk")

    used = []

    with pytest.raises(OSError, match="disk"):
        used.extend(Schedule("1 epoch").batches(failing()))

    assert [[0], [1]] == used


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
    """An iterable that is empty the second time has exhausted its data."""
    with pytest.raises(DataExhausted):
        list(Schedule("20 batches").batches(unsized(loader_of(12, 4), [])))


@pytest.mark.parametrize("allow_short", [True, False])
def test_empty_iterable(allow_short, unsized, clock):
    """A loader that yields nothing is an error after the first pass."""
    schedule = Schedule("20 steps", allow_short=allow_short, clock=clock)

    with pytest.raises(EmptyEpoch) as raised:
        list(schedule.batches(unsized([])))

    assert (
        "a pass over the data had no batches, after 0 records, 0 batches, 0 steps, 0 epochs of "
        "20 steps; give a loader that can be passed over again"
    ) == str(raised.value)


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


def test_length_is_read_anew(fires_of):
    """Each pass has the length that the loader says then."""

    class Growing:
        length = 2

        def __len__(self):
            return self.length

        def __iter__(self):
            self.length += 2
            return iter([[0]] * (self.length - 2))

    fires = fires_of(Schedule("2 epochs", do="1/2 epochs"), Growing())

    assert [("do", 1), ("do", 2), ("do", 4), ("do", 6)] == fires
