import pytest

from treadle_units import Every, InvalidArgument, Schedule, TakenOver


def test_one_shot_is_not_drawn_past_the_limit(loader_of):
    """What a one-shot iterator has beyond the limit stays in it, and it stays open."""
    source = (batch for batch in loader_of(40, 4))
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
    """A finished schedule yields nothing and draws nothing, and minds no empty loader."""
    schedule = Schedule("1 batch")
    schedule.advance(1)
    source = iter([[0]])

    assert ([], [], [[0]]) == (
        list(schedule.batches([])),
        list(schedule.batches(source)),
        list(source),
    )


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


@pytest.mark.parametrize("accumulate", [1, 2])
def test_interrupted_while_drawing_ahead(accumulate):
    """A batch that is never handed out, since the wait for the next one was cut, is not counted."""

    def interrupted():
        yield [0]
        yield [1, 2]
        raise KeyboardInterrupt

    schedule = Schedule("9 batches", log="1 batch")
    used = []

    with pytest.raises(KeyboardInterrupt):
        used.extend(
            schedule.batches(interrupted(), accumulate=accumulate, tokens=lambda batch: batch[0])
        )

    progress = schedule.progress
    assert (2 - accumulate, 1, 1, {"tokens": 0}) == (
        progress.steps,
        progress.batches,
        progress.records,
        progress.counters,
    )


def test_lookahead_that_is_neither():
    """Only `False` draws nothing ahead, so that what merely looks like it is refused."""
    with pytest.raises(InvalidArgument) as raised:
        Schedule("1 epoch").batches([[0]], lookahead=0)

    assert "lookahead is 0; give True or False" == str(raised.value)


@pytest.mark.parametrize(("until", "bodies"), [("1 epoch", 3), ("2 epochs", 6)])
@pytest.mark.filterwarnings("ignore::treadle_units.UnprovenEnd")
def test_whole_epochs_need_no_length(until, bodies, unsized, loader_of):
    """A loader without a length is passed over as often as the limit says."""
    schedule = Schedule(until)
    used = list(schedule.batches(unsized(loader_of(10, 4))))

    assert (bodies, until) == (len(used), str(schedule.outcome.limit))


@pytest.mark.parametrize("sized", [True, False])
def test_limit_at_the_end_of_a_pass(sized, loader_of, unsized):
    """A limit at the last batch of a pass ends its epoch, with a length and without."""
    loader = loader_of(40, 4) if sized else unsized(loader_of(40, 4))
    schedule = Schedule("10 batches")
    used = list(schedule.batches(loader))

    assert (10, 1) == (len(used), schedule.progress.epochs)


@pytest.mark.parametrize(
    ("lookahead", "sized", "ahead"),
    [(None, True, 0), (None, False, 1), (True, True, 1), (False, True, 0), (False, False, 0)],
)
def test_drawn_ahead(lookahead, sized, ahead, loader_of, unsized, announced):
    """A batch is drawn ahead where there is no length, or where it is asked for, and else never."""
    batches = loader_of(40, 4)
    loader = announced(batches, 10) if sized else unsized(batches)
    schedule = Schedule("5 batches")
    drawn = [loader.drawn for _ in schedule.batches(loader, lookahead=lookahead)]

    assert [body + ahead for body in range(1, 6)] == drawn


def test_loader_that_starts_over(loader_of):
    """After a break a loader that starts over makes that pass longer: it is counted as it is."""
    schedule = Schedule("2 epochs")
    for _ in schedule.batches(loader_of(20, 4)):
        if schedule.progress.batches == 3:
            break
    rest = [schedule.progress.epochs for _ in schedule.batches(loader_of(20, 4))]

    assert ([0, 0, 0, 0, 1, 1, 1, 1, 1, 2], 13) == (rest, schedule.progress.batches)


def test_body_that_raises(loader_of):
    """A body that raises has used its batch, and a state saved then says so."""
    schedule = Schedule("9 batches")

    def train():
        for _ in schedule.batches(loader_of(40, 4)):
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        train()

    assert 1 == schedule.state_dict()["progress"]["batches"]
