from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from treadle_loop import Engine, InvalidSetting, runtimes, supervised


def network():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


class SetUp(nn.Module):
    """What a Fabric makes of a model."""

    def __init__(self, wrapped):
        super().__init__()
        self._forward_module = wrapped

    def forward(self, inputs):
        return self._forward_module(inputs)


def fabric(precision="32-true"):
    """As much of a Fabric as the runtime looks at; it notes what it is asked."""
    asked = []

    def autocast():
        asked.append("autocast")
        return nullcontext()

    def backward(loss):
        asked.append("backward")
        loss.backward()

    return SimpleNamespace(
        asked=asked,
        world_size=1,
        strategy=SimpleNamespace(precision=SimpleNamespace(precision=precision)),
        no_backward_sync=nullcontext,
        autocast=autocast,
        backward=backward,
    )


def accelerator(steps=1, precision="no"):
    """The same of an Accelerator."""
    return SimpleNamespace(
        gradient_accumulation_steps=steps,
        mixed_precision=precision,
        num_processes=1,
        no_sync=nullcontext,
        autocast=nullcontext,
        backward=torch.Tensor.backward,
    )


def refused(attempt):
    with pytest.raises(InvalidSetting) as caught:
        attempt()
    return str(caught.value)


class Wrong:
    def __repr__(self):
        return "<something else>"


@pytest.mark.parametrize("given", [Wrong(), None])
def test_something_else_than_a_fabric(given):
    """What is no Fabric is an error that shows it and how a Fabric is given."""
    assert (
        f"runtimes.fabric was given {given!r}, and a lightning.fabric.Fabric was expected: "
        "fabric = Fabric(...); fabric.launch(); runtimes.fabric(fabric)"
    ) == refused(lambda: runtimes.fabric(given))


@pytest.mark.parametrize("given", [Wrong(), None])
def test_something_else_than_an_accelerator(given):
    """What is no Accelerator is an error that shows it and how an Accelerator is given."""
    assert (
        f"runtimes.accelerate was given {given!r}, and an accelerate.Accelerator was expected: "
        "runtimes.accelerate(Accelerator())"
    ) == refused(lambda: runtimes.accelerate(given))


@pytest.mark.parametrize("precision", ["16-mixed", "bf16-true", "64-true"])
def test_a_fabric_that_scales_or_converts(precision):
    """A Fabric that scales losses or converts the model is refused by the name of its precision."""
    assert (
        f"Fabric was made with precision='{precision}', and '32-true' or 'bf16-mixed' was "
        "expected: with another it skips steps that the engine would count, or converts what an "
        "evaluation here would not; leave it out there, and for fp16 give "
        'Engine(..., precision="fp16")'
    ) == refused(lambda: runtimes.fabric(fabric(precision)))


@pytest.mark.parametrize("precision", ["fp16", "fp8"])
def test_an_accelerator_that_scales(precision):
    """An Accelerator that scales losses is refused by the name of its precision."""
    assert (
        f"Accelerator was made with mixed_precision='{precision}', and 'no' or 'bf16' was "
        "expected: with another it skips steps that the engine would count; leave it out there, "
        'and for fp16 give Engine(..., precision="fp16")'
    ) == refused(lambda: runtimes.accelerate(accelerator(precision=precision)))


def test_an_accelerator_that_accumulates():
    """Accumulation in both places is refused, with both settings named."""
    assert (
        "Accelerator was made with gradient_accumulation_steps=4, so it would divide each loss "
        "again and skip steps that the engine makes; leave it out there, and give "
        "Engine(..., accumulate=4)"
    ) == refused(lambda: runtimes.accelerate(accelerator(steps=4)))


class Sharded(nn.Linear):
    """A model that clips its gradients itself, as the first FSDP does."""

    def clip_grad_norm_(self, max_norm):
        raise AssertionError


class Driven(nn.Linear):
    """A model that goes back by itself, as DeepSpeed's does."""

    def backward(self, loss):
        raise AssertionError


@pytest.mark.parametrize("kind", [Sharded, Driven])
@pytest.mark.parametrize("host", ["fabric", "accelerate"])
def test_a_model_that_trains_by_itself(host, kind):
    """A strategy whose model clips or goes back by itself is refused by its name."""
    model = kind(3, 2)
    runtime, how = runtimes.accelerate(accelerator()), "accelerator.prepare"
    wrapped = model
    if host == "fabric":
        runtime, how, wrapped = runtimes.fabric(fabric()), "fabric.setup", SetUp(model)

    assert (
        f"the model is a {kind.__name__}, and runtimes.{host}() expects one that {how} wrapped "
        "in DistributedDataParallel, sharded by fully_shard (FSDP2) or, with one process, left as "
        "it was; call that, with a strategy that does so"
    ) == refused(
        lambda: Engine(
            wrapped,
            supervised(mse_loss),
            torch.optim.SGD(model.parameters(), lr=0.1),
            runtime=runtime,
        )
    )


@pytest.mark.parametrize(("precision", "contexts"), [("32-true", 0), ("bf16-mixed", 3)])
def test_fabric_is_asked(precision, contexts):
    """Fabric goes back, and its mixed precision is entered once for each batch, tested ones too."""
    host, model = fabric(precision), network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    runtime = runtimes.fabric(host)
    engine = Engine(SetUp(model), supervised(mse_loss), optimizer, runtime=runtime)
    batches = [(torch.ones(4, 3), torch.ones(4, 2))]
    engine.train_epoch(batches * 2)
    engine.test_epoch(batches)

    assert contexts == host.asked.count("autocast")
    assert 2 == host.asked.count("backward")
    assert list(model.state_dict()) == list(engine.state_dict()["model"])
