import json
import warnings
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle_units import (
    At,
    DataExhausted,
    EmptyBatch,
    EmptyEpoch,
    Every,
    Schedule,
    UncountableBatch,
    UnitsError,
    UnknownEpochLength,
    WrongLength,
    parse,
)

CAP = 3000
NAMED = (
    DataExhausted,
    EmptyBatch,
    EmptyEpoch,
    UncountableBatch,
    UnknownEpochLength,
    WrongLength,
)
SILENT, FAILING = "silent", "failing"


class Adversary:
    """A loader that changes from pass to pass, and stops a spin before it hangs the tests.

    A pass is a list of the records of its batches: 0 is a batch without any, `SILENT` one that
    does not say, and at `FAILING` the loader raises.
    """

    def __init__(self, passes, *, endless):
        self.passes = passes
        self.endless = endless
        self.begun = 0
        self.asked = 0

    def ask(self):
        self.asked += 1
        if self.asked > CAP:
            # No `Exception`, so that nothing between here and the test can swallow it.
            pytest.fail("the loader is asked without an end")

    def at_hand(self):
        return self.passes[min(self.begun, len(self.passes) - 1)]

    def __iter__(self):
        self.ask()
        sizes = self.at_hand()
        self.begun += 1
        return self.batches_of(cycle(sizes) if self.endless else sizes)

    def batches_of(self, sizes):
        for size in sizes:
            self.ask()
            if size == FAILING:
                raise OSError("disk")
            yield {} if size == SILENT else [0] * size
        self.ask()


class Sized(Adversary):
    """The same with a length, which is the truth plus what it lies in that pass."""

    def __init__(self, passes, *, endless, lies):
        super().__init__(passes, endless=endless)
        self.lies = lies

    def __len__(self):
        self.ask()
        return max(0, len(self.at_hand()) + self.lies[self.begun % len(self.lies)])


class OneShot:
    """An iterator over the first pass."""

    def __init__(self, loader):
        self.source = iter(loader)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.source)


class SizedOneShot(OneShot):
    """An iterator with a length."""

    def __init__(self, loader):
        self.length = len(loader)
        super().__init__(loader)

    def __len__(self):
        return self.length


class Clock:
    """A clock that moves with each reading: on the whole forward, but it may stall and jump back."""

    def __init__(self, moves):
        self.moves = cycle([*moves, sum(map(abs, moves)) + 0.5])
        self.now = 100.0

    def __call__(self):
        self.now += next(self.moves)
        return self.now


AMOUNTS = st.one_of(
    st.builds(
        "{} {}".format,
        st.integers(1, 40),
        st.sampled_from(["records", "batches", "steps", "tokens", "s"]),
    ),
    st.builds("{}/{} epochs".format, st.integers(1, 9), st.integers(1, 3)),
)
BATCHES = st.integers(1, 5)
ODD = st.sampled_from([0, SILENT, FAILING])


@st.composite
def loaders(draw):
    """A loader, and whether it has passes without an end."""
    batches = st.one_of(*[BATCHES] * 12, ODD) if draw(st.booleans()) else BATCHES
    passes = draw(st.lists(st.lists(batches, max_size=6), min_size=1, max_size=4))
    endless = bool(passes[-1]) and draw(st.sampled_from([False, False, False, True]))
    kind = draw(st.sampled_from(["sized", "unsized", "one-shot", "sized one-shot", "hidden"]))
    if kind == "hidden":
        # It can be iterated again, and then has nothing, as a generator in a wrapper has.
        return Adversary([passes[0], []], endless=False), False
    if kind in ("unsized", "one-shot"):
        loader = Adversary(passes, endless=endless)
        return (OneShot(loader) if kind == "one-shot" else loader), endless
    lies = draw(st.sampled_from([[0], [0], [1], [-1], [0, 2], [0, 0, -2], [-99], [9, -9]]))
    loader = Sized(passes, endless=endless, lies=lies)
    return (SizedOneShot(loader) if kind == "sized one-shot" else loader), endless


@st.composite
def histories(draw):
    """What was counted before, call by call: nothing, or up to some batch of some pass."""
    calls = st.tuples(st.integers(3, 9), st.integers(1, 3), st.integers(0, 2), st.integers(0, 1))
    return draw(st.just([]) | st.lists(calls, max_size=8))


TRIGGERS = st.fixed_dictionaries(
    {
        "log": st.builds(Every, AMOUNTS, offset=st.integers(0, 3), at_end=st.booleans()),
        "save": st.builds(Every, AMOUNTS, at_end=st.just(True)),
        "show": st.none() | st.builds(At, AMOUNTS),
    }
)


