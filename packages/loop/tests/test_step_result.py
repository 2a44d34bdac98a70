"""A step in a loop of somebody else's gives what it gives in the engine's."""

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.optim import SGD

from treadle_loop import (
    Engine,
    InvalidSetting,
    Loss,
    LossNotATensor,
    Mean,
    RebuiltLoss,
    RecordsUnknown,
    call_step,
    check_step,
    supervised,
)

torch.manual_seed(0)
INPUTS = torch.randn(22, 4)
TARGETS = INPUTS.sum(1, keepdim=True)
BATCHES = [*zip(INPUTS.split(4), TARGETS.split(4), strict=True)]
CPU = torch.device("cpu")


def linear():
    torch.manual_seed(1)
    return nn.Linear(4, 1)


def weighing(model, batch):
    """A mean over the positive targets, which may be none, beside means over others."""
    inputs, targets = batch
    chosen = targets[:, 0] > 2
    each = (model(inputs) - targets)[:, 0] ** 2
    return Loss(
        each[chosen].mean(),
        weight=chosen.sum(),
        counts={"chosen": int(chosen.sum())},
        metrics={"all": Mean(each.mean(), len(each)), "number": 2},
    )


def test_another_loop_trains_the_same_weights():
    """Backward of each training loss, and a step, are bitwise the engine's pass."""
    expected, actual = linear(), linear()
    step = supervised(mse_loss)
    Engine(expected, step, SGD(expected.parameters(), lr=0.1)).train_epoch(BATCHES)
    optimizer = SGD(actual.parameters(), lr=0.1)
    for batch in BATCHES:
        optimizer.zero_grad()
        call_step(actual, step, batch).training_loss().backward()
        optimizer.step()

    assert torch.equal(expected.weight, actual.weight)


def test_means_add_up_to_the_engines():
    """Weighted sums of the means are exactly the engine's means, where a batch weighs nothing and its mean is nan."""
    model = linear()
    tested = Engine(model, weighing).test_epoch(BATCHES)
    with torch.no_grad():
        results = [call_step(model, weighing, batch) for batch in BATCHES]
    means = [result.means_on(CPU) for result in results]
    summed = {
        name: sum(each[name].value * each[name].weight for each in means)
        / sum(each[name].weight for each in means)
        for name in ("loss", "all", "number")
    }

    assert {"loss": tested.loss, **tested.metrics} == summed
    assert any(result.means["loss"].value.isnan() for result in results)
    assert {torch.float64} == {
        part.dtype for mean in means[0].values() for part in (mean.value, mean.weight)
    }
    assert (22, tested.counts["chosen"]) == (
        sum(result.records for result in results),
        sum(result.counts["chosen"] for result in results),
    )


def test_what_is_read_has_no_graph():
    """The loss keeps its graph, and the means are without one."""
    result = call_step(linear(), weighing, BATCHES[0])

    assert result.loss.requires_grad
    assert [False, False] == [result.means[name].value.requires_grad for name in ("loss", "all")]


@pytest.mark.parametrize("nothing", [0, 0.0])
def test_what_weighs_nothing_is_no_training_loss(nothing):
    """There is nothing to call backward on where a batch weighs nothing."""
    result = call_step(linear(), lambda model, batch: Loss(model(batch).sum(), nothing), INPUTS)

    assert None is result.training_loss()


def test_a_weight_on_the_device_is_not_read():
    """A weight that is a tensor of 0 gives a loss whose gradient is 0."""
    model = linear()
    call_step(
        model, lambda model, batch: Loss(model(batch).sum(), torch.tensor(0)), INPUTS
    ).training_loss().backward()

    assert torch.equal(torch.zeros(1, 4), model.weight.grad)


def test_a_loss_that_cannot_train_is_refused_for_training_alone():
    """A number, and a tensor that was made anew, are errors when they are to be trained on, and are means before."""
    number = call_step(linear(), lambda model, batch: 0.5, INPUTS)
    rebuilt = call_step(
        linear(), lambda model, batch: torch.tensor(0.5, requires_grad=True), INPUTS
    )

    for result, kind in ((number, LossNotATensor), (rebuilt, RebuiltLoss)):
        assert 0.5 == float(result.means_on(CPU)["loss"].value)
        with pytest.raises(kind):
            result.training_loss()


def test_a_batch_that_says_nothing_is_an_error():
    """Records are counted, and never guessed."""
    with pytest.raises(RecordsUnknown):
        call_step(linear(), lambda model, batch: 0.5, object())


def test_what_is_no_step_is_found_before_a_batch():
    """A loss of outputs and targets in place of a step is refused with what to write, as by the engine."""
    with pytest.raises(InvalidSetting) as ours:
        check_step(linear(), mse_loss)
    with pytest.raises(InvalidSetting) as engines:
        Engine(linear(), mse_loss)

    assert str(engines.value) == str(ours.value)
    assert None is check_step(linear(), weighing)
