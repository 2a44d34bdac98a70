import pytest

from treadle_units import (
    At,
    Batches,
    EmptyBatch,
    Epochs,
    Every,
    InvalidArgument,
    InvalidCount,
    Schedule,
)


def test_records_are_not_floored(loader_of, fires_of):
    """Every 10 records at batches of 4 is due after batches 3, 5, 8 and 10."""
    fires = fires_of(Schedule("40 records", log="10 records"), loader_of(40, 4))

    assert [("log", 3), ("log", 5), ("log", 8), ("log", 10)] == fires


@pytest.mark.parametrize(
    ("until", "batches", "records"),
    [("10 records", 3, 10), ("9 records", 3, 10), ("1 record", 1, 4), ("5 batches", 5, 18)],
)
def test_limits_are_reached(until, batches, records, loader_of):
    """A limit is reached, and passed by less than one batch."""
    schedule = Schedule(until)
    bodies = sum(1 for _ in schedule.batches(loader_of(10, 4)))

    assert (batches, batches, records, "limit") == (
        bodies,
        schedule.progress.batches,
        schedule.progress.records,
        schedule.outcome.reason,
    )


def test_limit_between_passes(unsized, loader_of):
    """A loader without a length gives whole epochs all the same."""
    schedule = Schedule("2 epochs | 1k steps")
    bodies = sum(1 for _ in schedule.batches(unsized(loader_of(10, 4))))

    assert (6, Epochs(2)) == (bodies, schedule.outcome.limit)


@pytest.mark.parametrize(
    ("trigger", "due_at"),
    [
        (Every("5 batches", at_end=True), [5, 10, 15, 20, 24]),
        (Every("20 batches", at_end=True), [20, 24]),
        (Every("1 epoch", at_end=True), [12, 24]),
        (Every("5 batches", offset=2), [2, 7, 12, 17, 22]),
        (Every("1k batches", offset=1), [1]),
        ("0.5 epochs", [6, 12, 18, 24]),
        (At(["2 batches", "2 batches", "99 batches"]), [2]),
        (At(["1/2 epochs", "3/2 epochs"]), [6, 18]),
        (Epochs(2), [24]),
        (None, []),
    ],
)
def test_grids_are_absolute(trigger, due_at, loader_of, fires_of):
    """A grid neither drifts nor starts anew at an epoch, and no batch is due twice."""
    fires = fires_of(Schedule("2 epochs", do=trigger), loader_of(48, 4))

    assert [("do", batch) for batch in due_at] == fires


def test_steps_not_batches(loader_of, fires_of):
    """Every 4 steps counts updates where an epoch is no multiple of the window."""
    fires = fires_of(Schedule("4 epochs", do="4 steps"), loader_of(28, 4), accumulate=2)

    assert [("do", 7), ("do", 14), ("do", 21), ("do", 28)] == fires


def test_declaration_order():
    """Names due together come in the order of their declaration, each once."""
    schedule = Schedule(
        "2 steps", save="1 step", log="1 record", validate=Every("9 steps", at_end=True)
    )
    first = schedule.advance(4, 1, 1)
    second = schedule.advance(4, 1, 1)

    assert (("save", "log"), ("save", "log", "validate")) == (first, second)


def test_multiples_collapse():
    """Points that one call jumps over together are due once, and the grid stays."""
    schedule = Schedule("100 records", log="3 records")
    due = [schedule.advance(records) for records in (2, 8, 1, 1)]

    assert [(), ("log",), (), ("log",)] == due


def test_whole_updates():
    """A call with a whole update counts all of it before it looks at the limit."""
    schedule = Schedule("100 records", log="50 records")
    due = []
    while not schedule.finished:
        due.append(schedule.advance(16, 4, 1))

    assert (7, 112, 28, [4, 7]) == (
        len(due),
        schedule.progress.records,
        schedule.progress.batches,
        [update for update, names in enumerate(due, 1) if names],
    )


def test_quiet_advance_clears():
    """An advance at which nothing is due leaves nothing due."""
    schedule = Schedule("9 batches", log="2 batches")
    seen = [(schedule.advance(1), schedule.due()) for _ in range(3)]

    assert [((), ()), (("log",), ("log",)), ((), ())] == seen


@pytest.mark.parametrize(
    ("until", "every", "due_at"),
    [("7 batches", "5 batches", [5, 7]), ("6 batches", "3 batches", [3, 6])],
)
def test_due_at_the_end(until, every, due_at, loader_of, fires_of):
    """What is to be due at the end is due there, and once where it is due anyway."""
    fires = fires_of(Schedule(until, do=Every(every, at_end=True)), loader_of(40, 4))

    assert [("do", batch) for batch in due_at] == fires


