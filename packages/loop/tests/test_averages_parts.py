"""Averaged weights, by themselves."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from treadle_loop.averages import AveragedWeights
from treadle_loop.errors import AveragesDisagree, AveragesInPlace, InvalidSetting


def train(model, updates, *followers, seed=0):
    generator = torch.Generator().manual_seed(seed)
    optimizer = SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(updates):
        optimizer.zero_grad()
        model(torch.randn(4, 6, generator=generator)).square().mean().backward()
        optimizer.step()
        for follower in followers:
            follower()


def values(model):
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("kind", ["mlp", "exceptions"])
@pytest.mark.parametrize("decay", [0.0, 0.3, 0.9])
def test_it_is_the_average_of_torch(network, same, kind, decay):
    """Averages are those of torch's AveragedModel, which began with the same weights, bit for bit."""
    model = network(kind)
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
    averaged.update_parameters(model)
    averages = AveragedWeights(model, decay)

    train(model, 5, averages.update, lambda: averaged.update_parameters(model))

    with averages.swapped():
        assert same(values(averaged.module), values(model))
    assert 5 == averages.updates


@settings(max_examples=50)
@given(
    st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=8),
    st.floats(0, 0.99),
)
def test_it_is_the_sum_by_definition(weights, decay):
    """After n updates it is the weighted sum of all weights there were, in any order of decays."""
    model = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(model.weight, weights[0])
    averages = AveragedWeights(model, decay)

    expected = weights[0]
    for weight in weights[1:]:
        nn.init.constant_(model.weight, weight)
        averages.update()
        expected = decay * expected + (1 - decay) * weight

    assert math.isclose(expected, averages.state_dict()["averages"]["weight"], abs_tol=1e-9)


def test_a_decay_may_depend_on_the_updates(scale):
    """A function of the number of updates gives each its decay, from 0."""
    asked = []

    def decay(updates):
        asked.append(updates)
        return min(0.5, updates / 4)

    averages = AveragedWeights(scale, decay)
    for weight in (8.0, 4.0, 0.0):
        nn.init.constant_(scale.weight, weight)
        averages.update()

    assert [0, 1, 2] == asked
    assert (0.25 * 8 + 0.75 * 4) / 2 == averages.state_dict()["averages"]["weight"]


@pytest.mark.parametrize("decay", [1, 1.0, -0.1, math.nan, "0.9", None, True])
def test_a_decay_outside_its_range_is_an_error(scale, decay):
    """A decay is at least 0 and less than 1, given as it is or by a function."""
    message = (
        f"the decay of averaged weights is {decay!r}, and a number of at least 0 and less than 1, "
        "or a function from the number of updates to one, was expected"
    )

    for attempt in (
        lambda: AveragedWeights(scale, decay),
        lambda: AveragedWeights(scale, lambda updates: decay).update(),
    ):
        with pytest.raises(InvalidSetting) as caught:
            attempt()
        assert message == str(caught.value)


def test_its_own_weights_come_back(network, same):
    """After swapped() each parameter is the same object, in the same memory, with the same bits."""
    model = network("exceptions")
    averages = AveragedWeights(model, 0.5)
    train(model, 3, averages.update)
    before = values(model)
    places = [(parameter, parameter.data_ptr()) for parameter in model.parameters()]
    view = model.first.weight.view(-1)

    with averages.swapped():
        assert averages.in_place
        assert not torch.equal(before["first.weight"], model.first.weight)
        assert torch.equal(view, model.first.weight.view(-1))
        assert model.first.weight is model.second.weight

    assert not averages.in_place
    assert same(before, values(model))
    for (parameter, place), after in zip(places, model.parameters(), strict=True):
        assert parameter is after
        assert place == after.data_ptr()


def test_they_come_back_after_an_exception(network, same):
    """An exception inside of swapped() leaves the model as it was, and the averages."""
    model = network()
    averages = AveragedWeights(model, 0.5)
    train(model, 3, averages.update)
    before = values(model), copy.deepcopy(averages.state_dict())

    def spoil():
        with averages.swapped():
            nn.init.zeros_(model[0].weight)
            raise KeyError

    with pytest.raises(KeyError):
        spoil()

    assert same(before, (values(model), averages.state_dict()))


def test_buffers_are_the_model_s_own(network):
    """While the averages are in the model, its batch norm uses its own statistics."""
    model = network("conv")
    averages = AveragedWeights(model, 0.5)
    model(torch.randn(4, 1, 8, 8))
    averages.update()
    mean = model[1].running_mean.clone()

    with averages.swapped():
        assert torch.equal(mean, model[1].running_mean)
    assert {name for name, _ in model.named_parameters()} == set(averages.state_dict()["averages"])


def test_swapping_twice_and_training_inside_are_errors(network, same):
    """Neither swapped() nor update() is for the inside of swapped(), and both leave it working."""
    model = network()
    averages = AveragedWeights(model, 0.5)
    train(model, 1, averages.update)
    before = values(model)

    with averages.swapped():
        with pytest.raises(AveragesInPlace) as nested, averages.swapped():
            pass
        with pytest.raises(AveragesInPlace) as stepped:
            averages.update()
        assert averages.in_place

    assert (
        "swapped() was entered inside of swapped(); the averages are in the model already"
        == str(nested.value)
    )
    assert (
        "a step was made while the averaged weights are in the model, which would be mistaken for "
        "its own; leave their context first" == str(stepped.value)
    )
    assert same(before, values(model))


