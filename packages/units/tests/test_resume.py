import copy
import json
import pickle
from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_units import EmptyEpoch, Every, InvalidState, Meter, Progress, Schedule

WHOLE = st.integers(1, 12)
LENGTHS = st.one_of(
    st.builds("{} records".format, WHOLE),
    st.builds("{} batches".format, WHOLE),
    st.builds("{} steps".format, WHOLE),
    st.builds("{} tokens".format, WHOLE),
    st.builds("{} s".format, WHOLE),
    st.builds("{}/{} epochs".format, WHOLE, st.integers(1, 5)),
)


class Clock:
    """A clock of its own for each example."""

    now = 0.0

    def __call__(self):
        return self.now


def follow(schedule, clock, calls):
    """Make some calls, and return what each made due and whether the run had ended."""
    seen = []
    for records, batches, steps, epochs, tokens, wait in calls:
        clock.now += wait
        schedule.advance(records, batches, steps, epochs, tokens=tokens)
        if epochs:
            # A pass too short for the limit's unit is another test's business.
            with suppress(EmptyEpoch):
                schedule.end_epoch()
        seen.append((schedule.due(), schedule.finished))
    return seen


@st.composite
def runs(draw):
    """Arguments of a schedule with `at_end` triggers, and the calls of a run."""
    arguments = {
        "until": " | ".join(draw(st.lists(LENGTHS, min_size=1, max_size=2))),
        "batches_per_epoch": draw(st.integers(1, 6)),
        "epoch_length": draw(st.none() | st.builds("{} records".format, WHOLE)),
    }
    for name in "abc":
        arguments[name] = Every(
            draw(LENGTHS), offset=draw(st.integers(0, 3)), at_end=draw(st.booleans())
        )
    calls = []
    for _ in range(draw(st.integers(1, 20))):
        batches = draw(st.integers(1, 3))
        calls.append(
            (
                draw(st.integers(batches, 3 * batches)),
                batches,
                draw(st.integers(0, 1)),
                int(draw(st.integers(0, 3)) == 0),
                draw(st.integers(1, 4)),
                draw(st.sampled_from([0.25, 0.5, 1.5])),
            )
        )
    return arguments, calls, draw(st.integers(0, len(calls)))


