"""Each part of a state is needed: without it, the training comes to something else."""

import copy
import random

import numpy as np
import pytest
import torch

from treadle_loop import EpochSampler

FIRST = 4  # an update in the middle of the first pass


def parts(training):
    """The states of the parts of a training that has not begun."""
    return training.begin(seed=99).engine.state_dict()


def without(training, state, part):
    """The state with one part as it is before the training."""
    changed = copy.deepcopy(state)
    (own,) = changed["ranks"]
    if part in ("model", "optimizer", "scheduler", "averages"):
        changed[part] = parts(training)[part]
    elif part == "optimizer's state":
        changed["optimizer"]["state"] = {}
    elif part == "buffers":
        fresh = parts(training)["model"]
        changed["model"] |= {name: fresh[name] for name in fresh if "running" in name}
    elif part == "position":
        own |= {"batches": 0, "records": 0, "updates": 0}
    elif part == "epoch":
        own["epoch"] += 1
    elif part in ("torch", "python", "numpy"):
        del own["random_state"][part]
    else:
        own[part] = {}
    return changed


@pytest.mark.parametrize("loader", ["sampler", "seekable"])
@pytest.mark.parametrize(
    "part",
    [
        "model",
        "buffers",
        "optimizer",
        "optimizer's state",
        "scheduler",
        "averages",
        "position",
        "epoch",
        "torch",
        "python",
        "numpy",
        "random_state",
    ],
)
def test_a_part_is_needed(training, outcome_from, loader, part):
    """Without it, what comes out is not what came out without a stop."""
    training = training.but(loader=loader, body="draws")
    run = training.begin()
    state = run.states()[FIRST]
    whole = run.outcome()

    assert outcome_from(training, state, whole)
    assert not outcome_from(training, without(training, state, part), whole)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_random_state_before_a_batch_drawn_ahead_is_needed(training, outcome_from, accumulate):
    """Without a length, the batch that was drawn ahead is drawn again, as it was."""
    training = training.but(loader="seekable", accumulate=accumulate, body="draws")
    run = training.begin()
    state = run.states()[1]
    whole = run.outcome()

    assert outcome_from(training, state, whole)
    assert not outcome_from(training, without(training, state, "ahead"), whole)


@pytest.mark.parametrize("loader", ["stateful", "sized stateful"])
@pytest.mark.parametrize("stop", [1, 6])
def test_the_state_of_a_loader_is_needed(training, outcome_from, loader, stop):
    """One that knows where it is is put back there, also at the end of a pass."""
    training = training.but(loader=loader)
    run = training.begin()
    state = run.states()[stop]
    whole = run.outcome()
    changed = copy.deepcopy(state)
    changed["ranks"][0]["loader"]["generator"] = torch.Generator().get_state()

    assert outcome_from(training, state, whole)
    assert not outcome_from(training, changed, whole)


def test_the_generator_of_a_loader_is_needed(training, outcome_from, reading):
    """Without it, a loader with one of its own would begin with its first order again."""
    training = training.but(loader="own generator")
    run = training.begin()
    run.engine.train_epoch(run.loader)
    state = reading(run.engine.state_dict())
    run.epoch = 1
    whole = run.finish()
    changed = copy.deepcopy(state)
    del changed["ranks"][0]["generators"]

    assert outcome_from(training, state, whole)
    assert whole["used"][:7] == training.resume(changed).finish()["used"]


class Worker(torch.utils.data.Dataset):
    """A data set that tells what its worker was seeded with."""

    def __init__(self, noisy):
        self.noisy = noisy

    def __len__(self):
        return len(self.noisy)

    def __getitem__(self, index):
        inputs, *rest = self.noisy.plain(index)
        seed = torch.utils.data.get_worker_info().seed
        return inputs + seed % 1000 / 1000, *rest


def test_the_random_state_at_the_start_of_a_pass_is_needed(training, outcome_from, noisy):
    """What workers are seeded with is what they were seeded with when the pass began."""

    def make():
        dataset = Worker(noisy())
        sampler = EpochSampler(dataset, seed=3)
        # One worker: with two, the seed is that of which of them has the batch.
        return torch.utils.data.DataLoader(dataset, 4, sampler=sampler, num_workers=1)

    training = training.but(make=make)
    run = training.begin()
    state = run.states()[2]
    whole = run.outcome()

    assert outcome_from(training, state, whole)
    assert not outcome_from(training, without(training, state, "started_from"), whole)


def test_the_workers_that_stay_are_needed(training, outcome_from):
    """Workers from the pass before need no seed, and neither do those in their place."""
    training = training.but(loader="persistent", accumulate=3)
    run = training.begin()
    state = run.states()[2]
    whole = run.outcome()
    changed = copy.deepcopy(state)
    del changed["ranks"][0]["had_workers"]

    assert outcome_from(training, state, whole)
    assert not outcome_from(training, changed, whole)


def test_the_scale_of_fp16_is_kept(training, outcome_from):
    """A scale that was halved is that, and so is the count of steps since."""
    training = training.but(
        loader="tensors", settings=(("precision", "fp16"),), factor=1000.0, kind="adamw"
    )
    run = training.begin()
    skipped, states = [], []
    for update in run.updates():
        skipped.append(update.skipped)
        states.append(copy.deepcopy(run.engine.state_dict()))
    whole = run.outcome()
    scales = [state["scaling"]["scale"] for state in states]

    assert 0 < sum(skipped[:FIRST])
    assert not all(skipped)
    assert [2.0**16 / 2 ** sum(skipped[: end + 1]) for end in range(14)] == scales
    assert [True] * 14 == [outcome_from(training, state, whole) for state in states]
    resumed = training.resume(states[FIRST]).engine.state_dict()
    assert states[FIRST]["scaling"] == resumed["scaling"]
    assert parts(training)["scaling"] != resumed["scaling"]


def test_numbers_drawn_after_a_pass_are_drawn_again(training, same):
    """After a pass, your program draws as it would have; within one, what it draws is no matter."""
    training = training.but(epochs=2)
    run = training.begin()
    states = run.states()
    whole = run.outcome()

    def resumed(state):
        run = training.resume(state)
        torch.rand(1), random.random(), np.random.rand()  # noqa: NPY002
        return run.finish()

    assert same(whole["model"], resumed(states[2])["model"])
    assert not same(whole["model"], resumed(states[6])["model"])
