import math

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from treadle_loop import Engine, Loss, Mean

# A window is a list of micro-batches, and each of those has some records on each of two ranks.
EQUAL = [[4, 4], [4, 4], [4, 4], [4, 4], [4, 4]]
UNEQUAL = [[3, 7], [5, 1], [2, 2], [7, 3], [1, 6]]
# Of a negative size: so many records that weigh nothing.
NOTHING_ON_ONE = [[-3, 7], [5, -1], [2, 2], [-7, 3], [1, -6]]
NOTHING_AT_ALL = [[3, 3], [-3, -3], [-2, -2], [4, 4], [-2, -4]]


def network(kind):
    torch.manual_seed(0)
    between = nn.BatchNorm1d(8) if kind == "frozen norm" else nn.Tanh()
    model = nn.Sequential(nn.Linear(6, 8), between, nn.Linear(8, 3), nn.Linear(3, 2))
    if kind == "frozen norm":
        model.train()
        between.eval()
        between.running_mean.add_(torch.linspace(-1, 1, 8))
    return model.double()


def shares(sizes):
    """For each micro-batch, the batch of each rank: inputs and targets."""
    generator = torch.Generator().manual_seed(1)

    def draw(size):
        inputs, targets = (
            torch.randn(abs(size), width, generator=generator, dtype=torch.float64)
            for width in (6, 2)
        )
        if size < 0:
            targets[:, 0] = -1
        return inputs, targets

    return [[draw(size) for size in each] for each in sizes]


def batches_of(here, sizes):
    """This rank's batches; alone, those of all ranks together."""
    if here.world_size > 1:
        return [each[here.rank] for each in shares(sizes)]
    return [tuple(map(torch.cat, zip(*each, strict=True))) for each in shares(sizes)]


def by_records(model, batch):
    inputs, targets = batch
    outputs = model(inputs)
    return Loss(
        mse_loss(outputs, targets),
        metrics={"mean": outputs.mean(), "largest": Mean(outputs[:, 0].mean(), 2 * len(inputs))},
    )


def by_a_mask(model, batch, weight_of):
    inputs, targets = batch
    outputs = model(inputs)
    counted = targets[:, 0] > 0
    each = (outputs - targets).square().mean(1)
    weight = weight_of(counted.sum())
    # A mean over nothing is nan, and so are its gradients; a weight that is not read forbids that.
    over = counted.sum() if isinstance(weight, int) else counted.sum().clamp(min=1)
    value = (each * counted).sum() / over
    return Loss(
        value,
        weight=weight,
        counts={"counted": int(counted.sum())},
        metrics={
            "mean": value,
            "own": Mean(outputs.mean(), outputs.numel()),
            "device": Mean(outputs.mean(), torch.tensor(len(inputs))),
        },
    )


def on_the_host(model, batch):
    return by_a_mask(model, batch, int)


def on_the_device(model, batch):
    return by_a_mask(model, batch, lambda weight: weight)


def said_records(model, batch):
    """Records that are not the leading size, and so not known before the step."""
    inputs, targets = batch
    return Loss(mse_loss(model(inputs), targets), records=3 * len(inputs))


class SaidNowAndThen:
    """Says the records of every other batch."""

    def __init__(self):
        self.calls = 0

    def __call__(self, model, batch):
        self.calls += 1
        loss = said_records(model, batch)
        return loss if self.calls % 2 == 0 else loss.value


STEPS = {
    "records": by_records,
    "host": on_the_host,
    "device": on_the_device,
    "said": said_records,
    "said now and then": SaidNowAndThen,
}


def trained(here, kind, sizes, accumulate, step, options=None, net="mlp", **settings):
    """Two passes of training, and one of evaluation: all numbers that come of it."""
    model, runtime = here.wrap(network(net), kind, **(options or {}))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    settings = {"clip_norm": 0.5, "scheduler": scheduler, **settings}
    step = STEPS[step]
    step = step() if isinstance(step, type) else step
    engine = Engine(model, step, optimizer, accumulate=accumulate, runtime=runtime, **settings)
    batches = batches_of(here, sizes)
    results = [engine.train_epoch(batches)]
    updates = list(engine.updates(batches))
    results.append(engine.test_epoch(batches))
    weights = [
        each.full_tensor() if hasattr(each, "full_tensor") else each for each in model.parameters()
    ]
    assert all(type(update.grad_norm) is torch.Tensor for update in updates)
    return {
        "counts": [each.counts for each in (*results, *updates)],
        "rate": scheduler.get_last_lr(),
        "last": [update.last for update in updates],
        "numbers": {
            "weights": torch.cat([each.detach().flatten() for each in weights]).tolist(),
            "losses": [float(each.loss) for each in (*results, *updates)],
            "norms": [float(update.grad_norm) for update in updates],
            "metrics": [
                {name: float(value) for name, value in each.metrics.items()}
                for each in (*results, *updates)
            ],
        },
    }


