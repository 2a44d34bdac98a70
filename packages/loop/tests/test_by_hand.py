"""With accumulate=1 the engine is the hand-written loop to the last bit."""

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset

from treadle_loop import Engine, supervised


def data(kind):
    torch.manual_seed(5)
    if kind == "gpt":
        inputs = torch.randint(11, (37, 5))
    else:
        inputs = torch.randn(37, 1, 8, 8) if kind == "conv" else torch.randn(37, 6)
    return TensorDataset(inputs, torch.randint(3, (37,)))


def optimizer_for(name, model):
    if name == "sgd":
        return SGD(model.parameters(), lr=0.05, momentum=0.9)
    return AdamW(model.parameters(), lr=0.01, fused=name == "fused adamw")


def by_hand(model, optimizer, scheduler, loader, *, clip_norm, epochs):
    for _ in range(epochs):
        model.train()
        for inputs, targets in loader:
            optimizer.zero_grad()
            cross_entropy(model(inputs), targets).backward()
            if clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
            optimizer.step()
            scheduler.step()


@pytest.mark.parametrize("kind", ["mlp", "conv", "gpt", "exceptions"])
@pytest.mark.parametrize("name", ["sgd", "adamw", "fused adamw"])
@pytest.mark.parametrize("clip_norm", [None, 0.5])
@pytest.mark.parametrize("drive", ["train_epoch", "updates", "update"])
def test_the_engine_is_the_loop_by_hand(twins, same, *, kind, name, clip_norm, drive):
    """Weights, buffers, optimizer, scheduler and random state are equal after three epochs."""
    model, hand = twins(kind)
    optimizers = optimizer_for(name, model), optimizer_for(name, hand)
    schedulers = [StepLR(optimizer, 3, 0.9) for optimizer in optimizers]
    loader = DataLoader(data(kind), batch_size=8, shuffle=True)
    engine = Engine(
        model,
        supervised(cross_entropy),
        optimizers[0],
        scheduler=schedulers[0],
        clip_norm=clip_norm,
    )

    torch.manual_seed(3)
    for _ in range(3):
        if drive == "train_epoch":
            engine.train_epoch(loader)
        elif drive == "updates":
            list(engine.updates(loader))
        else:
            for batch in loader:
                engine.update([batch])
    state = torch.get_rng_state()
    torch.manual_seed(3)
    by_hand(hand, optimizers[1], schedulers[1], loader, clip_norm=clip_norm, epochs=3)

    assert same(hand.state_dict(), model.state_dict())
    assert same(optimizers[1].state_dict(), optimizers[0].state_dict())
    assert same(schedulers[1].state_dict(), schedulers[0].state_dict())
    assert same(torch.get_rng_state(), state)


def test_a_body_that_draws_and_validates_changes_no_draw(twins, same):
    """Random numbers drawn between two updates come when they would in the loop by hand."""
    model, hand = twins()
    loader = DataLoader(data("mlp"), batch_size=8, shuffle=True)
    validation = DataLoader(data("mlp"), batch_size=20, shuffle=True)
    engine = Engine(model, supervised(cross_entropy), SGD(model.parameters(), lr=0.1))

    torch.manual_seed(3)
    drawn = []
    for _ in engine.updates(loader):
        drawn.append(torch.rand(()).item())
        engine.test_epoch(validation)
    torch.manual_seed(3)
    optimizer = SGD(hand.parameters(), lr=0.1)
    by_hand_drawn = []
    for inputs, targets in loader:
        optimizer.zero_grad()
        cross_entropy(hand(inputs), targets).backward()
        optimizer.step()
        by_hand_drawn.append(torch.rand(()).item())
        hand.eval()
        for _ in validation:
            pass
        hand.train()

    assert by_hand_drawn == drawn
    assert same(hand.state_dict(), model.state_dict())
