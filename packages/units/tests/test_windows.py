import pytest

from treadle_units import Every, Schedule


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
    """A stop that waits for its window takes effect at a break, after which gradients wait."""
    schedule = Schedule("9 epochs", save=Every("9 epochs", at_end=True))
    for _ in schedule.batches(loader_of(100, 4), accumulate=4):
        schedule.stop("signal")
        break

    assert ("signal", ("save",), True, 1, 0) == (
        schedule.outcome.reason,
        schedule.due(),
        schedule.step_now,
        schedule.progress.steps,
        schedule.state_dict()["window"],
    )


def test_stop_between_windows(loader_of):
    """A stop at a batch that steps ends the run after that body."""
    schedule = Schedule("9 epochs")
    for _ in schedule.batches(loader_of(100, 4)):
        schedule.stop("enough")

    assert 1 == schedule.progress.batches


def test_step_trigger_at_the_end(fires_of, loader_of):
    """The step by which the end closes a window is counted at that batch, and makes due."""
    schedule = Schedule("21 records", log="2 steps")
    fires = fires_of(schedule, loader_of(40, 4), accumulate=4)

    assert [("log", 6)] == fires


def test_step_of_the_data_end(loader_of):
    """A limit in steps is reached by the step that the end of the data brings, when it comes."""
    schedule = Schedule("3 steps", save="3 steps")
    bodies = list(schedule.batches(iter(loader_of(20, 4)), accumulate=2, lookahead=False))

    assert (5, "limit", True, ("save",), 3) == (
        len(bodies),
        schedule.outcome.reason,
        schedule.step_now,
        schedule.due(),
        schedule.progress.steps,
    )


def test_stop_outside_of_the_loop(loader_of):
    """A stop after a break in the middle of a window says that gradients wait, and counts the step."""
    schedule = Schedule("9 epochs")
    for _ in schedule.batches(loader_of(100, 4), accumulate=4):
        break
    waiting = schedule.step_now
    schedule.stop("signal")

    assert (False, True, 1) == (waiting, schedule.step_now, schedule.progress.steps)


def test_break_and_nothing_more(loader_of):
    """A step and names that a body was left with are not announced by a later loop without one."""
    schedule = Schedule("9 epochs", allow_short=True, log="1 batch")
    source = iter(loader_of(4, 4))
    for _ in schedule.batches(source):
        break
    left = schedule.step_now, schedule.due()
    bodies = list(schedule.batches(source))

    assert ((True, ("log",)), [], (False, ())) == (
        left,
        bodies,
        (schedule.step_now, schedule.due()),
    )


def test_one_step_of_several_optimizers(loader_of):
    """A batch at which several optimizers step is one step."""
    schedule = Schedule("10 steps")
    stepped = []
    for _ in schedule.batches(loader_of(80, 4)):
        stepped += ["generator", "discriminator"] if schedule.step_now else []

    assert (10, 20) == (schedule.progress.batches, len(stepped))


def test_passes_close_windows_where_lengths_are_epochs(loader_of, steps_of):
    """With `epoch_length` the end of a pass closes a window, and the end of such an epoch does not."""
    schedule = Schedule("3 epochs", epoch_length="10 records")
    steps = steps_of(schedule, loader_of(20, 4), accumulate=4)

    assert ([4, 5, 8], 3) == (steps, schedule.progress.epochs)
