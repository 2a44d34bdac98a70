"""Each option with accumulate=1 is what you would have written by hand, to the last bit."""

import copy
import itertools

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import ExponentialLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from treadle_loop import Engine, supervised

OPTIMIZERS = {
    "sgd": lambda parameters: SGD(parameters, lr=0.05, momentum=0.9),
    "adamw": lambda parameters: AdamW(parameters, lr=0.01),
    "fused adamw": lambda parameters: AdamW(parameters, lr=0.01, fused=True),
}
OPTIONS = {
    "ema": {"ema": 0.9},
    "check_finite": {"check_finite": True},
    "clip_value": {"clip_value": 0.01},
    "epoch": {"scheduler_every": "epoch"},
    "bf16": {"precision": "bf16"},
    "bf16 and clip": {"precision": "bf16", "clip_norm": 0.1},
    "fp16": {"precision": "fp16"},
    "fp16 and clip": {"precision": "fp16", "clip_norm": 0.1, "clip_value": 0.05},
    "all": {
        "ema": 0.9,
        "check_finite": True,
        "clip_norm": 0.1,
        "clip_value": 0.05,
        "precision": "bf16",
        "scheduler_every": "epoch",
    },
    "all in fp16": {"ema": 0.9, "check_finite": True, "clip_norm": 0.1, "precision": "fp16"},
}


def batches(kind):
    """Nine of them; in float16, those of the mlp have gradients that overflow in two."""
    torch.manual_seed(5)
    loader = []
    for index in range(9):
        records = 3 if index == 8 else 8
        if kind == "gpt":
            inputs = torch.randint(11, (records, 5))
        else:
            inputs = torch.randn((records, 1, 8, 8) if kind == "conv" else (records, 6))
            if kind == "mlp" and index in {3, 4}:
                inputs *= 3e4
        loader.append((inputs, torch.randint(3, (records,))))
    return loader


def by_hand(model, optimizer, scheduler, loader, options):
    """The loop with these options, for two epochs; what it leaves, and which updates it skipped."""
    precision = options.get("precision", "fp32")
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    scaler = torch.amp.GradScaler("cpu", enabled=precision == "fp16")
    averaged = None
    if "ema" in options:
        averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(options["ema"]))
        averaged.n_averaged += 1  # the first average is the beginning, and not the first step
    skipped = []
    for _ in range(2):
        model.train()
        for inputs, targets in loader:
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
                loss = cross_entropy(model(inputs), targets)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            if "clip_norm" in options:
                clip_grad_norm_(model.parameters(), options["clip_norm"])
            if "clip_value" in options:
                clip_grad_value_(model.parameters(), options["clip_value"])
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            skipped.append(scaler.get_scale() < scale)
            if skipped[-1]:
                continue
            if options.get("scheduler_every") != "epoch":
                scheduler.step()
            if averaged is not None:
                averaged.update_parameters(model)
        if options.get("scheduler_every") == "epoch":
            scheduler.step()
    left = {"scaling": scaler.state_dict(), "skipped": skipped}
    if averaged is not None:
        left["averages"] = {name: each.data for name, each in averaged.module.named_parameters()}
    return left


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        *itertools.product(["mlp"], OPTIONS),
        *itertools.product(["conv", "gpt"], ["all", "all in fp16"]),
    ],
)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_option_is_the_loop_by_hand(twins, same, *, kind, name, option):
    """Weights, optimizer, scheduler, scale, averages, skips and random state are equal."""
    options = OPTIONS[option]
    model, hand = twins(kind)
    optimizers = [OPTIMIZERS[name](each.parameters()) for each in (model, hand)]
    schedulers = [ExponentialLR(optimizer, 0.9) for optimizer in optimizers]
    engine = Engine(
        model, supervised(cross_entropy), optimizers[0], scheduler=schedulers[0], **options
    )

    loader = batches(kind)

    torch.manual_seed(3)
    updates = [update for _ in range(2) for update in engine.updates(loader)]
    trained = engine.state_dict()
    random_state = torch.get_rng_state()
    torch.manual_seed(3)
    expected = by_hand(hand, optimizers[1], schedulers[1], loader, options)

    assert same(expected["skipped"], [update.skipped for update in updates])
    assert same(hand.state_dict(), trained["model"])
    assert same(optimizers[1].state_dict(), trained["optimizer"])
    assert same(schedulers[1].state_dict(), trained["scheduler"])
    if "ema" in options:
        assert same(expected["averages"], trained["averages"]["averages"])
        assert expected["skipped"].count(False) == trained["averages"]["updates"]
    if "fp16" in option:
        assert same(expected["scaling"], trained["scaling"])
        assert (2 if kind == "mlp" else 0) <= sum(expected["skipped"]) < 18
    assert same(torch.get_rng_state(), random_state)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_all_that_only_watches_changes_nothing(twins, same, precision):
    """Averages, the finite check, a norm that is measured and metrics leave the training alone."""
    models = twins()

    def accuracy(outputs, targets):
        return (outputs.argmax(1) == targets).float().mean()

    watching = {"ema": 0.5, "check_finite": True, "clip_norm": float("inf")}
    loader = batches("mlp")
    trained = []
    for model, metrics, settings in zip(
        models, ({}, {"accuracy": accuracy}), ({}, watching), strict=True
    ):
        optimizer = SGD(model.parameters(), lr=0.1)
        step = supervised(cross_entropy, metrics=metrics)
        engine = Engine(model, step, optimizer, precision=precision, accumulate=2, **settings)
        torch.manual_seed(3)
        engine.train_epoch(loader)
        trained.append((model.state_dict(), torch.get_rng_state()))

    assert same(*trained)


