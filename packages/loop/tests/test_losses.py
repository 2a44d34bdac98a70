"""A loss that cannot train is an error with a name, and says what to write instead."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD

from treadle_loop import (
    Engine,
    GraphFreed,
    InvalidSetting,
    Loss,
    LossNotATensor,
    LossWithoutGraph,
    Mean,
    NothingTrained,
    RebuiltLoss,
    UnreducedLoss,
    UnreducedMetric,
)

INPUTS = torch.ones(3, 2)


def engine_for(step):
    model = nn.Linear(2, 1)
    return Engine(model, step, SGD(model.parameters(), lr=1.0))


def message_of(kind, step, batch=INPUTS):
    with pytest.raises(kind) as caught:
        engine_for(step).update([batch])
    return str(caught.value)


@pytest.mark.parametrize(
    ("read", "seen"),
    [
        (float, "float 0.5"),
        (lambda loss: 2, "int 2"),
        (lambda loss: np.float32(0.5), "float32 np.float32(0.5)"),
        (lambda loss: Loss(0.5), "float 0.5"),
    ],
    ids=["float", "int", "numpy", "Loss"],
)
def test_a_number_cannot_train(read, seen):
    """A loss that was read into a number is refused by its type and value."""
    expected = (
        f"the loss is the {seen}, and training needs the tensor with its graph; return it as it "
        "is, without .item(), float() or .numpy(): it is read once, when you print it"
    )

    actual = message_of(LossNotATensor, lambda model, batch: read(torch.tensor(0.5)))

    assert expected == actual


@pytest.mark.parametrize(
    ("returned", "named"),
    [(None, "a NoneType"), ((1, 2), "a tuple"), (True, "a bool"), ({}, "a dict")],
    ids=["None", "tuple", "bool", "dict"],
)
def test_something_else_is_no_loss(returned, named):
    """What is no loss at all is refused by its type, in training and in evaluation."""
    expected = (
        f"the step returned {named} where a loss was expected; return the loss as a tensor, or a "
        "Loss(value, ...)"
    )

    actual = message_of(LossNotATensor, lambda model, batch: returned)

    assert expected == actual
    with pytest.raises(LossNotATensor):
        engine_for(lambda model, batch: returned).test_epoch([INPUTS])


def without_gradients(model, batch):
    with torch.no_grad():
        return model(batch).mean()


def in_inference_mode(model, batch):
    with torch.inference_mode():
        return model(batch).mean()


def frozen(model, batch):
    return model.requires_grad_(requires_grad=False)(batch).mean()


@pytest.mark.parametrize(
    "step",
    [
        lambda model, batch: torch.tensor(model(batch).mean().item()),
        lambda model, batch: model(batch).mean().detach(),
        without_gradients,
        in_inference_mode,
        frozen,
    ],
    ids=["rebuilt", "detached", "no_grad", "inference", "frozen"],
)
def test_a_loss_without_a_graph_cannot_train(step):
    """Each way to lose the graph is met with one message that lists them all."""
    expected = (
        "the loss has no grad_fn, so no gradient can flow from it. Either it was rebuilt with "
        "torch.tensor(...) or .item(), or detached, or computed under torch.no_grad() or "
        "torch.inference_mode(), or every parameter has requires_grad=False; return the tensor "
        "that the loss was computed as, from parameters that train"
    )

    assert expected == message_of(LossWithoutGraph, step)


def test_a_rebuilt_leaf_cannot_train():
    """torch.tensor(loss, requires_grad=True), on which backward() runs and trains nothing."""
    expected = (
        "the loss is a new tensor with requires_grad=True and no grad_fn, such as "
        "torch.tensor(loss, requires_grad=True): backward() would run and train nothing; return "
        "the tensor that the loss was computed as, or reshape it with .view() or .unsqueeze(), "
        "which keep the graph"
    )

    actual = message_of(
        RebuiltLoss,
        lambda model, batch: torch.tensor(model(batch).mean().item(), requires_grad=True),
    )

    assert expected == actual


def test_a_loss_that_misses_the_optimizer_cannot_train():
    """A loss with a graph that reaches none of the optimizer's parameters is found."""
    expected = (
        "the backward pass left no gradient in any parameter of the optimizer, so a step would "
        "train nothing; see that the loss depends on them: that the optimizer was made from this "
        "model's parameters, that they have requires_grad=True, and that the loss was not rebuilt "
        "on the way"
    )

    actual = message_of(
        NothingTrained,
        lambda model, batch: torch.tensor(1.0, requires_grad=True) * 2,
    )

    assert expected == actual