@settings(max_examples=300, deadline=None)
@given(runs(), st.booleans())
def test_continued_run_is_the_same(run, between):
    """Stopped after any call and continued elsewhere, a run is due and ends as if never stopped."""
    arguments, calls, cut = run
    clock = Clock()
    whole = follow(Schedule(clock=clock, **arguments), clock, calls)
    clock = Clock()
    before = Schedule(clock=clock, **arguments)
    seen = follow(before, clock, calls[:cut])
    if between and cut < len(calls):
        # Time that passes after the last advance and before the save is not lost.
        clock.now += calls[cut][-1]
        calls[cut] = (*calls[cut][:-1], 0)
    state = json.loads(json.dumps(before.state_dict()))
    clock = Clock()
    clock.now = 5000.0
    after = Schedule(clock=clock, **arguments)
    after.load_state_dict(state)

    assert whole == seen + follow(after, clock, calls[cut:])


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 6), st.data())
def test_other_batch_size(batches_before, batches_after, parts, data):
    """Continued with another batch size, parts of an epoch are reached where they then lie."""
    cut = data.draw(st.integers(0, batches_before - 1))
    before = Schedule("9 epochs", do=f"1/{parts} epochs", batches_per_epoch=batches_before)
    for _ in range(cut):
        before.advance(1)
    after = Schedule("9 epochs", do=f"1/{parts} epochs", batches_per_epoch=batches_after)
    after.load_state_dict(before.state_dict())
    behind = Fraction(cut, batches_before)
    fires, expected = [], []
    batch, position = 0, behind
    while position + Fraction(1, batches_after) < 1:
        batch += 1
        earlier, position = position, position + Fraction(1, batches_after)
        fires.append(bool(after.advance(1)))
        expected.append(position * parts // 1 > earlier * parts // 1)

    assert expected == fires


@pytest.mark.parametrize("cut", range(1, 12))
@pytest.mark.parametrize("lookahead", [None, True])
def test_loop_continues(cut, lookahead, loader_of):
    """A loop left at any batch goes on in the same pass, with the same windows."""
    batches = loader_of(20, 4)
    triggers = {"a": "2 steps", "b": "1/2 epochs", "c": Every("1 epoch", at_end=True)}

    def walk(schedule, loader, stop=None):
        seen = []
        for _ in schedule.batches(loader, accumulate=2, lookahead=lookahead):
            seen.append((schedule.progress.batches, schedule.step_now, schedule.due()))
            if schedule.progress.batches == stop:
                break
        return seen

    class Rest(list):
        """What is left of this pass, and then whole passes."""

        left = 5 - cut % 5

        def __iter__(self):
            at, self.left = 5 - self.left, 5
            return iter(batches[at:])

    whole = walk(Schedule("12 batches", **triggers), batches)
    before = Schedule("12 batches", **triggers)
    seen = walk(before, batches, cut)
    after = Schedule("12 batches", **triggers)
    after.load_state_dict(before.state_dict())

    assert whole == seen + walk(after, Rest(batches))


def test_beyond_the_limit(loader_of):
    """A state at or beyond the limit is a finished run: no body, and nothing due."""
    before = Schedule("12 batches")
    for _ in range(12):
        before.advance(4)
    after = Schedule("10 batches", save=Every("1 batch", at_end=True))
    after.load_state_dict(before.state_dict())

    assert (True, "limit", (), []) == (
        after.finished,
        after.outcome.reason,
        after.due(),
        list(after.batches(loader_of(40, 4))),
    )


def test_due_is_not_saved():
    """A state is the same before and after what is due is read, and nothing is due once loaded."""
    before = Schedule("9 batches", log="1 batch", clock=lambda: 0.0)
    before.advance(4)
    unread = before.state_dict()
    due = before.due()
    after = Schedule("9 batches", log="1 batch")
    after.load_state_dict(unread)

    assert (("log",), unread, ()) == (due, before.state_dict(), after.due())


def test_raised_limit():
    """A finished run with its limit raised goes on along the same grid."""
    before = Schedule("10 batches", log="4 batches")
    for _ in range(10):
        before.advance(4)
    after = Schedule("20 batches", log="4 batches")
    after.load_state_dict(before.state_dict())
    due = [after.advance(4) for _ in range(6)]

    assert (False, [(), ("log",), (), (), (), ("log",)]) == (after.finished, due)


def test_one_update_left():
    """Continued with one update left in the pass, its end is no empty epoch."""
    before = Schedule("2 epochs | 50 steps")
    before.advance(4, 1, 1)
    after = Schedule("2 epochs | 50 steps")
    after.load_state_dict(before.state_dict())
    after.advance(4, 1, 1, 1)
    after.end_epoch()

    assert 1 == after.progress.epochs


@pytest.mark.parametrize("until", ["9 epochs", "9 steps", "1 batch"])
def test_saved_at_the_end_of_a_pass(until):
    """Saved between the update that ends a pass and `end_epoch`, that pass is counted once."""
    before = Schedule(until)
    before.advance(4, 1, 1, 1)
    after = Schedule(until, check="1 epoch")
    after.load_state_dict(before.state_dict())
    due = after.end_epoch()

    assert ((), 1) == (due, after.progress.epochs)


def test_saved_at_the_end_of_a_pass_and_gone_on():
    """Continued with the next pass instead, that pass is counted, too."""
    before = Schedule("9 epochs")
    before.advance(4, 1, 1, 1)
    after = Schedule("9 epochs", check="1 epoch")
    after.load_state_dict(before.state_dict())
    due = [after.advance(4, 1, 1), after.end_epoch()]

    assert ([(), ("check",)], 2) == (due, after.progress.epochs)


def test_steps_before_the_save():
    """A pass whose steps were all before the save is no empty epoch after it."""
    before = Schedule("5 steps")
    before.advance(4, 1, 1)
    after = Schedule("5 steps")
    after.load_state_dict(before.state_dict())
    after.advance(4, 1, 0, 1)
    after.end_epoch()
    after.advance(4, 1, 0, 1)

    with pytest.raises(EmptyEpoch):
        after.end_epoch()

    assert 2 == after.progress.epochs


DUPLICATES = [
    copy.copy,
    copy.deepcopy,
    lambda schedule: pickle.loads(pickle.dumps(schedule)),
]


@pytest.mark.parametrize("duplicate", DUPLICATES, ids=["copy", "deepcopy", "pickle"])
def test_duplicates(duplicate, loader_of):
    """A copy made in a body counts on its own, with all that its schedule was given."""
    schedule = Schedule(
        "2 epochs",
        allow_short=True,
        batches_per_epoch=4,
        half="1/2 epochs",
        save=Every("5 batches", at_end=True),
    )
    for _ in schedule.batches(loader_of(16, 4), accumulate=2):
        twin = duplicate(schedule)
        break
    due = [(twin.progress.batches, twin.due()) for _ in twin.batches(iter(loader_of(12, 4)))]

    assert ([(2, ("half",)), (3, ()), (4, ("half", "save"))], "exhausted", 1) == (
        due,
        twin.outcome.reason,
        schedule.progress.batches,
    )


@pytest.mark.parametrize("duplicate", DUPLICATES, ids=["copy", "deepcopy", "pickle"])
def test_duplicate_of_a_stopped_run(duplicate):
    """A copy of a run that was stopped has ended as it did."""
    schedule = Schedule("9 batches")
    schedule.advance(4)
    schedule.stop("patience")

    assert schedule.outcome == duplicate(schedule).outcome


@pytest.fixture
def clocks():
    """A clock, and the one that a copy of it is, with another origin: as in another process."""

    class Moving(Clock):
        def __deepcopy__(self, memo):
            return elsewhere

    clock, elsewhere = Moving(), Clock()
    clock.now, elsewhere.now = 1000.0, 7.0
    return clock, elsewhere


def test_duplicate_on_another_clock(clocks):
    """A copy goes on from the time that has passed, wherever the origin of its clock is."""
    clock, elsewhere = clocks
    schedule = Schedule("5 s", clock=clock)
    clock.now += 4
    schedule.advance(4)
    twin = copy.deepcopy(schedule)
    seen = []
    for wait in (0.5, 0.5):
        elsewhere.now += wait
        twin.advance(4)
        seen.append((twin.progress.seconds, twin.finished))

    assert [(4.5, False), (5.0, True)] == seen


def test_duplicate_of_a_meter(clocks):
    """A copied meter goes on from the time that has passed, too."""
    clock, elsewhere = clocks
    meter = Meter(clock=clock)
    meter.add(4)
    clock.now += 4
    twin = copy.deepcopy(meter)
    elsewhere.now += 0.5

    assert (4, 1, 4.5) == (twin.records, twin.batches, twin.seconds)


def test_progress_alone():
    """Progress is saved and loaded by itself, too."""
    progress = Schedule("9 steps").progress
    progress.records, progress.batches, progress.counters = 8, 2, {"tokens": 7}
    loaded = Progress()
    loaded.load_state_dict(json.loads(json.dumps(progress.state_dict())))

    assert (8, 2, {"tokens": 7}) == (loaded.records, loaded.batches, loaded.counters)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            ["version"],
            2,
            "the state has version 2; this release of treadle-units reads version 1",
        ),
        (["progress"], None, "the state has None as 'progress'; expected a dict"),
        (
            ["progress", "records"],
            4.0,
            "the state has 4.0 as 'records'; expected an int, 0 or more",
        ),
        (
            ["epochs", "pass_batches"],
            ...,
            "the state has no 'pass_batches'; load what state_dict of this package returned",
        ),
        (
            ["epochs", "pass_fraction"],
            [1],
            "the state has [1] as 'pass_fraction'; expected the two ints of a fraction",
        ),
    ],
)
def test_invalid_state(path, value, message):
    """A state that is none is refused with the entry that is wrong, and changes nothing."""
    schedule = Schedule("9 steps")
    state = Schedule("9 steps", batches_per_epoch=3).state_dict()
    inner = state
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    unchanged = schedule.state_dict()["epochs"]

    with pytest.raises(InvalidState) as raised:
        schedule.load_state_dict(state)

    assert (message, unchanged) == (str(raised.value), schedule.state_dict()["epochs"])


def test_no_state():
    """What is no mapping is no state."""
    with pytest.raises(InvalidState) as raised:
        Schedule("9 steps").load_state_dict(None)

    assert "the state is None; load what state_dict of this package returned" == str(raised.value)
