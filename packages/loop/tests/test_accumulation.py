"""Accumulation windows: the gradient is that of the mean over all that the window holds."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss, nll_loss
from torch.optim import SGD, AdamW

from treadle_loop import Engine, Loss, supervised


def mean(model, batch):
    return model(batch).mean()


def ones(*sizes):
    return [torch.ones(size, dtype=torch.float64) for size in sizes]


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_short_last_window_counts_as_a_whole_step(scale, epochs):
    """A window of two batches among windows of four moves the weight as far as the others."""
    engine = Engine(scale, mean, SGD(scale.parameters(), lr=1.0), accumulate=4)

    for _ in range(epochs):
        engine.train_epoch(ones(4, 4, 4, 4, 4, 4))

    assert -2.0 * epochs == scale.weight.item()


def test_unequal_batches_weigh_by_their_records(scale):
    """A batch of four records weighs four times one of a single record."""
    batches = [torch.full((4,), 2.0), torch.full((1,), 5.0)]
    engine = Engine(scale, mean, SGD(scale.parameters(), lr=1.0), accumulate=2)

    engine.train_epoch(batches)

    assert pytest.approx(-2.6, abs=1e-15) == scale.weight.item()


def test_an_epoch_shorter_than_a_window_is_one_step(scale):
    """Three batches under accumulate=8 make one step of the mean of the three."""
    engine = Engine(scale, mean, SGD(scale.parameters(), lr=1.0), accumulate=8)

    result = engine.train_epoch(iter(ones(2, 2, 2)))

    assert (1, -1.0) == (result.steps, scale.weight.item())


sizes = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def one_big_step(model, batches):
    inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    loss = mse_loss(model(inputs), targets)
    loss.backward()
    SGD(model.parameters(), lr=0.1).step()
    return loss.item()


def examples(sizes, seed):
    generator = torch.Generator().manual_seed(seed)
    return [
        (
            torch.randn(size, 3, generator=generator, dtype=torch.float64),
            torch.randn(size, 1, generator=generator, dtype=torch.float64),
        )
        for size in sizes
    ]


@settings(max_examples=40, deadline=None)
@given(sizes=sizes, spare=st.integers(0, 3), tensor_weights=st.booleans(), sized=st.booleans())
def test_a_window_is_one_big_batch(sizes, spare, tensor_weights, sized):
    """However the records are cut, the step and the loss are those of all of them at once."""
    torch.manual_seed(0)
    model = nn.Linear(3, 1).double()
    whole = copy.deepcopy(model)
    batches = examples(sizes, 1)
    weight = (lambda outputs, targets: torch.tensor(len(targets))) if tensor_weights else None
    engine = Engine(
        model,
        supervised(mse_loss, weight),
        SGD(model.parameters(), lr=0.1),
        accumulate=len(sizes) + spare,
    )

    updates = list(engine.updates(batches if sized else iter(batches)))
    expected = one_big_step(whole, batches)

    assert [pytest.approx(expected, rel=1e-12)] == [update.loss.item() for update in updates]
    torch.testing.assert_close(model.weight, whole.weight, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("weights", [[1, 4096, 3], [4096, 1, 2], [0, 5, 7], [0.25, 0.5, 8.0]])
@pytest.mark.parametrize(
    "as_weight",
    [lambda w: w, torch.tensor, lambda w: torch.tensor([w])],
    ids=["number", "tensor", "vector of one"],
)
def test_weights_of_any_kind_give_the_weighted_mean(scale, weights, as_weight):
    """Rising, falling, zero and fractional weights, numbers or tensors, end in one mean."""
    values = [3.0, 5.0, 11.0]
    engine = Engine(
        scale,
        lambda model, batch: Loss(model(batch[0]), weight=as_weight(batch[1]), records=1),
        SGD(scale.parameters(), lr=1.0),
    )

    engine.update(list(zip(torch.tensor(values), weights, strict=True)))
    expected = sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)

    assert pytest.approx(-expected, rel=1e-7) == scale.weight.item()


def test_no_loss_is_scaled_up(scale):
    """A batch that is heavier than all that was expected does not enter with a factor above 1."""
    factors = []

    def step(model, batch):
        value = model(torch.ones(()))
        value.register_hook(lambda gradient: factors.append(gradient.item()))
        return Loss(value, weight=batch, records=1)

    engine = Engine(scale, step, SGD(scale.parameters(), lr=1.0))

    engine.update([1, 4096, 2, 8192])

    assert [0.25, 1.0, 2 / 4096, 1.0] == factors
    assert pytest.approx(-1.0) == scale.weight.item()


@pytest.mark.parametrize("weight", [0, torch.tensor(0)], ids=["number", "tensor"])
def test_a_batch_of_weight_zero_counts_for_nothing(scale, weight):
    """A window in which one batch has no weight has the loss and the step of the others."""

    def step(model, batch):
        value = nll_loss(
            torch.stack([model(torch.ones(()))] * 2)[None],
            torch.tensor([batch]),
            ignore_index=-100,
        )
        return Loss(value, weight=weight if batch == -100 else 1, records=1)

    engine = Engine(scale, step, SGD(scale.parameters(), lr=1.0))

    update = engine.update([0, -100, 1])

    assert (0.0, 1.0, 3) == (update.loss.item(), scale.weight.item(), update.records)


@pytest.mark.parametrize("batches", [1, 2])
def test_a_window_of_plain_zeros_has_no_gradient(scale, batches):
    """Where every weight is a plain 0, even a loss of nan is no error and moves nothing."""

    def step(model, batch):
        return Loss(model(batch).mean() / 0, weight=0)

    engine = Engine(scale, step, SGD(scale.parameters(), lr=1.0))

    update = engine.update(ones(1, 1)[:batches])

    assert (None, 0.0, batches) == (scale.weight.grad, scale.weight.item(), update.records)


@pytest.mark.parametrize("batches", [1, 3])
def test_a_window_without_any_weight_changes_nothing(scale, batches):
    """Where every weight is 0 the gradient is not nan; a loss is nan, but for a single one."""
    engine = Engine(
        scale,
        lambda model, batch: Loss(model(batch), weight=torch.tensor(0), records=1),
        SGD(scale.parameters(), lr=1.0),
    )

    update = engine.update(ones(1, 1, 1)[:batches])

    assert (batches > 1, 0.0) == (math.isnan(update.loss), scale.weight.item())


@given(
    st.lists(
        st.tuples(
            st.floats(-4, 4), st.sampled_from([0, 0.0, 0.5, 1, 3, 1024, 4096]), st.booleans()
        ),
        min_size=1,
        max_size=9,
    ),
    st.integers(1, 5),
    st.booleans(),
    st.booleans(),
)
def test_any_mix_of_weights_is_exact(batches, accumulate, sized, watched):
    """Numbers and tensors in one window, zeros among them, over a pass: weight, loss, average."""
    model = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    nn.init.ones_(model.weight)
    engine = Engine(
        model,
        lambda model, batch: Loss((model(batch[0]) ** 2).sum(), weight=batch[1], records=1),
        SGD(model.parameters(), lr=0.01),
        accumulate=accumulate,
        ema=0.5,
        **({"check_finite": True, "clip_norm": math.inf} if watched else {}),
    )
    loader = [
        (torch.full((1,), value, dtype=torch.float64), torch.tensor(w) if of_tensors else w)
        for value, w, of_tensors in batches
    ]

    result = engine.train_epoch(loader if sized else iter(loader))

    weight = average = 1.0
    total = counted = 0.0
    for start in range(0, len(batches), accumulate):
        window = batches[start : start + accumulate]
        heavy = sum(w for _, w, _ in window)
        slope = sum(w * 2 * weight * value**2 for value, w, _ in window)
        total += sum(w * (weight * value) ** 2 for value, w, _ in window)
        counted += heavy
        weight -= 0.01 * slope / heavy if heavy else 0
        average = (average + weight) / 2
    averaged = engine.state_dict()["averages"]["averages"]["weight"].item()

    assert [weight, average] == pytest.approx([model.weight.item(), averaged], rel=1e-12)
    if counted:
        assert total / counted == pytest.approx(result.loss.item(), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("accumulate", [2, 3, 4, 5, 7])
@pytest.mark.parametrize("sized", [True, False])
def test_equal_full_windows_are_the_textbook_to_the_last_bit(twins, same, accumulate, sized):
    """Where the textbook's (loss / k).backward() is right, the result is the very same."""
    model, textbook = twins()
    batches = [(torch.randn(8, 6), torch.randint(3, (8,))) for _ in range(2 * accumulate)]
    engine = Engine(
        model,
        supervised(cross_entropy),
        AdamW(model.parameters(), lr=0.01),
        accumulate=accumulate,
    )

    torch.manual_seed(1)
    engine.train_epoch(batches if sized else iter(batches))
    torch.manual_seed(1)
    optimizer = AdamW(textbook.parameters(), lr=0.01)
    for index, (inputs, targets) in enumerate(batches, 1):
        (cross_entropy(textbook(inputs), targets) / accumulate).backward()
        if index % accumulate == 0:
            optimizer.step()
            optimizer.zero_grad()

    assert same(textbook.state_dict(), model.state_dict())
    assert same(optimizer.state_dict(), engine.optimizer.state_dict())


