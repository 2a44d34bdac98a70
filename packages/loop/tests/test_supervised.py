"""supervised(): the step for inputs and targets."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.optim import SGD

from treadle_loop import Engine, InvalidSetting, Mean, NotAPair, supervised


def accuracy(outputs, targets):
    return (outputs.argmax(1) == targets).float().mean()


def test_metrics_are_taken_from_outputs_and_targets():
    """A metric by name is averaged over the records, without a graph."""
    outputs = torch.eye(3).repeat(2, 1)
    targets = torch.tensor([0, 1, 2, 0, 0, 0])
    seen = []

    def observed(outputs, targets):
        seen.append(torch.is_grad_enabled())
        return accuracy(outputs, targets)

    engine = Engine(nn.Identity(), supervised(cross_entropy, metrics={"accuracy": observed}))

    result = engine.test_epoch([(outputs[:4], targets[:4]), (outputs[4:], targets[4:])])

    assert pytest.approx(4 / 6) == result.metrics["accuracy"].item()
    assert [False, False] == seen


def test_training_with_metrics_trains_the_same(twins, same):
    """Metrics and a weight change nothing in what is trained with accumulate=1."""
    model, plain = twins()
    loader = [(torch.randn(4, 6), torch.randint(3, (4,))) for _ in range(3)]
    rich = supervised(
        cross_entropy,
        lambda outputs, targets: (targets != 9).sum(),
        metrics={"accuracy": accuracy, "first": lambda o, t: Mean(o[0, 0], 1)},
    )

    torch.manual_seed(0)
    result = Engine(model, rich, SGD(model.parameters(), lr=0.1)).train_epoch(loader)
    torch.manual_seed(0)
    expected = Engine(
        plain, supervised(cross_entropy), SGD(plain.parameters(), lr=0.1)
    ).train_epoch(loader)

    assert same(plain.state_dict(), model.state_dict())
    assert pytest.approx(expected.loss.item()) == result.loss.item()
    assert ["accuracy", "first"] == list(result.metrics)


@pytest.mark.parametrize(
    ("batch", "seen"),
    [
        (torch.ones(2, 3), "Tensor"),
        ({"inputs": torch.ones(2), "targets": torch.ones(2)}, "dict"),
        ([torch.ones(2)], "list of length 1"),
        ((torch.ones(2),) * 3, "tuple of length 3"),
    ],
    ids=["tensor", "dict", "one", "three"],
)
def test_a_batch_that_is_no_pair_is_refused(batch, seen):
    """A tensor of two rows and a dict of two keys would unpack into nonsense."""
    expected = (
        f"a batch is a {seen}, and supervised() expects (inputs, targets); write the step "
        "yourself, def step(model, batch) -> Tensor, or give Engine.update a list of batches"
    )

    with pytest.raises(NotAPair) as caught:
        Engine(nn.Identity(), supervised(mse_loss)).test_epoch([batch])

    assert expected == str(caught.value)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            lambda: supervised(nn.MSELoss),
            (
                "supervised() was given <class 'torch.nn.modules.loss.MSELoss'> as 'loss', and a "
                "function of outputs and targets was expected; did you mean MSELoss()?"
            ),
        ),
        (
            lambda: supervised(mse_loss, metrics={"accuracy": 0.5}),
            (
                "supervised() was given 0.5 as 'accuracy', and a function of outputs and targets "
                "was expected"
            ),
        ),
    ],
    ids=["class", "number"],
)
def test_a_loss_is_a_function(make, expected):
    """A class that was not called, which would swallow the batch, is told so."""
    with pytest.raises(InvalidSetting) as caught:
        make()

    assert expected == str(caught.value)