def test_accumulating_in_fp16_is_the_loop_by_hand(twins, same):
    """Windows of equal batches are scaled, divided by k and unscaled once, as in the textbook."""
    model, hand = twins()
    optimizers = [AdamW(each.parameters(), lr=0.01) for each in (model, hand)]
    loader = batches("mlp")[:8]
    engine = Engine(
        model,
        supervised(cross_entropy),
        optimizers[0],
        accumulate=2,
        clip_norm=0.1,
        precision="fp16",
    )

    torch.manual_seed(3)
    skipped = [update.skipped for _ in range(2) for update in engine.updates(loader)]
    torch.manual_seed(3)
    scaler = torch.amp.GradScaler("cpu")
    by_hand_skipped = []
    for _, window in itertools.product(range(2), zip(loader[::2], loader[1::2], strict=True)):
        optimizers[1].zero_grad()
        for inputs, targets in window:
            with torch.autocast("cpu", dtype=torch.float16):
                loss = cross_entropy(hand(inputs), targets)
            scaler.scale(loss / 2).backward()
        scaler.unscale_(optimizers[1])
        clip_grad_norm_(hand.parameters(), 0.1)
        scale = scaler.get_scale()
        scaler.step(optimizers[1])
        scaler.update()
        by_hand_skipped.append(scaler.get_scale() < scale)

    assert by_hand_skipped == skipped
    assert any(skipped)
    assert not all(skipped)
    assert same(hand.state_dict(), model.state_dict())
    assert same(optimizers[1].state_dict(), optimizers[0].state_dict())
    assert same(scaler.state_dict(), engine.state_dict()["scaling"])


def test_settings_may_change_between_passes(twins, same):
    """accumulate and the scheduler that are set between two passes are those of the next one."""
    model, hand = twins()
    loader = batches("mlp")[:8]
    optimizer = SGD(model.parameters(), lr=0.1)
    engine = Engine(model, supervised(cross_entropy), optimizer)

    torch.manual_seed(3)
    first = engine.train_epoch(loader)
    engine.accumulate = 4
    engine.scheduler, engine.scheduler_every = ExponentialLR(optimizer, 0.5), "epoch"
    second = engine.train_epoch(loader)
    engine.scheduler = None
    third = engine.train_epoch(loader)

    torch.manual_seed(3)
    other = SGD(hand.parameters(), lr=0.1)
    plain = Engine(hand, supervised(cross_entropy), other)
    plain.train_epoch(loader)
    windows = Engine(hand, supervised(cross_entropy), other, accumulate=4)
    windows.train_epoch(loader)
    other.param_groups[0]["lr"] = 0.05
    windows.train_epoch(loader)

    assert (8, 2, 2) == (first.steps, second.steps, third.steps)
    assert same(hand.state_dict(), model.state_dict())


def test_a_copied_network_is_trained_alike(network, same):
    """An engine keeps nothing outside of its parts: two that are made alike train alike."""
    model = network()
    state, loader = copy.deepcopy(model.state_dict()), batches("mlp")
    results = []
    for _ in range(2):
        model.load_state_dict(state)
        optimizer = AdamW(model.parameters(), lr=0.01)
        torch.manual_seed(3)
        Engine(model, supervised(cross_entropy), optimizer, ema=0.9).train_epoch(loader)
        results.append(copy.deepcopy((model.state_dict(), optimizer.state_dict())))

    assert same(*results)
