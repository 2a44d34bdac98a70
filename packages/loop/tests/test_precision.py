"""Half precision through the engine: what is skipped, what waits, and what is read."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import StepLR

from treadle_loop import (
    Engine,
    InvalidSetting,
    Loss,
    Mean,
    PrecisionUnavailable,
    Totals,
    runtimes,
    supervised,
)

HUGE = 3e4


def batches(*factors, records=8):
    """Batches whose inputs are multiplied by these; with a huge one, gradients overflow."""
    torch.manual_seed(5)
    return [(torch.randn(records, 6) * factor, torch.randint(3, (records,))) for factor in factors]


@pytest.fixture
def made(network):
    def make(optimizer=SGD, step=None, **settings):
        model = network()
        step = step or supervised(cross_entropy)
        return Engine(model, step, optimizer(model.parameters(), lr=0.1), **settings)

    return make


def test_a_skipped_update_is_reported(made):
    """It says so, counts no step, and has all its records and batches."""
    engine = made(precision="fp16", accumulate=2)

    totals = Totals()
    updates = []
    for update in engine.updates(batches(1, 1, 1, HUGE, 1)):
        updates.append(update)
        totals.take(update)

    assert [False, True, False] == [update.skipped for update in updates]
    assert {"records": 16, "batches": 2, "steps": 0, "epochs": 0} == updates[1].counts
    assert {"records": 8, "batches": 1, "steps": 1, "epochs": 1} == updates[2].counts
    assert {"records": 40, "batches": 5, "steps": 2, "epochs": 1} == (
        totals.result("trained", 1.0).counts
    )
    assert 2 == made(precision="fp16", accumulate=2).train_epoch(batches(1, 1, 1, HUGE, 1)).steps


@pytest.mark.parametrize("every", ["step", "epoch"])
def test_scheduler_and_averages_wait_for_a_skipped_step(made, same, every):
    """Neither moves where no step was made; a scheduler for epochs steps at the end of the pass."""
    engine = made(precision="fp16", ema=0.5, scheduler_every=every)
    engine.scheduler = StepLR(engine.optimizer, 1, 0.5)

    seen = []
    for _ in engine.updates(batches(1, HUGE, 1, HUGE)):
        state = engine.state_dict()
        average = state["averages"]["averages"]["0.weight"].clone()
        seen.append((state["scheduler"]["last_epoch"], state["averages"]["updates"], average))
    (first, second, third, fourth) = seen

    assert ([1, 1, 2, 2] if every == "step" else [0, 0, 0, 1]) == [each[0] for each in seen]
    assert [1, 1, 2, 2] == [each[1] for each in seen]
    assert same([first[2], third[2]], [second[2], fourth[2]])
    assert not same(second[2], third[2])


def test_a_skipped_step_changes_neither_weights_nor_state(made, same):
    """Weights and optimizer are those before it, and the scale is halved."""
    engine = made(precision="fp16", optimizer=AdamW)
    engine.update(batches(1))
    before = engine.state_dict()
    before = {
        name: {key: value for key, value in before[name].items() if name != "optimizer"}
        for name in ("model", "scaling")
    }
    weights = {name: value.clone() for name, value in before["model"].items()}
    steps = [state["step"].clone() for state in engine.optimizer.state.values()]

    update = engine.update(batches(HUGE))

    after = engine.state_dict()
    assert update.skipped
    assert same(weights, dict(after["model"]))
    assert same(steps, [state["step"] for state in engine.optimizer.state.values()])
    assert before["scaling"]["scale"] / 2 == after["scaling"]["scale"]


def test_gradients_are_unscaled_before_they_are_clipped(network):
    """The norm is that of the gradients themselves, and so are the gradients at the yield."""
    norms = []
    for precision in ("fp32", "fp16"):
        model = network()
        model.eval()
        optimizer = SGD(model.parameters(), lr=0.0)
        torch.manual_seed(1)
        engine = Engine(
            model, supervised(cross_entropy), optimizer, precision=precision, clip_norm=0.01
        )
        update = engine.update(batches(1))
        clipped = torch.cat([each.grad.flatten() for each in model.parameters()]).norm()
        norms.append((update.grad_norm.item(), clipped.item()))
    (full, limited), (half, half_limited) = norms

    assert full > 0.01
    assert pytest.approx(full, rel=1e-2) == half
    assert [pytest.approx(0.01, rel=1e-4)] * 2 == [limited, half_limited]


@pytest.mark.parametrize("clip", [{}, {"clip_norm": 1.0, "clip_value": 0.1}])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_fp16_reads_once_an_update(made, host_reads, accumulate, clip):
    """Whatever else was asked for, and once more at the end with a finite check."""

    def step(model, batch):
        outputs = model(batch[0])
        return Loss(
            cross_entropy(outputs, batch[1]),
            weight=(batch[1] != 0).sum(),
            metrics={"top": Mean(outputs.max(), len(outputs))},
        )

    engine = made(step=step, precision="fp16", accumulate=accumulate, ema=0.9, **clip)
    checked = made(
        step=step, precision="fp16", accumulate=accumulate, check_finite=True, ema=0.9, **clip
    )
    for each in (engine, checked):
        each.scheduler = StepLR(each.optimizer, 1)
    loader = batches(1, 1, HUGE, 1, 1, 1)

    with host_reads:
        result = engine.train_epoch(loader)
        reads = len(host_reads.names)
        checked.train_epoch(loader)

    updates = 6 // accumulate
    assert updates - 1 == result.steps
    assert (updates, 2 * updates + 1) == (reads, len(host_reads.names))


@pytest.mark.parametrize("kind", ["number", "tensor"])
@pytest.mark.parametrize("order", ["heavy-tailed", "rising", "falling", "equal"])
def test_heavy_weights_overflow_no_more_than_with_all_known(kind, order):
    """Windows of weights up to 4096 skip as few steps as where each window's sum is known ahead."""
    windows = 40
    torch.manual_seed(2)
    weights = {
        "heavy-tailed": (4096 ** torch.rand(windows, 4)).round(),
        "rising": torch.tensor([1.0, 16.0, 256.0, 4096.0]).expand(windows, 4),
        "falling": torch.tensor([4096.0, 256.0, 16.0, 1.0]).expand(windows, 4),
        "equal": torch.full((windows, 4), 4096.0),
    }[order].tolist()
    torch.manual_seed(3)
    data = [(torch.randn(8, 6), torch.randn(8, 4)) for _ in range(4 * windows)]

    def build():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 4))
        return model, SGD(model.parameters(), lr=0.01)

    model, optimizer = build()

    def step(model, batch):
        inputs, targets, weight = batch
        value = 20 * mse_loss(model(inputs), targets)
        return Loss(value, weight=torch.tensor(weight) if kind == "tensor" else weight)

    engine = Engine(model, step, optimizer, accumulate=4, precision="fp16")
    flat = [weight for window in weights for weight in window]
    loader = [(*pair, weight) for pair, weight in zip(data, flat, strict=True)]
    skipped = windows - engine.train_epoch(loader).steps

    model, optimizer = build()
    scaler = torch.amp.GradScaler("cpu")
    ahead = 0
    for index, window in enumerate(weights):
        optimizer.zero_grad()
        for (inputs, targets), weight in zip(data[4 * index :], window, strict=False):
            with torch.autocast("cpu", dtype=torch.float16):
                value = 20 * mse_loss(model(inputs), targets)
            scaler.scale(value * (weight / sum(window))).backward()
        scale = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        ahead += scaler.get_scale() < scale

    assert 0 < ahead < 10
    # Where they are tensors, the first of the four batches enters as if there were no other.
    assert skipped <= ahead + (2 if kind == "tensor" else 0)


