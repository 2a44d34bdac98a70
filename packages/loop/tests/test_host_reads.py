"""Nothing is read from the device until you read it."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, AdamW

from treadle_loop import Engine, Loss, Mean, TensorLoader, supervised


def token_step(model, batch):
    inputs, targets = batch
    outputs = model(inputs)
    correct = (outputs.argmax(1) == targets).float().mean()
    return Loss(
        cross_entropy(outputs, targets),
        weight=(targets != 0).sum(),
        counts={"tokens": len(targets)},
        metrics={"accuracy": correct, "top": Mean(outputs.max(), (targets == 0).sum())},
    )


def record_step(model, batch):
    return cross_entropy(model(batch[0]), batch[1])


def batches(device):
    return [
        (torch.randn(size, 6, device=device), torch.zeros(size, dtype=torch.long, device=device))
        for size in (4, 4, 4, 4, 1)
    ]


def cases(test):
    test = pytest.mark.parametrize("step", [record_step, token_step])(test)
    test = pytest.mark.parametrize("clip", [{}, {"clip_norm": 1.0, "clip_value": 0.1}])(test)
    return pytest.mark.parametrize("accumulate", [1, 3])(test)


@pytest.mark.parametrize("optimizer", [SGD, AdamW])
@cases
def test_an_epoch_runs_on_a_device_without_values(accumulate, clip, step, optimizer):
    """On the meta device, where any read would raise, only reading the loss does."""
    model = nn.Linear(6, 3, device="meta")
    engine = Engine(
        model, step, optimizer(model.parameters(), lr=0.1), accumulate=accumulate, **clip
    )

    trained = engine.train_epoch(batches("meta"))
    tested = engine.test_epoch(batches("meta"))

    assert (17, 5) == (trained.records, trained.batches) == (tested.records, tested.batches)
    assert "meta" == trained.loss.device.type == tested.loss.device.type
    with pytest.raises(RuntimeError, match="meta tensors"):
        float(trained.loss)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_weight_from_another_device_fetches_no_loss(accumulate):
    """A weight that was counted on the CPU goes to where the loss is, never the loss to it."""
    model = nn.Linear(6, 3, device="meta")

    def step(model, batch):
        return Loss(record_step(model, batch), weight=torch.tensor(4))

    engine = Engine(model, step, SGD(model.parameters(), lr=0.1), accumulate=accumulate)

    assert "meta" == engine.train_epoch(batches("meta")).loss.device.type


@cases
def test_the_first_read_is_yours(host_reads, accumulate, clip, step):
    """A whole epoch of training and one of evaluation read nothing; float(loss) reads once."""
    model = nn.Linear(6, 3)
    # Not AdamW: it keeps its number of steps in a CPU tensor and reads that itself.
    optimizer = SGD(model.parameters(), lr=0.1)
    engine = Engine(model, step, optimizer, accumulate=accumulate, **clip)
    loader = batches("cpu")

    with host_reads:
        engine.train_epoch(loader)
        engine.test_epoch(loader)
        before = list(host_reads.names)
        float(engine.train_epoch(loader).loss)

    assert ([], ["_local_scalar_dense"]) == (before, host_reads.names)


def test_a_tensor_loader_reads_nothing(host_reads):
    """Shuffled batches are cut without a look at them."""
    loader = TensorLoader(torch.randn(10, 6), torch.zeros(10, dtype=torch.long), batch_size=4)
    shuffled = TensorLoader(*loader.tensors, batch_size=4, shuffle=True)
    model = nn.Linear(6, 3)
    engine = Engine(model, supervised(cross_entropy), SGD(model.parameters(), lr=0.1))

    with host_reads:
        engine.train_epoch(loader)
        engine.train_epoch(shuffled)

    assert host_reads.names == []