def test_a_short_last_window_is_the_textbook_to_the_last_bit(twins, same):
    """Where the loader has a length, three batches that are left of windows of five divide by 3."""
    model, textbook = twins()
    batches = [(torch.randn(8, 6), torch.randint(3, (8,))) for _ in range(3)]
    engine = Engine(model, supervised(cross_entropy), SGD(model.parameters(), lr=0.1), accumulate=5)

    torch.manual_seed(1)
    engine.train_epoch(batches)
    torch.manual_seed(1)
    for inputs, targets in batches:
        (cross_entropy(textbook(inputs), targets) / 3).backward()
    SGD(textbook.parameters(), lr=0.1).step()

    assert same(textbook.state_dict(), model.state_dict())


@pytest.mark.parametrize(
    "weight", [None, lambda outputs, targets: torch.tensor(len(targets))], ids=["number", "tensor"]
)
def test_sparse_gradients_are_settled(weight):
    """A sparse embedding takes the step of a dense one, over unequal batches."""
    torch.manual_seed(0)
    batches = [(torch.randint(9, (size, 5)), torch.randint(3, (size,))) for size in (2, 8, 3)]
    weights = []
    for sparse in (True, False):
        model = nn.EmbeddingBag(9, 3, sparse=sparse)
        nn.init.ones_(model.weight)
        engine = Engine(
            model, supervised(cross_entropy, weight), SGD(model.parameters(), lr=0.1), accumulate=4
        )
        engine.train_epoch(batches)
        weights.append(model.weight)

    torch.testing.assert_close(*weights)
