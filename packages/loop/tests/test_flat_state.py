import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from treadle_loop import Engine, StateMismatch, TensorLoader, supervised

INPUTS = torch.linspace(-1, 1, 60).reshape(20, 3)


def training():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.2), nn.Linear(4, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=torch.tensor(0.01))
    engine = Engine(model, supervised(mse_loss), optimizer, accumulate=2, ema=0.9)
    return engine, TensorLoader(INPUTS, INPUTS[:, :1], batch_size=3, shuffle=True)


def stopped():
    """A training in the middle of its second pass."""
    engine, loader = training()
    engine.train_epoch(loader)
    for update in engine.updates(loader):
        if update.index == 1:
            break
    return engine


def test_a_sharded_state_is_tensors_by_name():
    """A sharded state has a tensor for each name, those of the model under `model`."""
    engine = stopped()
    state = engine.sharded_state_dict()

    assert {(str, Tensor)} == {(type(name), type(tensor)) for name, tensor in state.items()}
    assert [f"model.{name}" for name in engine.model.state_dict()] == [
        name for name in state if name.startswith("model.")
    ]
    assert state["model.0.weight"].data_ptr() == engine.model[0].weight.data_ptr()


def test_a_sharded_state_is_all_of_a_state(same):
    """A training that loads a sharded state goes on to the last bit as one that loads a state."""
    ends = []
    for state in (stopped().state_dict(), stopped().sharded_state_dict()):
        engine, loader = training()
        engine.load_state_dict(state)
        result = engine.train_epoch(loader)
        engine.train_epoch(loader)
        ends.append((result.counts, engine.state_dict()))

    assert same(*ends)


def test_a_sharded_state_before_any_step(same):
    """A state without a step, whose dicts are partly empty, comes back as it was."""
    engine, _ = training()
    other, _ = training()
    other.load_state_dict(engine.sharded_state_dict())

    assert same(engine.state_dict(), other.state_dict())


def test_a_sharded_state_that_is_cut():
    """A sharded state without one of its tensors is refused before anything is loaded."""
    state = stopped().sharded_state_dict()
    del state["model.0.bias"]
    engine, _ = training()
    before = engine.model[0].weight.clone()
    with pytest.raises(StateMismatch) as caught:
        engine.load_state_dict(state)

    assert (
        "the state was saved with model.0.bias and lacks it now; load all that was saved: all "
        "names in its metadata"
    ) == str(caught.value)
    assert torch.equal(before, engine.model[0].weight)


def test_numbers_that_became_texts():
    """An optimizer's state by texts, which torch would load and never look at, is refused."""
    engine, loader = training()
    engine.train_epoch(loader)
    state = engine.state_dict()
    states = {str(place): each for place, each in state["optimizer"]["state"].items()}
    other, _ = training()
    with pytest.raises(StateMismatch) as caught:
        other.load_state_dict({**state, "optimizer": {**state["optimizer"], "state": states}})

    assert (
        "the optimizer's state names parameter '0', which is in none of its groups, as "
        "if numbers had become strings on the way; for torch.distributed.checkpoint give "
        "Engine.sharded_state_dict()"
    ) == str(caught.value)
