"""Nothing is read from the device until you read it."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import StepLR

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


ALL = {
    "clip_norm": 1.0,
    "clip_value": 0.1,
    "ema": lambda steps: min(0.9, steps / 10),
    "check_finite": True,
    "precision": "bf16",
}


@pytest.mark.parametrize(
    "settings",
    [{name: setting} for name, setting in ALL.items()] + [ALL],
    ids=[*ALL, "all"],
)
@pytest.mark.parametrize("step", [record_step, token_step])
@pytest.mark.parametrize("every", ["step", "epoch"])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_no_option_reads(host_reads, accumulate, every, step, settings):
    """A pass reads nothing; with the finite check one number, after its last update."""
    model = nn.Linear(6, 3)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    engine = Engine(
        model,
        step,
        optimizer,
        accumulate=accumulate,
        scheduler=StepLR(optimizer, 1),
        scheduler_every=every,
        **settings,
    )
    loader = batches("cpu")

    reads = []
    with host_reads:
        for update in engine.updates(loader):
            reads.append(len(host_reads.names))
            assert update.last or len(update.metrics) in {0, 2}
        engine.test_epoch(loader)

    assert {0} == set(reads)
    assert (["_local_scalar_dense"] if "check_finite" in settings else []) == host_reads.names


@pytest.mark.parametrize("settings", [{}, {"check_finite": True}], ids=["unchecked", "checked"])
@pytest.mark.parametrize("optimizer", [SGD, AdamW])
@pytest.mark.parametrize("step", [record_step, token_step])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_all_options_run_on_a_device_without_values(accumulate, step, optimizer, settings):
    """On the meta device, averages, clipping, metrics and schedulers run; the check's end reads."""
    model = nn.Linear(6, 3, device="meta")
    optimizer = optimizer(model.parameters(), lr=0.1)
    engine = Engine(
        model,
        step,
        optimizer,
        accumulate=accumulate,
        scheduler=StepLR(optimizer, 1),
        clip_norm=1.0,
        clip_value=0.1,
        ema=0.9,
        **settings,
    )

    for update in engine.updates(batches("meta")):
        assert "meta" == update.loss.device.type == update.grad_norm.device.type
        assert {"meta"} >= {each.device.type for each in update.metrics.values()}
        if update.last:
            break
    if settings:
        with pytest.raises(RuntimeError, match="meta tensors"):
            engine.state_dict()
        return
    with engine.averaged():
        engine.test_epoch(batches("meta"))

    assert {"meta"} == {each.device.type for each in engine.state_dict()["model"].values()}


@pytest.mark.parametrize("settings", [ALL, {"check_finite": True}], ids=["all", "checked"])
def test_a_long_pass_looks_once_in_64_updates(host_reads, settings):
    """With the finite check, a pass of 200 updates reads three numbers, and one at its end."""
    model = nn.Linear(6, 3)
    engine = Engine(model, record_step, SGD(model.parameters(), lr=0.1, momentum=0.9), **settings)

    with host_reads:
        reads = [len(host_reads.names) for _ in engine.updates(batches("cpu") * 40)]

    assert ([0] * 63 + [1] * 64 + [2] * 64 + [3] * 9, 4) == (reads, len(host_reads.names))


def test_a_long_pass_on_a_device_without_values_is_not_looked_at():
    """On the meta device the check never reads within a pass."""
    model = nn.Linear(6, 3, device="meta")
    engine = Engine(model, record_step, SGD(model.parameters(), lr=0.1), check_finite=True)

    updates = engine.updates(batches("meta") * 40)

    assert 200 == len([next(updates) for _ in range(200)])


def test_predictions_read_nothing(host_reads):
    """What the model answers stays where it is."""
    engine = Engine(nn.Linear(6, 3), record_step)

    with host_reads:
        outputs = list(engine.predict(batches("cpu")))

    assert (5, []) == (len(outputs), host_reads.names)


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
