"""Evaluation: exact means, no gradients, and everything as it was."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.optim import SGD

from treadle_loop import Engine, Loss, Mean, WrongLength, supervised


class Identity(nn.Module):
    def forward(self, inputs):
        return inputs


def batches():
    """Ten records, of which record i has the loss i, in batches of 4, 4 and 2."""
    return torch.arange(10.0).split(4)


@pytest.mark.parametrize("loader", [list, iter], ids=["sized", "unsized"])
def test_the_mean_is_over_records_not_batches(loader):
    """Ten losses from 0 to 9 have the mean 4.5, however they are cut."""
    engine = Engine(Identity(), lambda model, batch: model(batch).mean())

    result = engine.test_epoch(loader(batches()))

    assert (4.5, 10, 3, 0) == (result.loss.item(), result.records, result.batches, result.steps)


def test_metrics_are_means_over_what_they_say():
    """A metric goes by the loss's weight, or by that of its own Mean; counts are added up."""

    def step(model, batch):
        large = batch[batch > 6]
        return Loss(
            batch.mean(),
            counts={"large": len(large)},
            metrics={
                "square": batch.square().mean(),
                "large": Mean(large.mean() if len(large) else 0.0, len(large)),
            },
        )

    result = Engine(Identity(), step).test_epoch(batches())

    assert {"square": pytest.approx(28.5), "large": pytest.approx(8.0)} == {
        name: value.item() for name, value in result.metrics.items()
    }
    assert {"records": 10, "batches": 3, "steps": 0, "epochs": 1, "large": 3} == result.counts


def test_an_epoch_of_training_has_the_same_means():
    """The mean over an epoch of unequal windows is that over its records."""
    model = nn.Linear(1, 1)
    engine = Engine(
        model,
        lambda model, batch: Loss(
            batch.mean() + 0 * model(batch[:, None]).mean(), metrics={"same": batch.mean()}
        ),
        SGD(model.parameters(), lr=0.0),
        accumulate=2,
    )

    updates = list(engine.updates(batches()))
    result = engine.train_epoch(batches())

    assert [3.5, 8.5] == [update.loss.item() for update in updates]
    assert [3.5, 8.5] == [update.metrics["same"].item() for update in updates]
    assert [8, 2] == [update.weight for update in updates]
    assert (4.5, 4.5) == (result.loss.item(), result.metrics["same"].item())


def test_a_long_epoch_loses_no_digits():
    """The mean of many heavy losses is exact, where a float32 sum would round from 2**24 on."""
    engine = Engine(Identity(), lambda model, batch: Loss(batch[0], weight=999, records=1))
    one = torch.ones(1)

    result = engine.test_epoch([*[one] * 20_000, torch.zeros(1)])

    assert pytest.approx(20_000 / 20_001, rel=1e-12) == result.loss.item()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_losses_are_summed_in_more(dtype):
    """Losses of 1 in half precision have the mean 1 beyond the largest half-precision integer."""
    engine = Engine(Identity(), lambda model, batch: batch.mean())

    result = engine.test_epoch([torch.ones(100, dtype=dtype)] * 2_000)

    assert 1.0 == result.loss.item()


@pytest.mark.parametrize(
    "weigh", [len, lambda known: torch.tensor(len(known))], ids=["number", "tensor"]
)
def test_a_bad_batch_of_weight_zero_leaves_no_nan(weigh):
    """A mean over nothing, which is nan, adds nothing where its weight is 0."""

    def step(model, batch):
        known = batch[batch >= 0]
        return Loss(known.mean(), weight=weigh(known))

    result = Engine(Identity(), step).test_epoch([torch.tensor([1.0, 3.0]), torch.tensor([-1.0])])

    assert (2.0, 3) == (result.loss.item(), result.records)


def test_every_module_gets_its_own_mode_back():
    """A batch norm that was frozen inside a training model is frozen after an evaluation."""
    model = nn.Sequential(nn.Linear(1, 2), nn.BatchNorm1d(2), nn.Sequential(nn.Dropout()))
    model[1].eval()
    before = [module.training for module in model.modules()]
    seen = []

    def step(model, batch):
        seen.append([module.training for module in model.modules()])
        return model(batch).mean()

    engine = Engine(model, step, SGD(model.parameters(), lr=0.1))
    engine.test_epoch([torch.ones(3, 1)])
    after = [module.training for module in model.modules()]
    engine.train_epoch([torch.ones(3, 1)])

    assert before == after
    assert [[False] * 5, before] == seen


def test_the_mode_comes_back_after_an_exception():
    """An exception in an evaluation leaves the model in training mode."""
    model = nn.Dropout()

    with pytest.raises(ZeroDivisionError):
        Engine(model, lambda model, batch: 1 / 0).test_epoch([torch.ones(1)])

    assert model.training


def test_a_module_that_acts_on_its_mode_is_told():
    """The mode comes back through train(), which adapters override to split their weights again."""
    calls = []

    class Adapter(nn.Module):
        def train(self, mode=True):
            calls.append(mode)
            return super().train(mode)

        def forward(self, inputs):
            return inputs

    model = nn.Sequential(Adapter())
    Engine(model, lambda model, batch: batch.mean()).test_epoch([torch.ones(1)])

    assert [False, True] == calls