def test_saved_averages_go_on_to_the_last_bit(network, same):
    """Averages that were saved, loaded and updated are those that never stopped."""

    def decay(updates):
        return min(0.9, (1 + updates) / (10 + updates))

    model = network()
    averages = AveragedWeights(model, decay)
    train(model, 2, averages.update)
    saved = copy.deepcopy((model.state_dict(), averages.state_dict()))
    resumed = network(seed=7)
    others = AveragedWeights(resumed, decay)

    resumed.load_state_dict(saved[0])
    others.load_state_dict(saved[1])
    for each, follower in ((model, averages), (resumed, others)):
        torch.manual_seed(0)
        train(each, 3, follower.update, seed=1)

    assert 5 == averages.updates
    assert same(averages.state_dict(), others.state_dict())
    assert not same(saved[1]["averages"], others.state_dict()["averages"])


def test_a_loaded_state_is_not_written_into(network, same):
    """What was loaded is copied."""
    model = network()
    averages = AveragedWeights(model, 0.5)
    saved = copy.deepcopy(averages.state_dict())
    kept = copy.deepcopy(saved)

    averages.load_state_dict(saved)
    train(model, 2, averages.update)

    assert same(kept, saved)


def test_a_state_of_another_model_is_an_error(network, same):
    """Each name and shape that does not fit is listed, and nothing is loaded."""
    model = nn.Linear(2, 3)
    averages = AveragedWeights(model, 0.5)
    before = copy.deepcopy(averages.state_dict())

    with pytest.raises(AveragesDisagree) as caught:
        averages.load_state_dict(
            {"updates": 3, "averages": {"weight": torch.zeros(3, 4), "scale": torch.zeros(1)}}
        )

    assert (
        "the averages do not fit the model: bias is missing; scale is not in the model; weight has "
        "shape (3, 4) and in the model (3, 2); load them into the model that they were made of, "
        "with the same parameters trainable" == str(caught.value)
    )
    assert same(before, averages.state_dict())


def test_parameters_may_come_and_go(network):
    """A new or newly trainable parameter starts at its value, a removed one is dropped."""
    model = network()
    model[0].requires_grad_(requires_grad=False)
    averages = AveragedWeights(model, 0.5)
    names = [set(averages.state_dict()["averages"])]

    model[0].requires_grad_(requires_grad=True)
    model.append(nn.Linear(3, 2))
    averages.update()
    names.append(set(averages.state_dict()["averages"]))
    assert torch.equal(model[4].weight, averages.state_dict()["averages"]["4.weight"])

    model[3].requires_grad_(requires_grad=False)
    del model[4]
    averages.update()
    names.append(set(averages.state_dict()["averages"]))

    first, last = {"0.weight", "0.bias"}, {"3.weight", "3.bias"}
    assert [last, first | last | {"4.weight", "4.bias"}, first | last] == names


def test_a_replaced_parameter_goes_on_under_its_name(scale):
    """Another parameter of the same name and shape carries the average on; another shape does not."""
    averages = AveragedWeights(scale, 0.5)

    scale.weight = nn.Parameter(torch.full((), 8.0, dtype=torch.float64))
    averages.update()
    assert 4 == averages.state_dict()["averages"]["weight"]

    scale.weight.data = torch.full((), 8.0, dtype=torch.float64)
    averages.update()
    assert 6 == averages.state_dict()["averages"]["weight"]

    scale.weight = nn.Parameter(torch.full((2,), 3.0, dtype=torch.float64))
    averages.update()
    assert [3, 3] == averages.state_dict()["averages"]["weight"].tolist()


def test_half_precision_is_averaged_in_float32(same):
    """In bfloat16 the average moves at all, and the model's own bits come back."""
    model = nn.Linear(1, 1, bias=False).bfloat16()
    nn.init.constant_(model.weight, 1)
    averages = AveragedWeights(model, 0.999)
    nn.init.constant_(model.weight, 2)
    for _ in range(2000):
        averages.update()

    average = averages.state_dict()["averages"]["weight"]
    with averages.swapped():
        inside = model.weight.detach().clone()

    assert torch.float32 == average.dtype
    assert 2 - 0.999**2000 == pytest.approx(average.item(), abs=1e-3)
    assert torch.equal(average.bfloat16(), inside)
    assert [[2]] == model.weight.tolist()


def test_no_update_reads(network, host_reads):
    """Updating and swapping read nothing, on the CPU and on a device without values."""
    for device in ("cpu", "meta"):
        model = network().to(device)
        averages = AveragedWeights(model, 0.9)
        with host_reads:
            averages.update()
            averages.update(torch.ones((), device=device))
            with averages.swapped():
                pass

    assert [] == host_reads.names


def test_a_withheld_update_leaves_the_averages(network, same):
    """Where the flag is 1 nothing moves; where it is 0 the update is the same to the last bit."""
    model = network()
    averages, plain = AveragedWeights(model, 0.9), AveragedWeights(model, 0.9)

    def follow():
        averages.update(torch.zeros(()))
        plain.update()
        kept = copy.deepcopy(averages.state_dict()["averages"])
        averages.update(torch.ones(()))
        assert same(kept, averages.state_dict()["averages"])

    train(model, 3, follow)

    assert same(plain.state_dict()["averages"], averages.state_dict()["averages"])