def test_points_beyond_the_end(loader_of, fires_of):
    """Of some points each is due once, and those never reached are in the outcome."""
    schedule = Schedule("5 batches", do=At([Batches(2), Batches(2), Batches(99)]))
    fires = fires_of(schedule, loader_of(40, 4))

    assert ([("do", 2)], (("do", Batches(99)),)) == (fires, schedule.outcome.unreached)


def test_end_is_due_once():
    """What is due at the end is not due there again when it is due anyway."""
    schedule = Schedule("3 batches", save=Every("3 batches", at_end=True))
    due = [schedule.advance(4) for _ in range(3)]

    assert ([(), (), ("save",)], ()) == (due, schedule.end_epoch())


def test_after_the_end():
    """After the end counting goes on, what recurs stays due, and nothing ends again."""
    schedule = Schedule("2 batches", log="1 batch", save=Every("5 batches", at_end=True))
    due = [schedule.advance(4) for _ in range(5)]

    assert (
        [("log",), ("log", "save"), ("log",), ("log",), ("log", "save")],
        2,
        5,
    ) == (due, schedule.outcome.counts.batches, schedule.progress.batches)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (
            (0,),
            EmptyBatch,
            "a batch has 0 records, so nothing would be counted; drop empty batches in the loader",
        ),
        (
            (4.0,),
            InvalidCount,
            "advance was given records=4.0 of type float; give a plain int, 0 or more",
        ),
        (
            (True,),
            InvalidCount,
            "advance was given records=True of type bool; give a plain int, 0 or more",
        ),
        (
            (None,),
            InvalidCount,
            "advance was given records=None of type NoneType; give a plain int, 0 or more",
        ),
        (
            (4, "1"),
            InvalidCount,
            "advance was given batches='1' of type str; give a plain int, 0 or more",
        ),
        (
            (4, -1),
            InvalidCount,
            "advance was given batches=-1 of type int; give a plain int, 0 or more",
        ),
        (
            (3, 4),
            InvalidCount,
            "advance was given 3 records in 4 batches; a batch has at least one record",
        ),
        (
            (3, 0),
            InvalidCount,
            "advance was given 3 records in 0 batches; count the batches that they came in",
        ),
    ],
)
def test_no_counts(arguments, kind, message):
    """What is no count is refused before anything is counted."""
    schedule = Schedule("9 batches")

    with pytest.raises(kind) as raised:
        schedule.advance(*arguments)

    assert (message, 0) == (str(raised.value), schedule.progress.batches)


@pytest.mark.parametrize("arguments", [(0,), (3, 4), (4, -1), (4, 0)])
def test_no_counts_between_events(arguments):
    """Batches without their records are refused where nothing is due, too."""
    schedule = Schedule("9 batches")
    schedule.advance(4)

    with pytest.raises((EmptyBatch, InvalidCount)):
        schedule.advance(*arguments)

    assert (4, 1) == (schedule.progress.records, schedule.progress.batches)


def test_counter_between_events():
    """A further counter that is no count is refused where nothing is due, too."""
    schedule = Schedule("9 tokens")
    schedule.advance(4, tokens=1)

    with pytest.raises(InvalidCount) as raised:
        schedule.advance(4, tokens=1.5)

    assert ("advance was given tokens=1.5 of type float; give a plain int, 0 or more") == str(
        raised.value
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("token", "'token' is no unit; use 'tokens'"),
        ("seconds", "'seconds' is a time; use Seconds(1)"),
    ],
)
@pytest.mark.parametrize("calls", [0, 1])
def test_counter_that_no_limit_names(name, why, calls):
    """A counter with another spelling of a unit would never be looked at, and is refused."""
    schedule = Schedule("9 tokens")
    for _ in range(calls):
        schedule.advance(4, tokens=1)

    with pytest.raises(InvalidCount) as raised:
        schedule.advance(4, **{name: 1})

    assert (f"{name}= is a counter that no limit can name: {why}", calls) == (
        str(raised.value),
        schedule.progress.batches,
    )


def test_end_found_after_the_batch():
    """What was due at the last batch already is not due again at an end found after it."""
    schedule = Schedule(
        "1 epoch", save=Every("1 batch", at_end=True), show=Every("9 batches", at_end=True)
    )
    due = [schedule.advance(4), schedule.end_epoch()]

    assert [("save",), ("show",)] == due


def test_float_between_events():
    """A float that slips in between two events is found at the next."""
    schedule = Schedule("3 batches")
    schedule.advance(4)
    schedule.advance(4.0)

    with pytest.raises(InvalidCount) as raised:
        schedule.advance(4)

    assert "records add up to 8.0 of type float; give advance plain ints" == str(raised.value)


def test_float_is_not_saved():
    """A float that slipped in is found before it is saved."""
    schedule = Schedule("9 batches")
    schedule.advance(4)
    schedule.advance(4.0)

    with pytest.raises(InvalidCount) as raised:
        schedule.state_dict()

    assert "records add up to 8.0 of type float; give advance plain ints" == str(raised.value)