def test_an_evaluating_model_trains_in_training_mode():
    """A model that was loaded in evaluation mode is put in training mode to train."""
    model = nn.Sequential(nn.Linear(1, 1), nn.Dropout()).eval()
    modes = []

    def step(model, batch):
        modes.append([module.training for module in model.modules()])
        return model(batch).mean()

    Engine(model, step, SGD(model.parameters(), lr=0.1)).train_epoch([torch.ones(1, 1)])

    assert [[True] * 3] == modes


def test_what_a_module_caches_in_an_evaluation_can_be_trained_with():
    """A table made lazily in an evaluation is no inference tensor, which training could not use."""

    class Cached(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2))
            self.table = None

        def forward(self, inputs):
            if self.table is None:
                self.table = torch.arange(2.0)
            return inputs * self.weight * self.table

    model = Cached()
    engine = Engine(
        model, lambda model, batch: model(batch).mean(), SGD(model.parameters(), lr=1.0)
    )
    engine.test_epoch([torch.ones(3, 2)])
    engine.train_epoch([torch.ones(3, 2)])

    assert [1.0, 0.5] == model.weight.tolist()


def test_an_evaluation_keeps_no_graph():
    """Under test_epoch and predict nothing requires a gradient; in your loop body it still does."""
    model = nn.Linear(2, 2)
    graphs = []

    def step(model, batch):
        loss = model(batch).mean()
        graphs.append(loss.requires_grad)
        return loss

    engine = Engine(model, step)
    engine.test_epoch([torch.ones(1, 2)])
    for outputs in engine.predict([torch.ones(1, 2)]):
        graphs += [outputs.requires_grad, torch.is_grad_enabled()]

    assert [False, False, True] == graphs


def test_predictions_come_batch_by_batch():
    """By default the model gets the inputs; forward= decides what else is handed out."""
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.9))
    loader = [(torch.randn(4, 2), torch.tensor([0, 1, 2, 0])), (torch.randn(1, 2), torch.ones(1))]
    engine = Engine(model, supervised(cross_entropy))

    outputs = list(engine.predict(loader))
    bare = list(engine.predict([inputs for inputs, _ in loader]))
    pairs = list(engine.predict(loader, lambda model, batch: (model(batch[0]), batch[1])))

    for (inputs, targets), output, alone, pair in zip(loader, outputs, bare, pairs, strict=True):
        for actual in (output, alone, pair[0]):
            torch.testing.assert_close(actual, model[0](inputs).detach())
        assert pair[1] is targets
    assert model.training


def test_predictions_go_on_in_evaluation_mode():
    """Where your code trains between two batches of predictions, the next one is no training."""
    model = nn.Dropout(0.9)
    ones = torch.ones(100)
    predictions = Engine(model, supervised(mse_loss)).predict([ones, ones])

    next(predictions)
    model.train()

    assert torch.equal(ones, next(predictions))


def test_leaving_predictions_gives_the_mode_back():
    """After a break the model trains again."""
    model = nn.Dropout()

    for _ in Engine(model, supervised(mse_loss)).predict([torch.ones(1), torch.ones(1)]):
        break

    assert model.training


@pytest.mark.parametrize("counts", [(2, 2), (1, 3), (3, 1)])
def test_two_predictions_at_a_time_give_the_modes_back(counts):
    """Whichever of them ends first, every module is in the mode it was in before both."""
    model = nn.Sequential(nn.Dropout(0.9), nn.BatchNorm1d(3))
    model[1].eval()
    engine = Engine(model, supervised(mse_loss))
    ones = torch.ones(4, 3)
    expected = ones / math.sqrt(1 + model[1].eps)

    for first, second in zip(*(engine.predict([ones] * count) for count in counts), strict=False):
        torch.testing.assert_close(first, expected)
        torch.testing.assert_close(second, expected)

    assert [True, True, False] == [module.training for module in model.modules()]


def test_an_evaluation_within_predictions_gives_the_modes_back():
    """Also where your code has trained in between, and where the predictions are never ended."""
    model = nn.Sequential(nn.Dropout(0.9), nn.BatchNorm1d(3))
    model[1].eval()
    engine = Engine(model, lambda model, batch: model(batch).mean())
    ones = torch.ones(4, 3)
    predictions = engine.predict([ones] * 3)
    modes = []

    next(predictions)
    engine.test_epoch([ones])
    modes.append([module.training for module in model.modules()])
    model[0].train()
    engine.test_epoch([ones])
    modes.append([module.training for module in model.modules()])
    predictions.close()
    modes.append([module.training for module in model.modules()])

    assert [[True, True, False], [True, True, False], [True, True, False]] == modes


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (2, "the loader yielded batch 3, but its len is 2; mend its __len__, or leave it out"),
        (4, "the loader ended after batch 3, but its len is 4; mend its __len__, or leave it out"),
    ],
)
def test_a_wrong_length_is_an_error_of_an_evaluation(length, expected):
    """An evaluation holds a loader to its len, and gives the modes back."""

    class Loader:
        def __len__(self):
            return length

        def __iter__(self):
            return iter([torch.ones(1, 2)] * 3)

    model = nn.Linear(2, 2)
    with pytest.raises(WrongLength) as caught:
        Engine(model, lambda model, batch: model(batch).mean()).test_epoch(Loader())

    assert f"{expected}: a loader may have none" == str(caught.value)
    assert model.training
