"""Autocast around a step, and the scaling of losses in float16."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.optim import SGD, AdamW

from treadle_loop.errors import InvalidSetting, PrecisionUnavailable
from treadle_loop.precision import LossScaling, autocasting, check_precision

OPTIMIZERS = {
    "sgd": lambda parameters: SGD(parameters, lr=0.1),
    "momentum": lambda parameters: SGD(parameters, lr=0.1, momentum=0.9),
    "adamw": lambda parameters: AdamW(parameters, lr=0.1),
    "fused momentum": lambda parameters: SGD(parameters, lr=0.1, momentum=0.9, fused=True),
    "fused adamw": lambda parameters: AdamW(parameters, lr=0.1, fused=True),
}


def step(model, batch):
    return mse_loss(model(batch), torch.zeros(len(batch), 2)) / 4


@pytest.fixture(params=OPTIMIZERS)
def scaled(request):
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = OPTIMIZERS[request.param](model.parameters())
    return model, optimizer, LossScaling(optimizer, "cpu")


def spoil(model):
    model.weight.grad[0, 0] = math.inf


def state_of(model, optimizer):
    return copy.deepcopy((model.state_dict(), optimizer.state_dict()))


def test_fp32_is_the_step_itself():
    """A step in the model's own precision is not wrapped."""
    assert step is autocasting(step, "fp32", "cpu")


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", "bfloat16"), ("fp16", "float16")])
def test_a_step_runs_under_autocast(precision, dtype):
    """The forward pass is in the low precision, the weights and their gradients are not."""
    seen = []

    def recording(model, batch):
        outputs = model(batch)
        seen.append((str(outputs.dtype), torch.is_autocast_enabled("cpu")))
        return outputs.float().square().mean()

    model = nn.Linear(3, 2)
    autocasting(recording, precision, "cpu")(model, torch.ones(4, 3)).backward()

    assert [(f"torch.{dtype}", True)] == seen
    assert not torch.is_autocast_enabled("cpu")
    assert torch.float32 == model.weight.dtype == model.weight.grad.dtype


def test_a_step_may_call_itself():
    """Autocast is left once, however deep the step went."""
    depths = []

    def nested(model, batch):
        depths.append(torch.is_autocast_enabled("cpu"))
        return cast(model, batch - 1) if batch else model(torch.ones(1, 3)).sum()

    cast = autocasting(nested, "bf16", "cpu")
    cast(nn.Linear(3, 2), 2)

    assert [True, True, True] == depths
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("precision", ["float16", None, 16])
def test_an_unknown_precision_is_named(precision):
    """The error says which three there are."""
    with pytest.raises(InvalidSetting) as caught:
        check_precision(precision)

    assert (
        f'precision is {precision!r}, and "fp32" (as the model is), "bf16" or "fp16" was expected'
        == str(caught.value)
    )


def test_a_device_without_autocast_is_an_error():
    """What torch refuses is refused before the first batch, with torch's own reason."""
    with pytest.raises(PrecisionUnavailable) as caught:
        autocasting(step, "bf16", "meta")

    assert (
        'precision is "bf16", which torch does not offer on the device "meta" here ("User specified '
        "an unsupported autocast device_type 'meta'\"); move the model to another device, or use "
        'another precision: "fp32" works everywhere' == str(caught.value)
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here")
def test_what_torch_only_warns_about_is_an_error():
    """Where torch would go on in float32 after a warning, there is an error."""
    optimizer = SGD([nn.Parameter(torch.ones(1))])

    for make in (
        lambda: autocasting(step, "fp16", "cuda"),
        lambda: LossScaling(optimizer, "cuda"),
    ):
        with pytest.raises(PrecisionUnavailable, match=r'^precision is "fp16", which torch does'):
            make()


def test_a_model_in_float16_is_refused():
    """Scaling is for weights in float32, and says so when it is made."""
    with pytest.raises(InvalidSetting) as caught:
        LossScaling(SGD(nn.Linear(1, 1).half().parameters()), "cpu")

    assert (
        'precision is "fp16", and a parameter of the optimizer is torch.float16, whose small '
        "updates would be lost; keep the model in float32: the step runs under autocast, which "
        "casts where that is safe" == str(caught.value)
    )


def test_scaled_steps_are_those_without_scaling(scaled, same):
    """A scale is a power of two, so weights and state are the same to the last bit."""
    model, optimizer, scaling = scaled
    plain, by_hand = copy.deepcopy((model, optimizer))

    for seed in range(3):
        batch = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed))
        for each in (optimizer, by_hand):
            each.zero_grad()
        scaling.backward(step(model, batch))
        step(plain, batch).backward()
        by_hand.step()
        assert scaling.step()

    assert same(state_of(plain, by_hand)[0], state_of(model, optimizer)[0])
    assert same(by_hand.state_dict()["state"], optimizer.state_dict()["state"])