def test_an_unreduced_loss_is_refused():
    """A vector of losses is not averaged behind your back."""
    expected = (
        "the loss has shape (3, 1), and one value was expected; reduce it with .mean(), or with "
        ".sum() / n and Loss(value, weight=n). From nn.DataParallel it is one loss a device, to be "
        "weighted by each device's records"
    )

    assert expected == message_of(UnreducedLoss, lambda model, batch: model(batch))


def test_a_loss_of_shape_one_trains():
    """A vector of one value is that value: what .unsqueeze(0) makes of it keeps the graph."""
    engine = engine_for(lambda model, batch: model(batch).mean().unsqueeze(0))

    update = engine.update([INPUTS])

    assert ((), 1.0) == (tuple(update.loss.shape), engine.model.bias.grad.item())


def test_an_unreduced_metric_is_refused():
    """A metric with a value for each record is refused by its name."""
    expected = (
        "the metric 'hits' has shape (3, 1), and one value was expected; reduce it, for instance "
        "with .mean()"
    )

    actual = message_of(
        UnreducedMetric,
        lambda model, batch: Loss(model(batch).mean(), metrics={"hits": model(batch)}),
    )

    assert expected == actual


@pytest.mark.parametrize(
    ("weight", "seen"),
    [
        (-1, "-1"),
        (True, "True"),
        (math.inf, "inf"),
        (math.nan, "nan"),
        ("3", "'3'"),
        (torch.ones(2), "a tensor of shape (2,)"),
    ],
)
def test_a_weight_is_a_finite_number(weight, seen):
    """Anything else is refused where the Loss or the Mean is made."""
    expected = (
        f"a weight is {seen}, and a finite number that is not negative, or a 0-dim tensor of one, "
        "was expected: what the value is a mean over"
    )

    for make in (lambda: Loss(torch.ones(()), weight=weight), lambda: Mean(1.0, weight)):
        with pytest.raises(InvalidSetting) as caught:
            make()
        assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"records": 2.0},
            (
                "Loss.records is 2.0, and an int of at least 0 was expected: counts are kept on the "
                "host"
            ),
        ),
        (
            {"counts": {"tokens": -1}},
            (
                "Loss.counts['tokens'] is -1, and an int of at least 0 was expected: counts are kept "
                "on the host"
            ),
        ),
        (
            {"counts": {"records": 1}},
            "Loss.counts has 'records', which the engine counts itself; give Loss(records=...)",
        ),
        (
            {"counts": {"steps": 1}},
            "Loss.counts has 'steps', which the engine counts itself; leave it out",
        ),
        (
            {"metrics": [1.0]},
            "Loss.metrics is a list, and a mapping of names to values was expected",
        ),
        (
            {"metrics": {"loss": 1.0}},
            "Loss.metrics has 'loss', which is the name of the loss itself; give it another",
        ),
    ],
    ids=["float", "negative", "records", "steps", "list", "loss"],
)
def test_counts_and_metrics_are_checked(fields, expected):
    """Counts that are no ints, and names that are taken, are refused."""
    with pytest.raises(InvalidSetting) as caught:
        Loss(torch.ones(()), **fields)

    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("metric", "seen"), [("high", "a str"), (None, "a NoneType"), ([1.0], "a list")]
)
def test_a_metric_is_a_number(metric, seen):
    """What is neither a tensor nor a number is no metric, and is named with its class."""
    actual = message_of(
        InvalidSetting,
        lambda model, batch: Loss(model(batch).mean(), metrics={"accuracy": metric}),
    )

    expected = (
        f"the metric 'accuracy' is {seen}, and a tensor of one value or a number was expected"
    )
    assert expected == actual


def test_a_mean_is_of_a_number():
    """A mean with a weight of its own is refused where it is made, with the class of what it is of."""
    with pytest.raises(InvalidSetting) as caught:
        Mean("high", 3)

    assert "a Mean is of a str, and a tensor of one value or a number was expected" == str(
        caught.value
    )