def test_an_exception_in_a_window_costs_fp16_nothing(made, same):
    """After it, weights and scale go on as if it had not been."""

    def step(model, batch):
        if batch[0].shape[0] == 1:
            raise KeyError
        return cross_entropy(model(batch[0]), batch[1])

    trained = []
    for broken in (False, True):
        engine = made(step=step, precision="fp16", clip_norm=1.0)
        engine.model.eval()
        for batch in batches(1, 1, 1):
            if broken:
                with pytest.raises(KeyError):
                    engine.update([batch, (batch[0][:1], batch[1][:1])])
            torch.manual_seed(7)
            engine.update([batch])
        state = engine.state_dict()
        trained.append({name: state[name] for name in ("model", "optimizer", "scaling")})

    assert same(*trained)


def test_an_exception_after_unscaling_costs_nothing_either(made, same):
    """Where clipping fails, the gradients of the next update are unscaled again, once."""

    class Failing(runtimes.torch):
        fails = 0

        def clip(self, model, optimizer, max_norm):
            if self.fails:
                self.fails -= 1
                raise KeyError
            return super().clip(model, optimizer, max_norm)

    trained = []
    for fails in (0, 1):
        runtime = Failing()
        engine = made(precision="fp16", clip_norm=1.0, runtime=runtime)
        engine.model.eval()
        for batch in batches(1, 1, 1):
            runtime.fails = fails
            if fails:
                with pytest.raises(KeyError):
                    engine.update([batch])
            torch.manual_seed(7)
            engine.update([batch])
        state = engine.state_dict()
        trained.append({name: state[name] for name in ("model", "optimizer", "scaling")})

    assert same(*trained)


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.half)])
def test_evaluation_is_in_the_same_precision(made, precision, dtype):
    """The step runs under autocast in test_epoch too, and not around it."""
    seen = []

    def step(model, batch):
        outputs = model(batch[0])
        seen.append(outputs.dtype)
        return cross_entropy(outputs, batch[1])

    engine = made(step=step, precision=precision)
    engine.test_epoch(batches(1))
    engine.train_epoch(batches(1))
    engine.update(batches(1))

    assert [dtype] * 3 == seen
    assert not torch.is_autocast_enabled("cpu")


