import io
import os
import signal

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from treadle_loop import (
    Engine,
    EpochSampler,
    Loss,
    load_checkpoint,
    save_checkpoint,
    stop_on_signals,
)

RECORDS = 44


class Records(torch.utils.data.Dataset):
    """Records that say their number, with noise of the process's own random numbers."""

    def __len__(self):
        return RECORDS

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        inputs = torch.randn(5, generator=generator)
        return inputs + 0.01 * torch.rand(5), inputs[:2] * 3, index


class Training:
    """An engine, a loader, and the numbers of the records that it has trained on."""

    def __init__(self, here, kind, *, batch_size=2, seed=0):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 7), nn.Dropout(0.2), nn.Linear(7, 2))
        model, runtime = here.wrap(model, kind)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
        self.seen = []
        self.engine = Engine(
            model,
            self.step,
            optimizer,
            accumulate=2,
            clip_norm=1.0,
            ema=0.9,
            scheduler=torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95),
            runtime=runtime,
        )
        sampler = EpochSampler(Records(), seed=3)
        self.loader = DataLoader(Records(), sampler=sampler, batch_size=batch_size)
        # Each rank has random numbers of its own, from here on.
        torch.manual_seed(100 * seed + here.rank)

    def step(self, model, batch):
        inputs, targets, numbers = batch
        self.seen.append(numbers.tolist())
        return Loss((model(inputs) - targets).square().mean(), records=len(numbers))

    def weights(self):
        return [
            each.full_tensor().tolist() if hasattr(each, "full_tensor") else each.tolist()
            for each in self.engine.model.parameters()
        ]


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def read(state):
    return torch.load(io.BytesIO(state), weights_only=True)


def stopped(here, kind, who):
    """One rank wants to stop in the body of the fourth update."""
    training = Training(here, kind)
    wanted = []
    counts = []
    for update in training.engine.updates(training.loader, stop=lambda: bool(wanted)):
        counts.append(update.counts)
        if len(counts) == 4 and here.rank == who:
            wanted.append(True)
    return counts


@pytest.mark.parametrize("who", [0, 1])
@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_a_stop_on_one_rank_ends_all(ranks, kind, who):
    """A stop that one rank wants in the body of update 4 ends all of them after update 5."""
    first, second = ranks(stopped, kind, who)

    assert 5 == len(first)
    assert first == second
    assert {"records": 8, "batches": 2, "steps": 1, "epochs": 0} == first[-1]


def signalled(here):
    """One rank gets a signal in the body of the fourth update."""
    training = Training(here, "ddp")
    counts = []
    with stop_on_signals() as stop:
        for update in training.engine.updates(training.loader, stop=stop):
            counts.append(update.counts)
            if len(counts) == 4 and here.rank == 1:
                os.kill(os.getpid(), signal.SIGUSR1)
    return counts, bool(stop)


def test_a_signal_to_one_rank_ends_all(ranks):
    """A signal that one rank gets ends all of them at the same update."""
    first, second = ranks(signalled)

    assert first[0] == second[0]
    assert 5 == len(first[0])
    assert [False, True] == [first[1], second[1]]


def incomplete(here):
    training = Training(here, "ddp")
    result = training.engine.train_epoch(training.loader, stop=lambda: here.rank == 1)
    return result.complete, result.counts


def test_a_stop_from_the_beginning(ranks):
    """A stop that is wanted from the beginning takes effect after one update."""
    counts = {"records": 8, "batches": 2, "steps": 1, "epochs": 0}

    assert [(False, counts)] * 2 == ranks(incomplete)


def resumed(here, kind, updates):
    """Train two passes and a half; stop after some updates, and go on in other objects."""
    whole = Training(here, kind)
    expected = []
    for index in range(15):
        if index in (0, 6, 12):
            whole_pass = whole.engine.updates(whole.loader)
        expected.append(float(next(whole_pass).loss))
    expected_random = torch.rand(3).tolist()

    first = Training(here, kind)
    losses = []
    for _ in range(3):
        for update in first.engine.updates(first.loader):
            losses.append(float(update.loss))
            if len(losses) == updates:
                break
        if len(losses) == updates:
            break
    state = through_a_file(first.engine.state_dict())

    second = Training(here, kind, seed=5)
    second.engine.load_state_dict(read(state))
    while len(losses) < 15:
        for update in second.engine.updates(second.loader):
            losses.append(float(update.loss))
            if len(losses) == 15:
                break
    return (
        losses == expected,
        whole.weights() == second.weights(),
        torch.rand(3).tolist() == expected_random,
        whole.seen == first.seen + second.seen,
        expected_random,
    )


@pytest.mark.parametrize("updates", [pytest.param(1, marks=pytest.mark.slow), 4, 6, 8])
@pytest.mark.parametrize("kind", ["ddp", pytest.param("fsdp2", marks=pytest.mark.slow)])
def test_two_ranks_go_on_bitwise(ranks, kind, updates):
    """Two ranks go on from a saved state to the last bit, each with its own random numbers."""
    first, second = ranks(resumed, kind, updates)

    assert (True, True, True, True) == first[:4]
    assert (True, True, True, True) == second[:4]
    assert first[4] != second[4]


def saved(here, kind, updates):
    training = Training(here, kind)
    for update in training.engine.updates(training.loader):
        if update.index + 1 == updates:
            break
    state = training.engine.state_dict()
    return through_a_file(state), training.seen, training.weights()


def rest(here, kind, state, batch_size):
    training = Training(here, kind, batch_size=batch_size, seed=7)
    training.engine.load_state_dict(read(state))
    weights = training.weights()
    result = training.engine.train_epoch(training.loader)
    return training.seen, weights, result.counts


@pytest.mark.parametrize("batch_size", [4, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_one_process_goes_on_from_two_ranks(ranks, alone, kind, batch_size, tmp_path):
    """What two ranks saved, one process goes on with: every remaining record once."""
    (state, first, weights), (other_state, second, _) = ranks(saved, kind, 3)
    # It is plain, whatever the model was.
    path = save_checkpoint(tmp_path, read(state), step=3)
    state = through_a_file(load_checkpoint(path))
    third, loaded, counts = alone(rest, kind, state, batch_size)

    numbers = sorted(number for batches in (first, second, third) for b in batches for number in b)
    assert list(range(RECORDS)) == numbers
    assert RECORDS - 24 == counts["records"]
    assert weights == loaded
    # Every rank has the whole, so that any of them may save it.
    assert read(state).keys() == read(other_state).keys()


@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_two_ranks_go_on_from_one_process(ranks, alone, kind):
    """What one process saved, two ranks go on with: every remaining record once."""
    state, first, weights = alone(saved, kind, 3)
    (second, loaded, counts), (third, _, _) = ranks(rest, kind, state, 1)

    numbers = sorted(number for batches in (first, second, third) for b in batches for number in b)
    assert list(range(RECORDS)) == numbers
    assert RECORDS - 12 == counts["records"]
    assert weights == loaded