@pytest.mark.parametrize("weight", [np.int8(100), np.float16(100.5), np.int64(100)])
def test_weights_of_numpy_are_summed_exactly(weight):
    """Narrow numbers of numpy neither wrap nor round where they are added up."""
    engine = Engine(nn.Linear(1, 1), lambda model, batch: Loss(batch.mean(), weight=weight))
    first, *others = [INPUTS] * 100

    result = engine.test_epoch([0 * first, *others])

    assert pytest.approx(0.99, rel=1e-12) == result.loss.item()


def test_a_number_is_fine_in_evaluation():
    """Where nothing is trained, a loss may be a plain number, and is averaged as one."""
    engine = Engine(nn.Linear(2, 1), lambda model, batch: float(batch[0, 0]))

    result = engine.test_epoch([torch.full((4, 2), 1.0), torch.full((1, 2), 6.0)])

    assert pytest.approx(2.0) == result.loss.item()


def test_the_loss_keeps_no_graph():
    """What an update and an epoch carry is detached."""
    engine = engine_for(
        lambda model, batch: Loss(model(batch).mean(), metrics={"same": model(batch).mean()})
    )

    update = engine.update([INPUTS, INPUTS])
    result = engine.train_epoch([INPUTS])
    tensors = [update.loss, *update.metrics.values(), result.loss, *result.metrics.values()]

    assert [False] * 4 == [tensor.requires_grad for tensor in tensors]


def test_a_loss_computed_for_other_targets_still_counts():
    """cross_entropy with ignore_index and its own weight is averaged over the targets it saw."""
    step_losses = []

    def step(model, batch):
        inputs, targets = batch
        loss = cross_entropy(inputs, targets, ignore_index=-100)
        step_losses.append(loss.item())
        return Loss(loss, weight=(targets != -100).sum())

    inputs = torch.randn(6, 3)
    targets = torch.tensor([0, -100, 1, -100, -100, 2])
    engine = Engine(nn.Linear(1, 1), step)

    result = engine.test_epoch([(inputs[:3], targets[:3]), (inputs[3:], targets[3:])])
    expected = cross_entropy(inputs, targets, ignore_index=-100).item()

    assert pytest.approx(expected, rel=1e-6) == result.loss.item()


FREED = (
    "the graph of the loss, or a part of it, is freed: a backward() went through it before the "
    "engine's own, and one was expected; return the loss, and leave backward() to the engine, and "
    "detach() what is kept from one batch to the next, such as a hidden state"
)


@pytest.mark.parametrize(
    "settings",
    [{}, {"accumulate": 2}, {"precision": "fp16"}, {"precision": "bf16"}],
    ids=str,
)
@pytest.mark.parametrize("weight", [None, 3, torch.tensor(3)])
def test_a_step_that_goes_back_itself_is_told_so(settings, weight):
    """A step that calls backward() leaves a loss that cannot; nothing of it is left behind."""

    def step(model, batch):
        loss = model(batch).square().mean()
        loss.backward()
        return Loss(loss, weight=weight)

    model = nn.Linear(2, 1)
    engine = Engine(model, step, SGD(model.parameters(), lr=1.0), **settings)
    before = model.weight.detach().clone()

    with pytest.raises(GraphFreed) as caught:
        engine.update([INPUTS, INPUTS])

    assert FREED == str(caught.value)
    assert "second time" in str(caught.value.__cause__)
    assert model.weight.grad is None
    assert torch.equal(before, model.weight)


def test_a_hidden_state_that_keeps_its_graph_is_told_so():
    """What one batch hands on to the next has to be detached."""
    model = nn.Linear(2, 2)
    hidden = [torch.zeros(2)]

    def step(model, batch):
        hidden[0] = model(batch + hidden[0]).tanh().mean(0)
        return hidden[0].square().mean()

    engine = Engine(model, step, SGD(model.parameters(), lr=1.0))
    engine.update([INPUTS])

    with pytest.raises(GraphFreed) as caught:
        engine.update([INPUTS])
    assert FREED == str(caught.value)


def test_another_error_of_the_backward_pass_is_its_own():
    """What else a backward pass may raise reaches you as it is."""

    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, value):
            return value.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise RuntimeError("no way back")

    with pytest.raises(RuntimeError, match=r"^no way back$") as caught:
        engine_for(lambda model, batch: Broken.apply(model(batch).mean())).update([INPUTS])
    assert type(caught.value) is RuntimeError