def test_flush_after_a_pass():
    """A step without a batch is counted, for a loop that flushes after its pass."""
    schedule = Schedule("1 step", save="1 step")
    due = [schedule.advance(4), schedule.advance(0, 0, 1)]

    assert ([(), ("save",)], 1) == (due, schedule.progress.batches)


@pytest.mark.parametrize("counter", ["tokens", "frames"])
def test_counters(counter):
    """Any further counter can limit a run and be a trigger."""
    written = f"count:{counter}" if counter == "frames" else counter
    schedule = Schedule(f"100 {written}", log=f"30 {written}")
    due = []
    while not schedule.finished:
        due.append(schedule.advance(4, **{counter: 13}))

    assert ([3, 5, 7], 8, {counter: 104}) == (
        [call for call, names in enumerate(due, 1) if names],
        len(due),
        schedule.progress.counters,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"epoch_length": "2 epochs"},
            "epoch_length is 2 epochs; give a length in records, batches, steps or a counter",
        ),
        ({"batches_per_epoch": 0}, "batches_per_epoch is 0; give an int, 1 or more"),
        ({"resolve": "later"}, "resolve is 'later'; give 'first_epoch' or nothing"),
        ({"allow_short": "no"}, "allow_short is 'no'; give True or False"),
        ({"clock": 1.5}, "clock is 1.5; give a function that returns seconds"),
    ],
)
def test_arguments(arguments, message):
    """An argument that cannot be is refused at once."""
    with pytest.raises(InvalidArgument) as raised:
        Schedule("1 epoch", **arguments)

    assert message == str(raised.value)


def test_trigger_named_epoch():
    """A trigger may be named like a unit."""
    schedule = Schedule("10 steps", epoch="5 steps")
    due = [schedule.advance(4, 1, 1) for _ in range(5)]

    assert [(), (), (), (), ("epoch",)] == due


def test_stop_after_a_quiet_call():
    """A stop at a batch at which nothing is due brings back nothing of an earlier one."""
    schedule = Schedule("20 batches", log="2 batches", save=Every("20 batches", at_end=True))
    for _ in range(3):
        schedule.advance(4)
    schedule.stop("patience")

    assert ("save",) == schedule.due()


def test_stop():
    """`stop` ends the run, keeps what is due, and adds what is due at the end."""
    schedule = Schedule("10 steps", save=Every("7 steps", at_end=True), log="1 step")
    schedule.advance(4, 1, 1)
    schedule.stop("patience")
    schedule.stop("again")

    assert (True, "patience", ("save", "log")) == (
        schedule.finished,
        schedule.outcome.reason,
        schedule.due(),
    )


@pytest.mark.parametrize("reason", ["", None, 0])
def test_stop_without_a_reason(reason):
    """A stop says why, or else its outcome would read as that of another end."""
    schedule = Schedule("10 steps")

    with pytest.raises(InvalidArgument) as raised:
        schedule.stop(reason)

    assert (f"reason is {reason!r}; give a word or two, such as 'patience'", False) == (
        str(raised.value),
        schedule.finished,
    )


def test_clock_that_fails():
    """An error of the clock is passed on as it is, and is not taken for one of the counts."""
    readings = iter([0.0, 0.0])
    schedule = Schedule("9 s", clock=lambda: next(readings, None))
    schedule.advance(4)

    with pytest.raises(TypeError, match="NoneType"):
        schedule.advance(4)


def test_progress_reads_as_its_counts(clock):
    """Printed, progress is what was counted."""
    schedule = Schedule("9 steps", clock=clock)
    schedule.advance(4, 1, 1)

    assert "4 records, 1 batch, 1 step, 0 epochs" == str(schedule.progress)


def test_outcome(clock):
    """An outcome says why the run ended, how far it came, and what it never came to."""
    schedule = Schedule("2 batches", clock=clock, do=At(["1 batch", "99 batches"]))
    clock.now += 0.5
    schedule.advance(4, 1, 1)
    schedule.advance(4, 1, 1)

    assert (
        "reached 2 batches after 8 records, 2 batches, 2 steps, 0 epochs and 0.50 s",
        [("do", "99 batches")],
    ) == (
        str(schedule.outcome),
        [(name, str(length)) for name, length in schedule.outcome.unreached],
    )


def test_an_end_that_is_not_the_limit_says_what_it_was(clock):
    """The data, or the reason that `stop` was given."""
    short = Schedule("9 batches", allow_short=True, clock=clock)
    for _ in short.batches(iter([[0, 1]])):
        pass
    stopped = Schedule("9 batches", clock=clock)
    stopped.advance(2)
    stopped.stop("patience")

    assert (
        "the data ended after 2 records, 1 batch, 1 step, 1 epoch",
        "stopped (patience) after 2 records, 1 batch, 0 steps, 0 epochs",
    ) == (str(short.outcome), str(stopped.outcome))
