"""What an engine is made with: refused at once, fixed afterwards, or changed between two passes."""

import math
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

from treadle_loop import Engine, InvalidSetting, runtimes

INPUTS = torch.ones(2, 3)


def mean(model, batch):
    return model(batch).mean()


@pytest.fixture
def made():
    def make(**settings):
        torch.manual_seed(0)
        model = nn.Linear(3, 1)
        return Engine(model, mean, SGD(model.parameters(), lr=1.0), **settings)

    return make


class Host(runtimes.torch):
    """A framework that decides on the precision itself."""

    precise = 'Host("mixed")'

    def __init__(self):
        self.entered = 0

    def autocast(self):
        self.entered += 1
        return nullcontext()


class Drawn:
    """A loader that notes when it is asked for batches."""

    def __init__(self):
        self.asked = 0

    def __iter__(self):
        self.asked += 1
        return iter([INPUTS])


@pytest.mark.parametrize("name", ["model", "step", "optimizer"])
def test_the_parts_are_fixed(made, name):
    """What the engine is made of cannot be replaced in it."""
    engine = made()

    with pytest.raises(AttributeError):
        setattr(engine, name, getattr(made(), name))

    assert engine.optimizer.param_groups[0]["params"][0] is engine.model.weight
    assert engine.step is mean


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        (
            "accumulate",
            0,
            "accumulate is 0, and an int of at least 1 was expected: how many batches make an update",
        ),
        (
            "scheduler_every",
            "pass",
            'scheduler_every is \'pass\', and "step" or "epoch" was expected',
        ),
        (
            "scheduler",
            StepLR,
            (
                "the scheduler is the class StepLR, and an object with step() was expected: "
                "Engine(model, step, optimizer)"
            ),
        ),
    ],
    ids=["accumulate", "every", "scheduler"],
)
def test_a_bad_setting_is_refused_by_the_next_pass(made, setting, value, expected):
    """What is set between two passes is checked before anything is drawn, and can be mended."""
    engine = made()
    good = getattr(engine, setting)
    setattr(engine, setting, value)
    loader = Drawn()

    with pytest.raises(InvalidSetting) as caught:
        engine.train_epoch(loader)
    asked = loader.asked
    setattr(engine, setting, good)

    assert expected == str(caught.value)
    assert (0, 1) == (asked, engine.train_epoch(loader).steps)


def test_a_plateau_scheduler_is_refused_later_too(made):
    """The scheduler that wants a validation loss cannot be slipped in."""
    engine = made()
    engine.scheduler = ReduceLROnPlateau(engine.optimizer)

    with pytest.raises(InvalidSetting):
        engine.train_epoch([INPUTS])


@pytest.mark.parametrize("limit", [0, -1.0, math.nan, True, "1"])
@pytest.mark.parametrize("name", ["clip_norm", "clip_value"])
def test_limits_are_above_zero(name, limit):
    """nan, a truth value and a text are no limits, with an optimizer or without."""
    with pytest.raises(InvalidSetting) as caught:
        Engine(nn.Linear(3, 1), mean, **{name: limit})

    assert (
        f"{name} is {limit!r}, and a number above 0 was expected; leave it out for no clipping"
    ) == str(caught.value)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_one_of_two_decides_on_the_precision(made, precision):
    """Where the host casts, the engine must not be told to."""
    with pytest.raises(InvalidSetting) as caught:
        made(precision=precision, runtime=Host())

    assert (
        f"precision is '{precision}', and the host has one of its own, Host(\"mixed\"); leave one "
        "of the two out"
    ) == str(caught.value)


def test_a_host_gives_its_own_context(made):
    """It is entered once for each batch, of training and of evaluation."""
    host = Host()
    engine = made(runtime=host, accumulate=2)

    engine.train_epoch([INPUTS] * 3)
    engine.test_epoch([INPUTS])

    assert 4 == host.entered


def test_a_model_in_half_precision_is_not_scaled():
    """fp16 casts a model that is in float32 itself."""
    model = nn.Linear(3, 1, dtype=torch.float16)

    with pytest.raises(InvalidSetting) as caught:
        Engine(model, mean, SGD(model.parameters(), lr=1.0), precision="fp16")

    assert (
        'precision is "fp16", and a parameter of the optimizer is torch.float16, whose small '
        "updates would be lost; keep the model in float32: the step runs under autocast, which "
        "casts where that is safe"
    ) == str(caught.value)


def test_a_model_may_be_moved_between_passes(made):
    """Batches follow the parameters to where they are when a pass begins."""
    seen = []

    def step(model, batch):
        seen.append(batch.device.type)
        return model(batch).mean()

    model = nn.Linear(3, 1)
    engine = Engine(model, step)

    engine.test_epoch([INPUTS])
    model.to("meta")
    engine.test_epoch([INPUTS])

    assert ["cpu", "meta"] == seen


def test_an_index_is_found_for_a_device(made):
    """device= may be a text or a torch.device, and stands for one device."""
    for device in ("cpu", torch.device("cpu")):
        assert torch.isfinite(made(device=device).train_epoch([INPUTS]).loss)


def test_a_module_that_was_frozen_stays_frozen():
    """In a model that trains already, a batch norm in evaluation mode is left as it is."""
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    model[1].eval()
    engine = Engine(model, mean, SGD(model.parameters(), lr=0.1), accumulate=2, ema=0.9)

    engine.train_epoch([INPUTS] * 3)
    engine.test_epoch([INPUTS])

    assert [True, True, False] == [module.training for module in model.modules()]
    assert 0 == model[1].num_batches_tracked


def test_training_is_possible_where_inference_was(made):
    """What was evaluated under inference_mode, and batches made in a loader's, leave no trace."""
    engine = made(ema=0.9)

    with torch.inference_mode():
        engine.test_epoch([INPUTS])
        predicted = list(engine.predict([INPUTS]))
    result = engine.train_epoch([INPUTS])

    assert (1, 1) == (len(predicted), result.steps)
    assert engine.model.weight.grad is not None
