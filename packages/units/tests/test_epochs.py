from fractions import Fraction

import pytest

from treadle_units import EmptyEpoch, Epochs, Every, Records, Schedule, UnknownEpochLength


@pytest.mark.parametrize(
    ("trigger", "due_at"),
    [("0.29 epochs", [29, 58, 87]), (Every("0.29 epochs", at_end=True), [29, 58, 87, 100])],
)
def test_fractions_do_not_drift(trigger, due_at, loader_of, fires_of):
    """29 hundredths of 100 batches are 29, 58 and 87, not what a float makes of them."""
    fires = fires_of(Schedule("1 epoch", do=trigger), loader_of(100, 1))

    assert [("do", batch) for batch in due_at] == fires


def test_fractional_limit(loader_of):
    """Half an epoch of three batches is reached after two of them, two thirds of it."""
    schedule = Schedule(Epochs(Fraction(3, 2)))
    bodies = sum(1 for _ in schedule.batches(loader_of(12, 4)))

    assert (5, 1, 2, Epochs(Fraction(3, 2))) == (
        bodies,
        schedule.progress.epochs,
        schedule.progress.epoch.batches,
        schedule.outcome.limit,
    )


def test_pass_end_with_the_last_update():
    """`epochs=1` ends the epoch at that update, and `end_epoch` after it does nothing."""
    schedule = Schedule("2 epochs", validate="1 epoch")
    due = []
    for _ in range(2):
        due.append(schedule.advance(8, 2, 1))
        due.append(schedule.advance(4, 1, 1, 1))
        due.append(schedule.end_epoch())

    assert ([(), ("validate",), ()] * 2, 2, True) == (
        due,
        schedule.progress.epochs,
        schedule.finished,
    )


def test_end_epoch_alone():
    """Where nothing said so before, `end_epoch` ends the epoch and returns what that makes due."""
    schedule = Schedule("2 epochs", log="1 batch", validate=Every("1 epoch", at_end=True))
    due = [(schedule.advance(4), schedule.end_epoch()) for _ in range(2)]

    assert [(("log",), ("validate",))] * 2 == due


def test_second_end_without_a_batch():
    """A pass without a batch is an error for whoever drives the passes."""
    schedule = Schedule("9 epochs")
    schedule.advance(4, 1, 1, 1)
    schedule.end_epoch()

    with pytest.raises(EmptyEpoch):
        schedule.end_epoch()

    assert 1 == schedule.progress.epochs


def test_several_passes_in_one_call():
    """Passes that one call reports together are all counted."""
    schedule = Schedule("5 epochs", validate="2 epochs")
    due = [schedule.advance(10, 5, 5, 2), schedule.advance(10, 5, 5, 3)]

    assert ([("validate",), ("validate",)], True) == (due, schedule.finished)


def test_unknown_epoch_length():
    """A part of an epoch of unknown length is an error before anything is counted."""
    schedule = Schedule("9 steps", validate=Every("1/2 epochs", at_end=True))

    with pytest.raises(UnknownEpochLength) as raised:
        schedule.advance(4)

    assert (
        (
            "validate='1/2 epochs, at end' needs the length of an epoch, which is not known; give "
            "batches_per_epoch=, use a loader with a length, or give resolve='first_epoch' to learn it "
            "from the first pass"
        ),
        0,
    ) == (str(raised.value), schedule.progress.batches)


def test_known_epoch_length():
    """`batches_per_epoch` places parts of epochs, counting up."""
    schedule = Schedule("2 epochs", do="0.5 epochs", batches_per_epoch=5)
    due = [schedule.advance(4, 1, 1, int(batch % 5 == 0)) for batch in range(1, 11)]

    assert [3, 5, 8, 10] == [batch for batch, names in enumerate(due, 1) if names]


def test_short_and_long_passes():
    """A short pass reaches its remaining parts at its end, a long one none of the next epoch's."""
    schedule = Schedule("2 epochs", do="1/4 epochs", batches_per_epoch=4)
    ends = {2: 1, 8: 1}
    due = [schedule.advance(4, 1, 1, ends.get(batch, 0)) for batch in range(1, 9)]

    assert [1, 2, 3, 4, 5, 8] == [batch for batch, names in enumerate(due, 1) if names]


def test_learned_epoch_length(unsized, loader_of, fires_of, caplog):
    """`resolve` lets parts of epochs wait for the first pass, and says so in the log."""
    caplog.set_level("INFO", "treadle_units")
    schedule = Schedule("2 epochs | 100 steps", do="1/2 epochs", resolve="first_epoch")
    fires = fires_of(schedule, unsized(loader_of(40, 4)))

    assert (
        [("do", 10), ("do", 15), ("do", 20)],
        ["do='1/2 epochs' waits until the first pass has shown the length of an epoch"],
    ) == (fires, caplog.messages)