def flat(value):
    if isinstance(value, dict):
        return [number for name in sorted(value) for number in flat(value[name])]
    if isinstance(value, list):
        return [number for each in value for number in flat(each)]
    return [value]


def furthest(expected, actual):
    """The largest difference between two trees of numbers."""
    return max(
        abs(one - other) if not (math.isnan(one) and math.isnan(other)) else 0.0
        for one, other in zip(flat(expected), flat(actual), strict=True)
    )


def compare(expected, actual, limit=1e-12):
    names = ("counts", "rate", "last")
    assert {name: expected[name] for name in names} == {name: actual[name] for name in names}
    difference = furthest(expected["numbers"], actual["numbers"])
    assert difference <= limit, difference


@pytest.mark.parametrize("sizes", [EQUAL, UNEQUAL], ids=["equal", "unequal"])
@pytest.mark.parametrize("step", ["records", "host", "device"])
@pytest.mark.parametrize(
    ("kind", "accumulate"),
    [
        ("ddp", 1),
        ("ddp", 2),
        ("ddp", 4),
        pytest.param("fsdp2", 1, marks=pytest.mark.slow),
        ("fsdp2", 2),
        pytest.param("fsdp2", 4, marks=pytest.mark.slow),
    ],
)
def test_two_ranks_are_one_process(ranks, alone, kind, accumulate, step, sizes):
    """Two ranks train as one process does on both their batches, also in a short last window."""
    expected = alone(trained, kind, sizes, accumulate, step)
    first, second = ranks(trained, kind, sizes, accumulate, step)

    # Every rank counts what all have trained on.
    assert [True, True] == [
        one["numbers"]["norms"] == first["numbers"]["norms"] for one in (first, second)
    ]
    compare(expected, first)
    compare(expected, second)


@pytest.mark.parametrize("sizes", [NOTHING_ON_ONE, NOTHING_AT_ALL], ids=["one", "all"])
@pytest.mark.parametrize("step", ["host", "device"])
@pytest.mark.parametrize("accumulate", [pytest.param(1, marks=pytest.mark.slow), 2])
@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_a_batch_that_weighs_nothing_adds_nothing(ranks, alone, kind, accumulate, step, sizes):
    """A rank whose batch weighs nothing still trains with the others, and adds nothing."""
    # Where nothing weighs anything on any rank, a process alone that is told so does not go back at
    # all; several step with gradients of zero, as one does that is not told.
    expected = alone(trained, kind, sizes, accumulate, "device")
    first, second = ranks(trained, kind, sizes, accumulate, step)

    compare(expected, first)
    compare(expected, second)


OPTIONS = {
    "said records": {"step": "said"},
    "said now and then": {"step": "said now and then"},
    "bucket views": {"options": {"gradient_as_bucket_view": True}},
    "static graph": {"options": {"static_graph": True}},
    "unused are looked for": {"options": {"find_unused_parameters": True}},
    "tiny buckets": {"options": {"bucket_cap_mb": 0.0001}},
    "norm in evaluation mode": {"net": "frozen norm"},
    "measured only": {"clip_norm": math.inf},
    "clipped by value": {"clip_value": 0.01},
    "averaged": {"ema": 0.9},
    "checked": {"check_finite": True},
}


@pytest.mark.parametrize("step", [pytest.param("records", marks=pytest.mark.slow), "device"])
@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_changes_nothing_of_it(ranks, alone, option, step):
    """With any of these, two ranks still are one process."""
    given = {"step": step, **OPTIONS[option]}
    given = ("ddp", UNEQUAL, 2, given.pop("step"), given)
    first, second = ranks(trained_with, *given)
    expected = alone(trained_with, *given)

    compare(expected, first)
    compare(expected, second)


@pytest.mark.parametrize(
    "option",
    ["said records", "norm in evaluation mode", "clipped by value", "averaged", "checked"],
)
def test_an_option_changes_nothing_of_it_in_shards(ranks, alone, option):
    """Nor where the model is in shards."""
    given = {"step": "records", **OPTIONS[option]}
    given = ("fsdp2", UNEQUAL, 2, given.pop("step"), given)
    first, second = ranks(trained_with, *given)
    expected = alone(trained_with, *given)

    compare(expected, first)
    compare(expected, second)


def trained_with(here, kind, sizes, accumulate, step, settings):
    return trained(here, kind, sizes, accumulate, step, **settings)
