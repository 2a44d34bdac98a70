"""stop=: a pass that ends early does so between two updates."""

import pytest
import torch
from torch.optim import SGD

from treadle_loop import Engine


class Loader:
    """Counts what is drawn from it."""

    def __init__(self, count):
        self.count = count
        self.drawn = 0

    def __iter__(self):
        for _ in range(self.count):
            self.drawn += 1
            yield torch.ones(2, dtype=torch.float64)


class Sized(Loader):
    def __len__(self):
        return self.count


def mean(model, batch):
    return model(batch).mean()


@pytest.fixture
def engine(scale):
    def build(**settings):
        return Engine(scale, mean, SGD(scale.parameters(), lr=1.0), **settings)

    return build


@pytest.mark.parametrize("accumulate", [1, 2, 3])
@pytest.mark.parametrize("kind", [Sized, Loader])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_pass_stops_at_a_boundary(engine, scale, kind, accumulate, after):
    """After that many updates, all whole; nothing more is drawn, but what was drawn ahead."""
    loader = kind(20)
    asked = []

    def stop():
        asked.append(loader.drawn)
        return len(asked) > after

    result = engine(accumulate=accumulate).train_epoch(loader, stop=stop)

    # At first nothing is: not even the pass is opened.
    ahead = 0 if kind is Sized else 1
    assert [0] + [accumulate * update + ahead for update in range(1, after + 1)] == asked
    assert asked[-1] == loader.drawn
    assert {
        "records": 2 * accumulate * after,
        "batches": accumulate * after,
        "steps": after,
        "epochs": 0,
    } == result.counts
    assert not result.complete
    assert -after == scale.weight.item()


@pytest.mark.parametrize("kind", [Sized, Loader])
def test_updates_stop_too(engine, kind):
    """The last item before a stop is not the last of its pass."""
    stopping = []
    updates = []
    for update in engine().updates(kind(5), stop=lambda: bool(stopping)):
        updates.append(update)
        if update.index == 2:
            stopping.append(True)

    assert [0, 1, 2] == [update.index for update in updates]
    assert [False] * 3 == [update.last for update in updates]


@pytest.mark.parametrize("kind", [Sized, Loader])
def test_a_stop_at_the_end_changes_nothing(engine, kind):
    """A pass whose last update is made is complete, whatever is asked for then."""
    asked = iter([False, False, True])

    result = engine(accumulate=2).train_epoch(kind(4), stop=lambda: next(asked))

    assert [] == list(asked)
    assert result.complete
    assert {"records": 8, "batches": 4, "steps": 2, "epochs": 1} == result.counts


@pytest.mark.parametrize("kind", [Sized, Loader])
def test_an_exception_in_stop_comes_out(engine, scale, kind):
    """It reaches you as it is, at a boundary, and the next pass is a new one."""
    trainer = engine(accumulate=2)
    asked = []

    def stop():
        asked.append(True)
        if len(asked) == 2:
            raise KeyError
        return False

    with pytest.raises(KeyError):
        trainer.train_epoch(kind(6), stop=stop)

    assert -1.0 == scale.weight.item()
    assert 2 == trainer.state_dict()["ranks"][0]["batches"]
    assert 3 == trainer.train_epoch(kind(6)).steps
    assert 2 == trainer.state_dict()["ranks"][0]["epoch"]


def test_a_new_pass_begins_after_a_stop(engine):
    """What was left is not gone on with, unless it is loaded."""
    trainer = engine()
    asked = iter([False, True])

    stopped = trainer.train_epoch(Sized(5), stop=lambda: next(asked))
    whole = trainer.train_epoch(Sized(5))

    assert (1, 5) == (stopped.batches, whole.batches)
    assert (False, True) == (stopped.complete, whole.complete)


def test_a_scheduler_for_epochs_does_not_step_at_a_stop(engine):
    """It steps where a pass ends, and a stop is no end."""

    class Counting:
        steps = 0

        def step(self):
            self.steps += 1

    scheduler = Counting()
    trainer = engine(scheduler=scheduler, scheduler_every="epoch")
    loader = Sized(5)

    trainer.train_epoch(loader, stop=lambda: loader.drawn == 2)
    stopped = scheduler.steps
    trainer.train_epoch(Sized(5))

    assert (0, 1) == (stopped, scheduler.steps)


def test_a_stopped_pass_is_one_line(engine, ticking):
    """The result says what there was."""
    ticking(0.5)
    loader = Sized(5)

    result = engine(accumulate=2).train_epoch(loader, stop=lambda: loader.drawn == 4)

    assert str(result) == (
        "trained 8 records in 4 batches (2 steps), 0.50 s (16 records/s, 8 batches/s), loss -0.5"
    )