def most_batches(until, accumulate, tokens):
    """How many batches a run can have, whatever the loader does."""
    at_most = {"records": 1, "batches": 1, "steps": accumulate}
    if min(tokens) > 0:
        at_most["tokens"] = 1
    return min(goal.value * at_most.get(goal.unit, CAP) for goal in parse(until).alternatives)


class Run:
    """Follows a schedule through its loops, and looks at each batch that they hand out."""

    def __init__(self, schedule, loader, plan, arguments):
        self.schedule = schedule
        self.loader = loader
        self.plan = plan
        self.arguments = arguments
        self.bodies = 0
        self.announced = 0
        self.error = None

    def to_the_end(self):
        """Enter the loop again after each break of the plan."""
        try:
            while self.once():
                pass
        except (UnitsError, OSError) as error:
            self.error = error
            self.announced += self.schedule.step_now
        return self

    def once(self):
        """Pass through the loop, and return whether it was left by a break."""
        schedule = self.schedule
        stepped, due = False, ()
        broken = False
        for _ in schedule.batches(self.loader, **self.arguments):
            self.bodies += 1
            stepped, due = schedule.step_now, schedule.due()
            self.announced += stepped
            action = self.plan.get(self.bodies, "")
            if "stop" in action:
                schedule.stop("asked")
                assert set(due) <= set(schedule.due())
                due = schedule.due()
            assert len(due) == len(set(due))
            if "break" in action:
                broken = True
                break
        if broken:
            # The names and the step of the last body stand, and a stop may have added to them.
            assert set(due) <= set(schedule.due())
            self.announced += schedule.step_now and not stepped
        else:
            assert set() == set(due) & set(schedule.due())
            self.announced += schedule.step_now
        return broken


@settings(max_examples=600, deadline=None)
@given(
    loader=loaders(),
    history=histories(),
    window=st.integers(0, 4),
    until=st.lists(AMOUNTS, min_size=1, max_size=3).map(" | ".join),
    triggers=TRIGGERS,
    accumulate=st.integers(1, 5),
    lookahead=st.sampled_from([None, None, True, False]),
    resolve=st.sampled_from([None, "first_epoch"]),
    allow_short=st.booleans(),
    epoch_length=st.sampled_from([None, None, "3 records", "2 steps", "4 tokens"]),
    batches_per_epoch=st.sampled_from([None, None, 3]),
    tokens=st.lists(st.sampled_from([0, 0, 0, 1, 7]), min_size=1, max_size=6),
    moves=st.lists(st.sampled_from([0, 0.25, 3, -1, -50, 0.001]), max_size=5),
    plan=st.dictionaries(
        st.integers(1, 12), st.sampled_from(["stop", "break", "break", "stop, break"]), max_size=4
    ),
)
def test_every_run_ends(  # Hypothesis fills the arguments
    loader, history, window, until, triggers, accumulate, lookahead, resolve, allow_short,
    epoch_length, batches_per_epoch, tokens, moves, plan,
):  # fmt: skip
    """Whatever the loader does, a run reaches a named end, with every gradient stepped."""
    loader, endless = loader
    if endless:
        # Nothing can prove these ends: epochs of a pass without an end, tokens that never come.
        until += " | 40 batches"
    named = {
        "resolve": resolve,
        "allow_short": allow_short,
        "epoch_length": epoch_length,
        "batches_per_epoch": batches_per_epoch,
        **triggers,
    }
    earlier = Schedule("1000000 batches", epoch_length=epoch_length, clock=Clock(moves))
    for counts in history:
        earlier.advance(*counts, tokens=1)
    schedule = Schedule(until, clock=Clock(moves), **named)
    schedule.load_state_dict(
        json.loads(json.dumps(earlier.state_dict() | {"window": window % accumulate}))
    )
    before = schedule.progress.counts()
    drawn = iter(cycle(tokens))
    arguments = {
        "accumulate": accumulate,
        "lookahead": lookahead,
        "tokens": lambda _: next(drawn),
    }

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = Run(schedule, loader, plan, arguments).to_the_end()

    counts = schedule.progress.counts()
    assert run.bodies <= most_batches(until, accumulate, tokens)
    assert run.error is None or isinstance(run.error, (*NAMED, OSError))
    assert run.error is not None or schedule.finished
    assert not schedule.finished or schedule.outcome.reason in {"limit", "exhausted", "asked"}
    assert (counts.batches, counts.steps) == (
        before.batches + run.bodies,
        before.steps + run.announced,
    )
    # The gradients of a window that a finished run was saved with are not here to be lost.
    assert not (schedule.finished and run.bodies) or schedule.state_dict()["window"] == 0
