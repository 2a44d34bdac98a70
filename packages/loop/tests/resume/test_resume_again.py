"""States beside the usual: several in one pass, before anything, after a break, in used engines."""

import copy
import math
from itertools import chain, product

import pytest
import torch
from torch import nn
from torch.optim import SGD

from treadle_loop import (
    Engine,
    NotFinite,
    TensorLoader,
    load_checkpoint,
    save_checkpoint,
)


def flat(batches):
    return list(chain.from_iterable(batches))


@pytest.mark.parametrize("loader", ["sampler", "seekable", "stateful", "list"])
def test_a_pass_may_be_resumed_several_times(training, same, reading, loader):
    """Three stops in one pass, each in new objects, and the same outcome."""
    training = training.but(loader=loader)
    whole = training.begin().finish()

    run = training.begin()
    for _ in range(3):
        for update in run.updates():
            if update.index in (1, 2, 5):
                break
        state = reading(run.engine.state_dict())
        run = training.resume(state)
    last = run.finish()

    assert state["ranks"][0]["batches"] == 6
    assert same({**whole, "used": whole["used"][6:]}, last)


@pytest.mark.parametrize("loader", ["sampler", "seekable", "stateful", "own generator"])
@pytest.mark.parametrize("stop", [2, 6, 13])
def test_a_state_that_was_loaded_is_the_state(training, same, reading, loader, stop):
    """Without training in between, what is saved again is what was loaded."""
    training = training.but(loader=loader)
    state = training.begin().states()[stop]

    again = reading(training.resume(state).engine.state_dict())

    assert same(state, again)


@pytest.mark.parametrize("loader", ["sampler", "seekable", "stateful"])
def test_two_states_at_one_boundary_are_the_same(training, same, loader):
    """To save changes nothing."""
    run = training.but(loader=loader).begin()

    pairs = [
        (copy.deepcopy(run.engine.state_dict()), copy.deepcopy(run.engine.state_dict()))
        for _ in run.updates()
    ]

    assert all(same(*pair) for pair in pairs)


@pytest.mark.parametrize("loader", ["sampler", "seekable", "stateful", "shuffled", "persistent"])
def test_a_state_from_before_anything(training, outcome_from, reading, loader):
    """A training can be saved before it has begun."""
    training = training.but(loader=loader)
    run = training.begin()
    state = reading(run.engine.state_dict())
    whole = run.finish()

    assert outcome_from(training, state, whole)


def test_a_state_after_a_break(training, same, reading):
    """After a break the boundary stays, until the next pass begins."""
    whole = training.begin().finish()
    run = training.begin()
    for update in run.updates():
        if update.index == 3:
            break
    state = reading(run.engine.state_dict())
    next(iter(run.engine.updates(run.loader)))
    after = run.engine.state_dict()

    assert same({**whole, "used": whole["used"][4:]}, training.resume(state).finish())
    assert (1, 1) == (after["ranks"][0]["epoch"], after["ranks"][0]["batches"])


@pytest.mark.parametrize(
    ("loader", "stop"),
    [
        *product(["sampler", "tensors", "seekable", "persistent"], [0, 3, 7]),
        # Of a loader that the engine had not seen, a state says nothing.
        *product(["stateful", "sized stateful"], [3, 7]),
    ],
)
def test_a_used_engine_can_go_back(training, same, loader, stop):
    """An engine that has trained elsewhere, with its loader, trains on as a new one would."""
    training = training.but(loader=loader)
    run = training.begin()
    states = [copy.deepcopy(run.engine.state_dict()), *run.states()]
    whole = run.outcome()

    run.engine.load_state_dict(states[stop])
    run.epoch = states[stop]["ranks"][0]["epoch"]
    again = run.finish()

    assert whole["used"][stop:] == again["used"][14:]
    assert same({**whole, "used": 0}, {**again, "used": 0})


def test_an_engine_without_passes_is_resumed(reading, same):
    """Updates from lists of batches move no position, and their random numbers go on."""

    def begin():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.5), nn.Linear(4, 1))
        return Engine(
            model,
            lambda model, batch: model(batch).pow(2).mean(),
            SGD(model.parameters(), lr=0.1, momentum=0.9),
        )

    def train(engine, count):
        for _ in range(count):
            engine.update([torch.ones(2, 2)])

    whole = begin()
    train(whole, 6)
    expected = reading(whole.state_dict())
    states = []
    for _ in range(3):
        engine = begin()
        if states:
            engine.load_state_dict(states[-1])
        train(engine, 2)
        states.append(reading(engine.state_dict()))

    assert same(expected, states[-1])


def test_a_pass_that_begins_with_an_error_begins_again(training, same):
    """An update that failed was not made: the next call begins the same pass."""
    training = training.but(loader="tensors", epochs=1)
    run = training.begin()
    loader = run.loader

    class Failing:
        def __iter__(self):
            raise OSError

    with pytest.raises(OSError):
        run.engine.train_epoch(Failing())
    run.engine.train_epoch(loader)

    assert 0 == run.engine.state_dict()["ranks"][0]["epoch"] - 1
    assert training.begin().finish()["used"] == run.used


def test_through_a_checkpoint(training, same, tmp_path):
    """What `save_checkpoint` writes and `load_checkpoint` reads is a whole state."""
    run = training.begin()
    for step, _ in enumerate(run.updates(), 1):
        save_checkpoint(tmp_path, run.engine.state_dict(), step=step, keep=2)
        if step == 10:
            break
    whole = training.begin().finish()

    last = training.resume(load_checkpoint(tmp_path)).finish()

    assert same({**whole, "used": whole["used"][10:]}, last)


@pytest.mark.parametrize("size", [2, 4, 8])
@pytest.mark.parametrize("loader", ["tensors", "sampler"])
def test_another_batch_size_repeats_nothing(training, noisy, loader, size):
    """The rest of the pass is had in batches of another size, each record once."""
    training = training.but(loader=loader, epochs=2)
    run = training.begin()
    state = run.states()[3]
    used = run.used[:4]
    other = training.resume(state)
    if loader == "tensors":
        data = noisy()
        other.loader = TensorLoader(
            data.inputs, data.targets, data.indices, batch_size=size, shuffle=True, seed=3
        )
    else:
        other.loader = torch.utils.data.DataLoader(
            other.loader.dataset, batch_size=size, sampler=other.loader.sampler
        )
    indices = flat(other.finish()["used"])

    assert flat(used) + indices == flat(run.used)
    assert math.ceil(10 / size) == sum(1 for batch in other.used if batch) - math.ceil(26 / size)


def test_a_check_that_has_failed_begins_anew(training, reading):
    """After an update that was withheld, a state that is loaded trains on."""
    training = training.but(settings=(("check_finite", True),))
    run = training.begin()
    state = reading(run.engine.state_dict())
    bad = (torch.full((2, 3), math.nan), torch.zeros(2, dtype=torch.long), torch.arange(2))
    run.engine.update([bad])
    with pytest.raises(NotFinite):
        run.engine.state_dict()
    run.engine.update([bad])
    run.engine.load_state_dict(state)
    run.finish()

    assert 14 == len(run.used) - 2
