"""Averaged weights through the engine."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD

from treadle_loop import AveragesInPlace, Engine, InvalidSetting, NoAverages, supervised


def batches(count=6, records=8):
    torch.manual_seed(5)
    return [(torch.randn(records, 6), torch.randint(3, (records,))) for _ in range(count)]


@pytest.fixture
def made(network):
    def make(kind="mlp", **settings):
        model = network(kind)
        settings = {"ema": 0.9} | settings
        optimizer = SGD((each for each in model.parameters() if each.requires_grad), lr=0.1)
        return Engine(model, supervised(cross_entropy), optimizer, **settings)

    return make


def bits(model):
    return [(each.data_ptr(), each.detach().clone()) for each in model.state_dict().values()]


def test_the_averages_are_evaluated_and_the_weights_come_back(made, network, same):
    """test_epoch within averaged() is that of a model with the averages; then all is as it was."""
    engine, other = made(), network()
    engine.train_epoch(batches())
    own = bits(engine.model)
    other.load_state_dict(engine.state_dict()["averages"]["averages"])

    before = engine.test_epoch(batches())
    with engine.averaged():
        averaged = engine.test_epoch(batches())
        predicted = list(engine.predict(batches()))
    after = engine.test_epoch(batches())

    expected = Engine(other, supervised(cross_entropy))
    assert same(expected.test_epoch(batches()).loss, averaged.loss)
    assert same(list(expected.predict(batches())), predicted)
    assert same(before.loss, after.loss)
    assert not same(before.loss, averaged.loss)
    assert same(own, bits(engine.model))


def test_the_weights_come_back_after_an_exception(made, same):
    """An evaluation that fails within averaged() leaves the model with its own weights."""
    engine = made()
    engine.train_epoch(batches())
    own = bits(engine.model)

    with pytest.raises(KeyError), engine.averaged():
        raise KeyError

    assert same(own, bits(engine.model))
    engine.train_epoch(batches())


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("train_epoch", "a pass of training was asked for"),
        ("updates", "a pass of training was asked for"),
        ("update", "an update was asked for"),
        ("state_dict", "Engine.state_dict was called"),
        ("load_state_dict", "Engine.load_state_dict was called"),
    ],
)
def test_what_is_the_trainings_is_refused_within(made, same, what, said):
    """Before anything changed: gradients, random numbers and position are as they were."""
    engine = made()
    engine.train_epoch(batches())
    state = engine.state_dict()
    own, position = bits(engine.model), copy.deepcopy(state["ranks"])
    gradients = [each.grad.clone() for each in engine.model.parameters()]
    drawn = []

    def loader():
        drawn.append(torch.rand(()))
        yield from batches(1)

    attempt = {
        "train_epoch": lambda: engine.train_epoch(loader()),
        "updates": lambda: next(engine.updates(loader())),
        "update": lambda: engine.update(batches(1)),
        "state_dict": engine.state_dict,
        "load_state_dict": lambda: engine.load_state_dict(state),
    }[what]
    batches(1)  # whose seed is part of the random state
    random_state = torch.get_rng_state()
    with engine.averaged(), pytest.raises(AveragesInPlace) as caught:
        attempt()

    assert (
        f"{said} while the averaged weights are in the model, which would be mistaken for its "
        "own; leave their context first"
    ) == str(caught.value)
    assert [] == drawn
    assert same(own, bits(engine.model))
    assert same(gradients, [each.grad for each in engine.model.parameters()])
    assert same(random_state, torch.get_rng_state())
    after = engine.state_dict()["ranks"]
    assert position[0]["epoch"] == after[0]["epoch"]
    assert position[0]["batches"] == after[0]["batches"]


def test_a_pass_that_is_under_way_is_refused_within(made, same):
    """The next update of a pass that was begun outside is refused too, and goes on afterwards."""
    engine, other = made(), made()

    torch.manual_seed(3)
    updates = engine.updates(batches())
    next(updates)
    gradients = [each.grad.clone() for each in engine.model.parameters()]
    with pytest.raises(AveragesInPlace), engine.averaged():
        next(updates)

    other.update(batches(1))
    assert same(gradients, [each.grad for each in engine.model.parameters()])


def test_averages_move_once_an_update(made):
    """Under accumulate=2, six batches are three updates of the averages."""
    engine = made(accumulate=2)

    engine.train_epoch(batches(6))

    assert 3 == engine.state_dict()["averages"]["updates"]


def test_a_frozen_part_has_no_average(made, network):
    """What does not train has none, and is itself while the averages are in the model."""
    engine = made("exceptions")
    frozen = engine.model.frozen.weight.clone()

    engine.train_epoch(batches())

    averaged = engine.state_dict()["averages"]["averages"].keys()
    assert not [name for name in averaged if name.startswith("frozen")]
    with engine.averaged():
        assert torch.equal(frozen, engine.model.frozen.weight)


def test_a_warm_up_is_a_function_of_the_steps(scale):
    """The decay is asked for with the number of steps so far, in updates and across passes."""
    asked = []

    def decay(steps):
        asked.append(steps)
        return 0.0 if steps < 2 else 0.5

    def mean(model, batch):
        return model(batch).mean()

    engine = Engine(scale, mean, SGD(scale.parameters(), lr=1.0), ema=decay)
    ones = torch.ones(2, dtype=torch.float64)
    engine.train_epoch([ones] * 3)
    engine.update([ones])

    assert [0, 1, 2, 3] == asked
    # The weight was -1, -2, -3, -4: the average is -1, -2, -2.5 and -3.25.
    assert -3.25 == engine.state_dict()["averages"]["averages"]["weight"].item()


def test_a_decay_that_fails_fails_alone(scale):
    """A function that gives no decay is an error, after which the engine still works."""

    def mean(model, batch):
        return model(batch).mean()

    decays = [2.0, 0.5]
    engine = Engine(scale, mean, SGD(scale.parameters(), lr=1.0), ema=lambda steps: decays.pop(0))
    ones = torch.ones(2, dtype=torch.float64)

    with pytest.raises(InvalidSetting):
        engine.update([ones])
    engine.update([ones])

    assert 1 == engine.state_dict()["averages"]["updates"]


def test_buffers_are_the_models_own(made):
    """The statistics of a batch norm are not averaged."""
    engine = made("exceptions")
    engine.train_epoch(batches())
    statistics = engine.model.norm.running_mean.clone()

    with engine.averaged():
        assert torch.equal(statistics, engine.model.norm.running_mean)


def test_an_engine_without_averages_says_so(made):
    """averaged() names the argument that was left out."""
    with pytest.raises(NoAverages) as caught:
        made(ema=None).averaged()

    assert (
        "Engine.averaged was called, and this engine averages no weights; make it with "
        "Engine(..., ema=0.999)"
    ) == str(caught.value)


@pytest.mark.parametrize("ema", [1.0, -0.1, True, "0.9"])
def test_a_decay_is_checked(made, ema):
    """It is at least 0 and less than 1, or a function."""
    with pytest.raises(InvalidSetting) as caught:
        made(ema=ema)

    assert (
        f"the decay of averaged weights is {ema!r}, and a number of at least 0 and less than 1, or a "
        "function from the number of updates to one, was expected"
    ) == str(caught.value)


def test_evaluating_alone_can_be_averaged(network):
    """An engine without an optimizer loads averages, and evaluates them."""
    model = nn.Linear(6, 3)
    trained = Engine(model, supervised(cross_entropy), SGD(model.parameters(), lr=0.1), ema=0.5)
    trained.train_epoch(batches())
    state = trained.state_dict()
    with trained.averaged():
        expected = trained.test_epoch(batches())

    model = nn.Linear(6, 3)
    evaluating = Engine(model, supervised(cross_entropy), ema=0.5)
    evaluating.load_state_dict({name: state[name] for name in ("model", "averages", "ranks")})
    with evaluating.averaged():
        result = evaluating.test_epoch(batches())

    assert torch.equal(expected.loss, result.loss)


@pytest.mark.parametrize("start", ["train_epoch", "update"])
def test_a_decay_that_makes_no_sense_is_found_before_the_step(made, same, start):
    """Nothing of the update that the decay would be used in has happened: no weight, no count."""
    engine = made(ema=lambda steps: 0.5 if steps < 2 else 1.5)
    drawn = []

    def loader():
        for batch in batches():
            drawn.append(1)
            yield batch

    engine.update(batches()[:1])
    engine.update(batches()[:1])
    before = copy.deepcopy(dict(engine.model.state_dict()))
    calls = {
        "train_epoch": lambda: engine.train_epoch(loader()),
        "update": lambda: engine.update(batches()[:1]),
    }

    with pytest.raises(InvalidSetting) as caught:
        calls[start]()

    assert str(caught.value).startswith("the decay of averaged weights is 1.5, and a number of")
    assert same(before, dict(engine.model.state_dict()))
    assert 2 == engine._averages.updates
    assert len(drawn) <= 1  # to know which update is the last


def test_a_decay_is_asked_once_an_update(made):
    """Whatever the function counts, it counts updates."""
    asked = []
    engine = made(ema=lambda steps: asked.append(steps) or 0.5)

    engine.train_epoch(batches())

    assert list(range(6)) == asked
