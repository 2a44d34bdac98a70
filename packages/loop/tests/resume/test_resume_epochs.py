"""Samplers that have an order for each epoch are told which pass begins."""

import copy
import io
from itertools import chain

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.utils.data import BatchSampler, DataLoader
from torch.utils.data.distributed import DistributedSampler

from treadle_loop import CannotSeek, Engine

RECORDS = 12


def shard(rank, seed=3):
    """Every second record of an order by (seed, epoch)."""
    return DistributedSampler(range(RECORDS), num_replicas=2, rank=rank, seed=seed)


def loader_of(rank):
    return DataLoader(torch.arange(RECORDS), batch_size=2, sampler=shard(rank))


def training(loader):
    """An engine, and what it trains on."""
    used = []
    model = nn.Linear(1, 1)

    def step(model, batch):
        if torch.is_grad_enabled():
            used.append(batch.tolist())
        return model(batch[:, None].float()).square().mean()

    engine = Engine(model, step, SGD(model.parameters(), lr=1e-4))
    return engine, lambda: engine.train_epoch(loader), used


def in_order(rank, epoch):
    sampler = shard(rank)
    sampler.set_epoch(epoch)
    return list(sampler)


def flat(batches):
    return list(chain.from_iterable(batches))


def test_two_shards_have_an_order_for_each_epoch():
    """Each pass of both is that of its epoch: other records each time, and all of them together."""
    passes = {}
    for rank in range(2):
        _, train, used = training(loader_of(rank))
        for epoch in range(3):
            train()
            passes[rank, epoch] = flat(used)
            used.clear()

    assert {(rank, epoch): in_order(rank, epoch) for rank, epoch in passes} == passes
    assert passes[0, 0] != passes[0, 1] != passes[0, 2]
    for epoch in range(3):
        assert list(range(RECORDS)) == sorted(passes[0, epoch] + passes[1, epoch])


def test_a_resumed_training_goes_on_with_the_next_epoch():
    """In a new process, the sampler is new too, and its next order is that of the next pass."""
    engine, train, used = training(loader_of(1))
    train()
    file = io.BytesIO()
    torch.save(engine.state_dict(), file)
    file.seek(0)
    train()

    resumed, train, again = training(loader_of(1))
    resumed.load_state_dict(torch.load(file, weights_only=True))
    train()

    assert used[3:] == again
    assert torch.equal(engine.model.weight, resumed.model.weight)


def test_within_a_pass_it_cannot_seek():
    """A sampler that can only begin at the beginning of an epoch is refused in the middle of one."""
    engine, _, _ = training(loader_of(0))
    for _ in engine.updates(loader_of(0)):
        break
    state = copy.deepcopy(engine.state_dict())
    resumed, train, _ = training(loader_of(0))
    resumed.load_state_dict(state)

    with pytest.raises(CannotSeek):
        train()


class Told:
    """A loader, or a sampler, that notes what it is told, and when it is asked to begin."""

    def __init__(self, items=()):
        self.items = items
        self.calls = []

    def set_epoch(self, epoch):
        self.calls.append(epoch)

    def __iter__(self):
        self.calls.append("begin")
        return iter(self.items)

    def __len__(self):
        return len(self.items)


def test_a_loader_of_its_own_is_told_before_it_begins():
    """Whatever has set_epoch is told the number of the pass, and not in an evaluation."""
    loader = Told([torch.ones(2)])
    engine, train, _ = training(loader)

    train()
    engine.test_epoch(loader)
    train()

    assert [0, "begin", "begin", 1, "begin"] == loader.calls


def test_a_batch_sampler_is_told():
    """One that DataLoader was given, and the sampler within one, once each."""
    batches, sampler = Told([[0, 1], [2]]), Told(range(4))
    for each in (batches, BatchSampler(sampler, 2, drop_last=False)):
        training(DataLoader(torch.arange(4), batch_sampler=each))[1]()

    assert [0, "begin"] == batches.calls == sampler.calls


def test_what_is_told_its_position_is_told_no_epoch():
    """A sampler with set_position has learned the epoch by that."""

    class Placed(Told):
        def set_position(self, epoch, records):
            self.calls.append((epoch, records))

    sampler = Placed(range(4))
    training(DataLoader(torch.arange(4), batch_size=2, sampler=sampler))[1]()

    assert [(0, 0), "begin"] == sampler.calls


def test_a_stateful_loader_is_told_when_it_goes_on():
    """One that keeps its own position hears of the epoch before it is put back."""

    class Stateful(Told):
        def __init__(self):
            super().__init__([torch.ones(2), torch.zeros(2)])
            self.place = 0

        def __iter__(self):
            self.calls.append("begin")
            while self.place < 2:
                self.place += 1
                yield self.items[self.place - 1]
            self.place = 0

        def state_dict(self):
            return {"place": self.place}

        def load_state_dict(self, state):
            self.calls.append("load")
            self.place = state["place"]

    engine, train, _ = training(Stateful())
    train()
    states = []
    for _ in engine.updates(Stateful()):
        states.append(copy.deepcopy(engine.state_dict()))  # noqa: PERF401 (a body is what is tested)

    calls = []
    for state in states:
        loader = Stateful()
        resumed, train, _ = training(loader)
        resumed.load_state_dict(state)
        train()
        calls.append(loader.calls)

    assert [1, "load", "begin"] == calls[0]
    assert [2, "load", "begin"] == calls[1][:3]
