"""Slips that would train something else in silence, and states that are loaded twice."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, StepLR
from torch.utils.data import DataLoader, TensorDataset

from treadle_loop import (
    Busy,
    Engine,
    EpochSampler,
    InvalidPosition,
    InvalidSetting,
    Loss,
    StateMismatch,
    TensorLoader,
    runtimes,
    supervised,
)

INPUTS, TARGETS = torch.randn(20, 3), torch.randn(20, 1)


def loader(records=20, **settings):
    return TensorLoader(INPUTS[:records], TARGETS[:records], batch_size=4, shuffle=True, **settings)


def engine(scheduler=None, **settings):
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    if scheduler is not None:
        settings["scheduler"] = scheduler(optimizer)
    return Engine(model, supervised(mse_loss), optimizer, **settings)


def test_a_state_may_be_loaded_twice(same):
    """Training on it changes neither the state nor another engine that loaded it."""
    first = engine(scheduler=lambda optimizer: StepLR(optimizer, 1))
    first.train_epoch(loader())
    state = copy.deepcopy(first.state_dict())
    before = copy.deepcopy({name: each for name, each in state.items() if name != "ranks"})
    losses = []
    for _ in range(2):
        resumed = engine(scheduler=lambda optimizer: StepLR(optimizer, 1))
        resumed.load_state_dict(state)
        losses.append(float(resumed.train_epoch(loader()).loss))

    assert losses[0] == losses[1]
    assert same(before, {name: state[name] for name in before})


def test_a_metric_that_is_a_parameter_keeps_its_value(scale):
    """What a step reports is what it was then, whatever the optimizer makes of it."""
    kept = Engine(
        scale,
        lambda model, batch: Loss(model(batch).mean(), metrics={"weight": model.weight}),
        SGD(scale.parameters(), lr=1.0),
    )

    updates = list(kept.updates([torch.ones(1)] * 3))

    assert [0.0, -1.0, -2.0] == [float(update.metrics["weight"]) for update in updates]


def test_a_weight_that_is_a_buffer_keeps_its_value(scale):
    """A weight that is counted up in place is what it was for its batch."""
    count = torch.zeros(())

    def step(model, batch):
        count.add_(1)
        return Loss(model(batch).mean(), weight=count)

    updates = list(
        Engine(scale, step, SGD(scale.parameters(), lr=1.0)).updates([torch.ones(1)] * 3)
    )

    assert [1.0, 2.0, 3.0] == [float(update.weight) for update in updates]


def left(make, *, after=2):
    """An engine that goes on within a pass of `make()`."""
    begun = engine()
    for update in begun.updates(make()):
        if update.index == after - 1:
            break
    resumed = engine()
    resumed.load_state_dict(begun.state_dict())
    return resumed


@pytest.mark.parametrize(
    ("made", "other"),
    [
        (loader, lambda: loader(18)),
        (lambda: list(loader()), lambda: list(loader())[:4]),
        (lambda: list(loader()), list),
    ],
    ids=["fewer records", "a shorter list", "an empty list"],
)
def test_other_data_is_another_order(made, other):
    """With as many batches of other records, or another list, a pass is not gone on with."""
    resumed = left(made)

    with pytest.raises(InvalidPosition, match="records would be repeated and others left out"):
        resumed.train_epoch(other())


@pytest.mark.parametrize(
    ("saved", "other"),
    [
        (lambda o: StepLR(o, 1), lambda o: CosineAnnealingLR(o, 5)),
        (lambda o: LambdaLR(o, lambda _: 1.0), lambda o: StepLR(o, 1)),
    ],
    ids=["cosine", "step"],
)
def test_the_state_of_another_scheduler_is_refused(saved, other):
    """It would load, and fail or do nothing later."""
    with pytest.raises(StateMismatch, match="of a scheduler other than"):
        engine(scheduler=other).load_state_dict(engine(scheduler=saved).state_dict())


def test_a_scheduler_of_another_optimizer_is_refused():
    """The learning rate would stay as it is."""
    other = SGD([nn.Parameter(torch.zeros(()))], lr=0.1)

    with pytest.raises(InvalidSetting, match="a StepLR of another optimizer"):
        engine(scheduler=lambda _: StepLR(other, 1))


@pytest.mark.parametrize("method", ["train_epoch", "test_epoch"])
@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (TensorDataset(INPUTS, TARGETS), "a TensorDataset, which yields single records"),
        (INPUTS, "a Tensor, which yields single records"),
        (None, "the loader is None"),
        (DataLoader, "the class DataLoader"),
    ],
    ids=["data set", "tensor", "None", "class"],
)
def test_what_is_no_loader_is_refused(method, wrong, expected):
    """Single records would be taken for batches."""
    with pytest.raises(InvalidSetting, match=expected):
        getattr(engine(), method)(wrong)


def test_a_loader_has_no_sampler_for_itself():
    """Its length is in batches."""
    with pytest.raises(InvalidSetting, match="was given a DataLoader"):
        EpochSampler(DataLoader(TensorDataset(INPUTS), batch_size=4))


@pytest.mark.parametrize("make", [loader, partial(EpochSampler, 3)], ids=["loader", "sampler"])
def test_a_flag_is_true_or_false(make):
    """A text would be true, whatever it says."""
    with pytest.raises(InvalidSetting, match=r"drop_last of .* is 'no', and True or False"):
        make(drop_last="no")


@pytest.mark.parametrize("loss", [cross_entropy, nn.CrossEntropyLoss()], ids=["function", "module"])
def test_a_loss_is_no_step(loss):
    """It is named with what to write."""
    with pytest.raises(InvalidSetting, match="did you mean supervised"):
        Engine(nn.Linear(1, 1), loss)


@pytest.mark.parametrize(
    "runtime", [runtimes.ddp, "ddp", runtimes], ids=["class", "text", "module"]
)
def test_what_makes_a_runtime_is_none(runtime):
    """The message says how one is made."""
    with pytest.raises(InvalidSetting, match=r"such as runtimes\.ddp\(\)"):
        engine(runtime=runtime)


def test_stop_is_a_function():
    """True would be no answer to a question that is asked at every update."""
    with pytest.raises(InvalidSetting, match="stop is True, and a function"):
        engine().train_epoch(loader(), stop=True)


def test_an_update_within_an_update_is_refused():
    """It would drop the gradients of the one around it."""
    inner = []

    def step(model, batch):
        inner[0].update([batch])
        return mse_loss(model(batch[0]), batch[1])

    model = nn.Linear(3, 1)
    inner.append(Engine(model, step, SGD(model.parameters(), lr=0.1)))
    with pytest.raises(Busy, match="while another of this engine is being computed"):
        inner[0].train_epoch(loader())


def test_random_states_of_other_devices_are_passed_over(same):
    """A training that was saved on two GPUs goes on here."""
    saved = engine()
    saved.train_epoch(loader())
    state = copy.deepcopy(saved.state_dict())
    state["ranks"][0]["random_state"]["cuda"] = [torch.zeros(16, dtype=torch.uint8)] * 2
    resumed = engine()

    resumed.load_state_dict(state)

    assert same(saved.model.state_dict(), resumed.model.state_dict())
    assert 1 == resumed.epoch


def test_a_stop_that_stays_keeps_the_place():
    """Further passes that are asked for are not begun, so what was left is still left."""
    stopping = []
    trained = engine()
    for _ in range(3):
        for update in trained.updates(loader(), stop=lambda: bool(stopping)):
            stopping.extend([True] * (update.index == 1))
    place = trained.state_dict()["ranks"][0]

    assert (0, 2) == (place["epoch"], place["batches"])


def test_the_engine_counts_passes_and_updates():
    """Both go on after a resume, so a loop needs no counters of its own."""
    counted = engine(accumulate=2)
    seen = [(counted.epoch, counted.updates_made)]
    counted.train_epoch(loader())
    seen.append((counted.epoch, counted.updates_made))
    for _ in counted.updates(loader()):
        break
    resumed = engine(accumulate=2)
    resumed.load_state_dict(counted.state_dict())
    seen.append((resumed.epoch, resumed.updates_made))
    resumed.train_epoch(loader())
    seen.append((resumed.epoch, resumed.updates_made))

    assert [(0, 0), (1, 3), (1, 4), (2, 6)] == seen


def test_modules_that_join_between_passes_do_not_add_up():
    """Their gradients are dropped too, though no optimizer holds them."""
    model = nn.ModuleDict({"first": nn.Linear(1, 1)})

    def step(model, batch):
        return sum(layer(batch).mean() for layer in model.values())

    trained = Engine(model, step, SGD(model.parameters(), lr=0.1))
    trained.train_epoch([torch.ones(1, 1)])
    model["late"] = nn.Linear(1, 1)
    trained.train_epoch([torch.ones(1, 1)] * 2)

    assert 1.0 == model["late"].bias.grad.item()
