"""Checkpoints that every rank writes its part of, loaded on another number of ranks."""

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import distributed as dist
from torch import nn
from torch.distributed import checkpoint
from torch.distributed.checkpoint import FileSystemReader
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

from treadle_loop import Engine, EpochSampler, StateMismatch, supervised

pytestmark = [
    pytest.mark.hosts,
    # It says so each time a process by itself saves or loads.
    pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning"),
]

_PATH = Path(__file__).parents[2] / "packages/loop/tests/ranks/conftest.py"
_specification = importlib.util.spec_from_file_location("two_ranks", _PATH)
_two_ranks = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(_two_ranks)
ranks, alone = _two_ranks.ranks, _two_ranks.alone


def training(here, kind):
    """An engine and its loader; on however many ranks, an update has the same records."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 9), nn.BatchNorm1d(9).eval(), nn.Linear(9, 2)).double()
    model, runtime = here.wrap(model, kind)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    engine = Engine(
        model,
        supervised(mse_loss),
        optimizer,
        accumulate=2,
        clip_norm=1.0,
        ema=0.9,
        scheduler=torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9),
        runtime=runtime,
    )
    generator = torch.Generator().manual_seed(1)
    draw = lambda size: torch.randn(44, size, generator=generator, dtype=torch.float64)  # noqa: E731
    data = TensorDataset(draw(6), draw(2))
    sampler = EpochSampler(data, seed=3)
    return engine, DataLoader(data, batch_size=4 // here.world_size, sampler=sampler)


def facts(engine):
    """What a training came to: weights, averages, counts of steps, position and learning rate."""
    state = engine.state_dict()
    numbers = {
        f"{part} {name} {place}": number
        for part, tensors in (
            ("model", state["model"]),
            ("averages", state["averages"]["averages"]),
            *((f"optimizer {index}", one) for index, one in state["optimizer"]["state"].items()),
        )
        for name, tensor in tensors.items()
        for place, number in enumerate(tensor.double().flatten().tolist())
    }
    position = {name: state["ranks"][0].get(name) for name in ("epoch", "updates", "records")}
    return numbers, {**position, "made": engine.updates_made, "scheduler": state["scheduler"]}


def save(here, kind, folder):
    """Save within the second of three passes: what the training was there, and at its end."""
    engine, loader = training(here, kind)
    engine.train_epoch(loader)
    alone = here.world_size == 1
    before = None
    for update in engine.updates(loader):
        if update.index == 2:
            checkpoint.save(engine.sharded_state_dict(), checkpoint_id=folder, no_dist=alone)
            before = facts(engine)
    engine.train_epoch(loader)
    return before, facts(engine)


def read(folder):
    """All that was saved, on the CPU; no pickle is read."""
    reader = FileSystemReader(folder)
    saved = reader.read_metadata().state_dict_metadata
    state = {name: torch.empty(one.size, dtype=one.properties.dtype) for name, one in saved.items()}
    checkpoint.load(state, storage_reader=reader, no_dist=True)
    return state


def load(here, kind, folder):
    """What a new training is after it is loaded, and at the end of the third pass."""
    import warnings

    engine, loader = training(here, kind)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled", UserWarning)
        engine.load_state_dict(read(folder))
    after = facts(engine)
    while engine.epoch < 2:
        engine.train_epoch(loader)
    engine.train_epoch(loader)
    return after, facts(engine)


def same(expected, actual):
    assert expected[1] == actual[1]
    assert expected[0] == pytest.approx(actual[0], rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_two_ranks_save_and_one_process_loads(ranks, alone, tmp_path, kind):
    """One process loads what two ranks saved within a pass, and trains on as one would have."""
    (before, _), _ = ranks(save, kind, str(tmp_path / "two"))
    expected, end = alone(save, "plain", str(tmp_path / "one"))
    after, actual_end = alone(load, "plain", str(tmp_path / "two"))

    same(expected, before)
    same(before, after)
    same(end, actual_end)


@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_one_process_saves_and_two_ranks_load(ranks, alone, tmp_path, kind):
    """Two ranks load what one process saved within a pass, and train on as one would have."""
    before, end = alone(save, "plain", str(tmp_path / "one"))

    for after, actual_end in ranks(load, kind, str(tmp_path / "one")):
        same(before, after)
        same(end, actual_end)


def test_shards_become_replicas(ranks, tmp_path):
    """Two ranks load into replicas what was saved of shards."""
    (before, end), _ = ranks(save, "fsdp2", str(tmp_path))

    for after, actual_end in ranks(load, "ddp", str(tmp_path)):
        same(before, after)
        same(end, actual_end)


def save_aside(here, folder):
    """Save while the training goes on: what it was when that began."""
    engine, loader = training(here, "fsdp2")
    engine.train_epoch(loader)
    # In the group of the training, its messages would meet those of the engine.
    group = dist.new_group(backend="gloo")
    state = engine.sharded_state_dict()
    saving = checkpoint.async_save(state, checkpoint_id=folder, process_group=group)
    before = facts(engine)
    engine.train_epoch(loader)
    saving.result()
    dist.destroy_process_group(group)
    return before


def loaded(here, folder):
    engine, _ = training(here, "plain")
    engine.load_state_dict(read(folder))
    return facts(engine)


def test_a_checkpoint_saved_aside(ranks, alone, tmp_path):
    """What async_save writes is the training as it was when it returned."""
    before, _ = ranks(save_aside, str(tmp_path))

    same(before, alone(loaded, str(tmp_path)))


def parts(here):
    """How many numbers of the first weight, of 54, this rank puts in a state."""
    engine, loader = training(here, "fsdp2")
    engine.train_epoch(loader)
    state = engine.sharded_state_dict()
    names = ["model.0.weight", "optimizer.state.0.exp_avg", "averages.averages.0.weight"]
    own = [state[name].to_local().numel() for name in names]
    engine.load_state_dict(state)  # as it is, in parts
    return own


def test_nothing_is_put_together(ranks):
    """A rank's sharded state has its own parts of weights, optimizer and averages."""
    assert [[30, 30, 30], [24, 24, 24]] == ranks(parts)


def test_a_checkpoint_that_is_cut(alone, tmp_path):
    """A tensor that was saved and is not loaded is an error that names it, and changes nothing."""

    def cut(here):
        engine, loader = training(here, "plain")
        engine.train_epoch(loader)
        state = engine.sharded_state_dict()
        del state["optimizer.state.0.exp_avg"]
        with pytest.raises(StateMismatch) as caught:
            engine.load_state_dict(state)
        return str(caught.value)

    assert (
        "the state was saved with optimizer.state.0.exp_avg and lacks it now; load all that was "
        "saved: all names in its metadata"
    ) == alone(cut)