def test_a_step_with_an_infinite_gradient_is_skipped(scaled, same):
    """Weights and optimizer state stay, the scale is halved, and the next step is made."""
    model, optimizer, scaling = scaled
    before = state_of(model, optimizer)

    scaling.backward(step(model, torch.ones(4, 3)))
    spoil(model)
    made = scaling.step()

    assert (False, 2.0**15) == (made, scaling.scale)
    assert same(before, state_of(model, optimizer))
    optimizer.zero_grad()
    scaling.backward(step(model, torch.ones(4, 3)))
    assert scaling.step()
    assert not same(before[0], state_of(model, optimizer)[0])


def test_a_later_skipped_step_keeps_the_state(scaled, same):
    """What the optimizer has gathered is there after a skipped step."""
    model, optimizer, scaling = scaled
    for _ in range(2):
        optimizer.zero_grad()
        scaling.backward(step(model, torch.ones(4, 3)))
        scaling.step()
    before = state_of(model, optimizer)

    optimizer.zero_grad()
    scaling.backward(step(model, torch.ones(4, 3)))
    spoil(model)

    assert not scaling.step()
    assert same(before, state_of(model, optimizer))


def test_unscaling_happens_once_an_update(scaled):
    """Gradients are divided by the scale when first asked for, and not again."""
    model, _, scaling = scaled
    plain = copy.deepcopy(model)
    step(plain, torch.ones(4, 3)).backward()
    scaling.backward(step(model, torch.ones(4, 3)))
    scaled_gradient = model.weight.grad.clone()

    scaling.unscale()
    scaling.unscale()

    assert torch.equal(plain.weight.grad, model.weight.grad)
    assert torch.equal(2.0**16 * plain.weight.grad, scaled_gradient)


@pytest.mark.parametrize("unscaled", [False, True])
@pytest.mark.parametrize("bad", [False, True])
def test_an_update_reads_once(scaled, host_reads, unscaled, bad):
    """To know whether a step was made takes one read, for ordinary and for fused optimizers."""
    model, optimizer, scaling = scaled
    loss = step(model, torch.ones(4, 3))
    # A step made by AdamW itself reads its own counts, which are on the host.
    own = len(list(model.parameters())) if type(optimizer) is AdamW and not bad else 0
    own = 0 if optimizer.defaults["fused"] else own

    with host_reads:
        scaling.backward(loss)
        if bad:
            spoil(model)
        if unscaled:
            scaling.unscale()
        scaling.step()

    assert 1 + own == len(host_reads.names)


def test_a_window_without_gradients_is_no_step_of_the_scale(scaled, same):
    """Nothing was scaled, so nothing is found, before and after the first backward pass."""
    model, optimizer, scaling = scaled
    before = state_of(model, optimizer)

    scaling.unscale()

    assert scaling.step()
    assert same(before, state_of(model, optimizer))
    assert 2.0**16 == scaling.scale


def test_an_abandoned_update_leaves_the_scale_alone(scaled):
    """An exception between unscaling and the step costs neither the scale nor the next update."""
    model, optimizer, scaling = scaled
    scaling.backward(step(model, torch.ones(4, 3)))
    scaling.step()
    before = scaling.state_dict()

    scaling.backward(step(model, torch.ones(4, 3)))
    spoil(model)
    scaling.unscale()
    scaling.abandon()
    scaling.abandon()

    assert before == scaling.state_dict()
    optimizer.zero_grad()
    scaling.backward(step(model, torch.ones(4, 3)))
    scaling.unscale()
    assert scaling.step()


def test_the_state_goes_into_another_scaling(scaled):
    """Scale and history are taken on, before the first backward pass as well."""
    model, optimizer, scaling = scaled
    for _ in range(3):
        optimizer.zero_grad()
        scaling.backward(step(model, torch.ones(4, 3)))
        spoil(model)
        scaling.step()

    other = LossScaling(optimizer, "cpu")
    other.load_state_dict(scaling.state_dict())

    assert 2.0**13 == other.scale
    assert scaling.state_dict() == other.state_dict()


def test_nothing_is_left_on_the_optimizer(scaled):
    """A scaled step leaves no hook and no tensor behind."""
    model, optimizer, scaling = scaled
    names = set(vars(optimizer))

    scaling.backward(step(model, torch.ones(4, 3)))
    scaling.step()

    assert names == set(vars(optimizer))
    assert not optimizer._optimizer_step_post_hooks