def test_limit_before_the_first_epoch():
    """A limit below one epoch cannot wait for the first pass."""
    schedule = Schedule("1/2 epochs", resolve="first_epoch")

    with pytest.raises(UnknownEpochLength) as raised:
        schedule.advance(4)

    assert (
        "until='1/2 epochs' would be passed before the first epoch has shown its length; "
        "give batches_per_epoch="
    ) == str(raised.value)


def test_epochs_of_a_length(unsized, fires_of):
    """With `epoch_length` an epoch is a count, and the batch that straddles one closes it."""
    schedule = Schedule("3 epochs", epoch_length="7 records", do="1/2 epochs", end="1 epoch")
    fires = fires_of(schedule, unsized([[0] * 3] * 100))

    assert (
        [
            ("do", 2),
            ("do", 3),
            ("end", 3),
            ("do", 4),
            ("do", 5),
            ("end", 5),
            ("do", 6),
            ("do", 7),
            ("end", 7),
        ],
        21,
        3,
    ) == (fires, schedule.progress.records, schedule.progress.epochs)


def test_pass_is_no_epoch():
    """With `epoch_length` the end of a pass is no epoch."""
    schedule = Schedule("2 epochs", epoch_length=Records(10))
    schedule.advance(4, 1, 1, 1)
    schedule.end_epoch()

    assert (0, False) == (schedule.progress.epochs, schedule.finished)


def test_progress_of_the_epoch(clock):
    """`progress.epoch` is what was counted since the last epoch ended."""
    schedule = Schedule("9 epochs", clock=clock)
    schedule.advance(8, 2, 1, 1)
    clock.now += 2
    schedule.advance(3, 1, 1)

    epoch = schedule.progress.epoch
    assert (3, 1, 1, 0, 2.0) == (
        epoch.records,
        epoch.batches,
        epoch.steps,
        epoch.epochs,
        epoch.seconds,
    )


@pytest.mark.parametrize(
    ("lengths", "due_at"),
    [((2, 4), [1, 2, 4, 6]), ((6, 4), [3, 6, 8, 10]), ((4, 6), [2, 4, 7, 10])],
)
def test_length_is_read_anew(lengths, due_at, fires_of):
    """Each pass has the length that the loader says then."""

    class Changing:
        def __init__(self):
            self.passes = list(lengths)

        def __len__(self):
            return self.passes[0]

        def __iter__(self):
            return iter([[0]] * self.passes.pop(0))

    fires = fires_of(Schedule("2 epochs", do="1/2 epochs"), Changing())

    assert [("do", batch) for batch in due_at] == fires


def test_unknown_length_of_a_loader(unsized, loader_of):
    """A part of an epoch on a loader without a length is an error before a batch is drawn."""
    loader = unsized(loader_of(12, 4))

    with pytest.raises(UnknownEpochLength) as raised:
        list(Schedule("9 steps", do="1/2 epochs").batches(loader))

    assert (
        (
            "do='1/2 epochs' needs the length of an epoch, which is not known; give "
            "batches_per_epoch=, use a loader with a length, or give resolve='first_epoch' to learn "
            "it from the first pass"
        ),
        0,
    ) == (str(raised.value), loader.drawn)


def test_given_length_is_for_fractions(loader_of, fires_of):
    """`batches_per_epoch` places parts of epochs before the loader's length does, and nothing else."""
    schedule = Schedule("2 epochs", batches_per_epoch=8, half="1/2 epochs", whole="1 epoch")
    fires = fires_of(schedule, loader_of(24, 4))

    assert (
        [("half", 4), ("half", 6), ("whole", 6), ("half", 10), ("half", 12), ("whole", 12)]
        == fires
    )  # fmt: skip


@pytest.mark.parametrize(
    ("do", "due_at"), [("1 epoch", [3, 6]), ("3 batches", [3, 6]), ("2 epochs", [6])]
)
def test_epochs_and_batches_coincide(do, due_at, loader_of, fires_of):
    """What an epoch and its last batch make due together is due at one moment, each name once."""
    schedule = Schedule("2 epochs", do=do, validate="1 epoch")
    fires = fires_of(schedule, loader_of(12, 4))

    assert sorted([("do", at) for at in due_at] + [("validate", at) for at in (3, 6)]) == sorted(
        fires
    )


def test_several_epochs_in_one_batch():
    """A batch longer than an epoch closes several, and is due once."""
    schedule = Schedule("10 epochs", epoch_length="4 records", do="1 epoch")
    due = [(schedule.advance(13), schedule.progress.epochs) for _ in range(3)]

    assert [(("do",), 3), (("do",), 6), (("do",), 9)] == due


def test_passes_without_a_batch_where_lengths_are_epochs():
    """With `epoch_length` a pass still has to bring the run nearer to its end."""
    schedule = Schedule("2 epochs", epoch_length="10 tokens")
    schedule.advance(4, 1, 1, 1)

    with pytest.raises(EmptyEpoch) as raised:
        schedule.end_epoch()

    assert (
        "a pass over the data had 4 records in 1 batch but added no tokens, "
        "so 2 epochs would never be reached; limit the run in batches"
    ) == str(raised.value)
