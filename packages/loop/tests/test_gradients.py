"""Gradients: cleared before each update, there after it, clipped once."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim import SGD
from torch.optim.lr_scheduler import ExponentialLR

from treadle_loop import Engine
from treadle_loop.gradients import multiply_gradients


def mean(model, batch):
    return model(batch).mean()


ONES = torch.ones(2, dtype=torch.float64)


def test_the_gradient_at_a_yield_is_the_applied_one(scale):
    """Normalised by the window and clipped, as the optimizer saw it."""
    engine = Engine(scale, mean, SGD(scale.parameters(), lr=1.0), accumulate=3, clip_norm=0.5)

    update = engine.update([ONES, 2 * ONES, 3 * ONES])

    assert (2.0, pytest.approx(0.5)) == (update.grad_norm.item(), scale.weight.grad.item())


def test_clipping_by_norm_comes_before_clipping_by_value():
    """The norm is measured on the gradient as it is, and both limits hold afterwards."""
    model = nn.Linear(2, 1, bias=False)
    engine = Engine(
        model,
        lambda model, batch: model(batch).sum(),
        SGD(model.parameters(), lr=1.0),
        clip_norm=1.0,
        clip_value=0.7,
    )

    update = engine.update([torch.tensor([[3.0, 4.0]])])

    assert 5.0 == update.grad_norm.item()
    torch.testing.assert_close(model.weight.grad, torch.tensor([[0.6, 0.7]]))


def test_an_infinite_limit_measures(scale):
    """With clip_norm=inf the norm is there and the gradient is left alone."""
    engine = Engine(scale, mean, SGD(scale.parameters(), lr=1.0), clip_norm=math.inf)

    update = engine.update([3 * ONES])

    assert (3.0, 3.0) == (update.grad_norm.item(), scale.weight.grad.item())


def test_without_clipping_there_is_no_norm(scale):
    """What was not asked for is not computed."""
    engine = Engine(scale, mean, SGD(scale.parameters(), lr=1.0), clip_value=1.0)

    assert engine.update([ONES]).grad_norm is None


def test_parameters_that_join_later_do_not_leak(scale):
    """A parameter given to the optimizer between two updates starts from a clear gradient."""
    late = nn.Parameter(torch.zeros((), dtype=torch.float64))
    optimizer = SGD(scale.parameters(), lr=1.0)
    engine = Engine(scale, lambda model, batch: ((model.weight + late) * batch).mean(), optimizer)

    engine.update([ONES])
    optimizer.add_param_group({"params": [late]})
    engine.update([ONES])

    assert (-2.0, -1.0) == (scale.weight.item(), late.item())


def test_parameters_that_no_optimizer_holds_do_not_add_up():
    """The gradient of a part that does not train yet is that of one update."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    nn.init.ones_(model[0].weight)
    nn.init.ones_(model[1].weight)
    engine = Engine(
        model,
        lambda model, batch: model(batch).mean(),
        SGD(model[1].parameters(), lr=0.0),
    )

    for _ in range(3):
        engine.update([torch.ones(1, 1), torch.ones(1, 1)])

    assert 1.0 == model[0].weight.grad.item()


def test_shared_parameters_are_rescaled_once():
    """A parameter that two modules share, and the optimizer holds, is settled once."""
    layer = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(layer.weight)
    model = nn.ModuleList([layer, layer])
    engine = Engine(
        model,
        lambda model, batch: model[0](batch).mean(),
        SGD(model.parameters(), lr=1.0),
    )

    engine.update([torch.ones(4, 1), torch.full((1, 1), 6.0)])

    assert pytest.approx(-2.0) == layer.weight.item()


def test_two_engines_train_a_gan(same):
    """Of a pair of engines that share a loader, neither leaks a gradient into the other."""

    def build():
        torch.manual_seed(0)
        return nn.Linear(2, 3), nn.Linear(3, 1)

    def judge(scores, *, real):
        wanted = torch.ones_like(scores) if real else torch.zeros_like(scores)
        return binary_cross_entropy_with_logits(scores, wanted)

    batches = [(torch.randn(4, 3), torch.randn(4, 2)) for _ in range(5)]
    generator, critic = build()

    def criticise(critic, batch):
        real, noise = batch
        fake = generator(noise).detach()
        return judge(critic(real), real=True) + judge(critic(fake), real=False)

    def fool(generator, batch):
        return judge(critic(generator(batch[1])), real=True)

    critics = Engine(critic, criticise, SGD(critic.parameters(), lr=0.1))
    generators = Engine(generator, fool, SGD(generator.parameters(), lr=0.1))
    for batch in batches:
        critics.update([batch])
        generators.update([batch])

    trained = generator.state_dict(), critic.state_dict()
    generator, critic = build()
    optimizers = SGD(critic.parameters(), lr=0.1), SGD(generator.parameters(), lr=0.1)
    for batch in batches:
        for step, model, optimizer in zip(
            (criticise, fool), (critic, generator), optimizers, strict=True
        ):
            generator.zero_grad()
            critic.zero_grad()
            step(model, batch).backward()
            optimizer.step()

    assert same((generator.state_dict(), critic.state_dict()), trained)