def test_an_evaluating_engine_has_a_precision(network):
    """Without an optimizer nothing is scaled, and fp16 is autocast alone."""
    model = network()
    engine = Engine(model, supervised(cross_entropy), precision="fp16")

    result = engine.test_epoch(batches(1))

    assert math.isfinite(result.loss)
    assert "scaling" not in engine.state_dict()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("method", ["train_epoch", "test_epoch"])
def test_a_precision_that_is_not_there_is_an_error(precision, method):
    """On a device that torch has no autocast for, before the first batch is drawn."""
    drawn = []

    def loader():
        drawn.append(1)
        yield torch.ones(1, 2, device="meta")

    model = nn.Linear(2, 1, device="meta")
    optimizer = SGD(model.parameters(), lr=0.1)
    engine = Engine(model, lambda model, batch: model(batch).sum(), optimizer, precision=precision)

    with pytest.raises(PrecisionUnavailable, match=f'^precision is "{precision}", which torch'):
        getattr(engine, method)(loader())
    assert [] == drawn


def test_a_precision_is_one_of_three(made):
    """Anything else is refused where the engine is made."""
    with pytest.raises(InvalidSetting) as caught:
        made(precision="16-mixed")

    assert (
        'precision is \'16-mixed\', and "fp32" (as the model is), "bf16" or "fp16" was expected'
    ) == str(caught.value)


def test_predict_computes_in_the_precision_of_the_engine():
    """What is predicted is what is trained and tested."""
    model = torch.nn.Linear(4, 2)
    engine = Engine(model, lambda model, batch: model(batch).mean(), precision="bf16")

    assert [torch.bfloat16] == [each.dtype for each in engine.predict([torch.ones(3, 4)])]