@pytest.mark.parametrize("every", ["step", "epoch"])
def test_a_gan_with_all_options_is_its_loop_by_hand(same, every):
    """One engine drives the pass and the other updates beside it, each with a scheduler of its own."""
    torch.manual_seed(1)
    batches = [(torch.randn(4, 3), torch.randn(4, 2)) for _ in range(6)]

    def build():
        torch.manual_seed(0)
        models = nn.Linear(2, 3), nn.Linear(3, 1)
        optimizers = [SGD(each.parameters(), lr=0.1, momentum=0.9) for each in models]
        return *models, optimizers, [ExponentialLR(each, 0.9) for each in optimizers]

    def judge(scores, *, real):
        wanted = torch.ones_like(scores) if real else torch.zeros_like(scores)
        return binary_cross_entropy_with_logits(scores, wanted)

    def criticise(critic, batch):
        fake = generator(batch[1]).detach()
        return judge(critic(batch[0]), real=True) + judge(critic(fake), real=False)

    def fool(generator, batch):
        return judge(critic(generator(batch[1])), real=True)

    generator, critic, optimizers, schedulers = build()
    shared = {"ema": 0.9, "check_finite": True, "clip_norm": 0.1}
    generators = Engine(generator, fool, optimizers[0], scheduler=schedulers[0], **shared)
    critics = Engine(
        critic,
        criticise,
        optimizers[1],
        scheduler=schedulers[1],
        scheduler_every=every,
        accumulate=2,
        **shared,
    )
    seen = []

    def noted():
        for batch in batches:
            seen.append(batch)
            yield batch

    for update in critics.updates(noted()):
        assert update.grad_norm is not None
        generators.update(seen[2 * update.index : 2 * update.index + 2])
    trained = generator.state_dict(), critic.state_dict()

    generator, critic, optimizers, schedulers = build()
    for first, second in zip(batches[::2], batches[1::2], strict=True):
        for step, model, index in ((criticise, critic, 1), (fool, generator, 0)):
            generator.zero_grad()
            critic.zero_grad()
            for batch in (first, second):
                (step(model, batch) / 2).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizers[index].step()
            if index == 0 or every == "step":
                schedulers[index].step()

    assert same((generator.state_dict(), critic.state_dict()), trained)


def test_parameters_that_join_the_model_and_the_optimizer_train(scale):
    """A layer added between two passes, and given to the optimizer, is trained and averaged."""
    optimizer = SGD(scale.parameters(), lr=1.0)
    engine = Engine(scale, mean, optimizer, ema=0.5, check_finite=True, clip_norm=10.0)
    engine.train_epoch([ONES])

    scale.late = nn.Parameter(torch.zeros((), dtype=torch.float64))
    scale.forward = lambda inputs: (scale.weight + scale.late) * inputs
    optimizer.add_param_group({"params": [scale.late]})
    engine.train_epoch([ONES, ONES])

    assert (-3.0, -2.0) == (scale.weight.item(), scale.late.item())
    # It began at -1, with the first step that it was there for, and went on to -2.
    assert -1.5 == engine.state_dict()["averages"]["averages"]["late"].item()


@pytest.mark.parametrize("factor", [0.3, torch.tensor(0.3, dtype=torch.float64), torch.tensor(0.3)])
def test_all_gradients_are_scaled_as_one_by_one(factor):
    """Dense, sparse, of several types and shared: to the last bit what mul_ makes of each."""
    torch.manual_seed(0)
    shared = nn.Linear(3, 3)
    model = nn.ModuleList(
        [shared, nn.Linear(3, 2).double(), nn.Embedding(7, 3, sparse=True), nn.Linear(2, 2).half()]
    )
    unreached = nn.Linear(1, 1)
    optimizer = SGD([*shared.parameters(), *unreached.parameters()], lr=1.0)
    model[2](torch.tensor([1, 1, 4])).square().sum().backward()
    for parameter in (*shared.parameters(), *model[1].parameters(), *model[3].parameters()):
        parameter.grad = torch.randn_like(parameter)
    parameters = [each for each in model.parameters() if each.grad is not None]
    expected = [each.grad.clone().mul_(factor) for each in parameters]

    multiply_gradients(model, optimizer, factor)

    for one, parameter in zip(expected, parameters, strict=True):
        assert one.dtype is parameter.grad.dtype
        assert torch.equal(one.to_dense(), parameter.grad.to_dense())
