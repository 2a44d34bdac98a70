"""Every kind of loader is gone on with where it stood, and its next passes are the same."""

from itertools import chain

import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler

from treadle_loop import CannotSeek, EpochSampler

SEEKING = [
    "tensors",
    "list",
    "sequence",
    "seekable",
    "sized seekable",
    "stateful",
    "sized stateful",
    "counting",
]


def flat(batches):
    return list(chain.from_iterable(batches))


def differing(training, outcome_from, stops=slice(None)):
    run = training.begin()
    states = run.states()
    whole = run.outcome()
    numbered = list(enumerate(states))[stops]
    assert numbered
    return [number for number, state in numbered if not outcome_from(training, state, whole)]


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("loader", SEEKING)
def test_a_loader_is_gone_on_with(training, outcome_from, loader, accumulate):
    """Whatever draws the batches, and whatever random numbers it uses up, no update differs."""
    training = training.but(loader=loader, accumulate=accumulate, body="draws")

    assert [] == differing(training, outcome_from)


@pytest.mark.parametrize("loader", ["workers", "persistent"])
def test_workers_are_gone_on_with(training, outcome_from, loader):
    """Random transforms in workers are the same from any update on, with `seeded`."""
    training = training.but(loader=loader, accumulate=3)

    assert [] == differing(training, outcome_from)


@pytest.mark.slow
@pytest.mark.parametrize("body", ["nothing", "draws", "validates"])
@pytest.mark.parametrize("loader", ["workers", "persistent"])
def test_every_update_with_workers_can_be_resumed_from(training, outcome_from, loader, body):
    """The same from each batch of three passes, whatever the body does."""
    training = training.but(loader=loader, body=body, epochs=3)

    assert [] == differing(training, outcome_from)


@pytest.mark.parametrize("loader", ["shuffled", "own generator"])
def test_the_end_of_a_pass_needs_no_seeking(training, outcome_from, reading, loader):
    """A shuffled `DataLoader` is resumed exactly after each pass."""
    training = training.but(loader=loader, epochs=3)
    run = training.begin()
    states = []
    for run.epoch in range(training.epochs):
        run.engine.train_epoch(run.loader)
        states.append(reading(run.engine.state_dict()))
    run.epoch = training.epochs
    whole = run.outcome()

    actual = [outcome_from(training, state, whole) for state in states]

    assert [True] * 3 == actual


def test_the_last_update_of_a_pass_needs_no_seeking(training, outcome_from):
    """What is saved in the body of the last update is the end of the pass."""
    training = training.but(loader="shuffled", epochs=3, body="validates")

    assert [] == differing(training, outcome_from, slice(6, None, 7))


@pytest.mark.parametrize("loader", ["shuffled", "own generator"])
def test_a_shuffled_loader_cannot_seek(training, loader):
    """In the middle of a pass it is refused, with what to use in its place."""
    training = training.but(loader=loader)
    state = training.begin().states()[2]

    with pytest.raises(CannotSeek) as caught:
        training.resume(state).finish()

    expected = (
        "the training left off after batch 3 of epoch 0 (counted from 0), and a DataLoader can only "
        "start at the beginning; use TensorLoader(...), or DataLoader(dataset, "
        "sampler=EpochSampler(dataset)), or give the loader a method set_position(epoch, records), "
        "or state_dict() and load_state_dict()"
    )
    assert expected == str(caught.value)


def test_a_refused_loader_leaves_the_position(training, outcome_from):
    """After the refusal, another loader goes on with the pass, and nothing of it is repeated."""
    run = training.begin()
    state = run.states()[3]
    whole = run.outcome()
    other = training.but(loader="shuffled").resume(state)
    with pytest.raises(CannotSeek):
        other.finish()
    saved = other.engine.state_dict()

    assert state["ranks"][0]["records"] == saved["ranks"][0]["records"] == 16
    assert outcome_from(training, saved, whole)
    other.loader = run.loader
    assert whole["used"][4:] == other.finish()["used"]


class Iterating(IterableDataset):
    def __init__(self, noisy):
        self.noisy = noisy

    def __iter__(self):
        return (self.noisy[index] for index in range(len(self.noisy)))


def test_an_iterable_data_set_is_resumed_at_the_end_of_a_pass(training, outcome_from, noisy):
    """Without a position it is refused in the middle, and exact at the end."""
    training = training.but(make=lambda: DataLoader(Iterating(noisy()), batch_size=4), epochs=3)
    run = training.begin()
    states = run.states()
    whole = run.outcome()

    with pytest.raises(CannotSeek, match="EpochSampler"):
        training.resume(states[2]).finish()
    assert [True] * 3 == [outcome_from(training, state, whole) for state in states[6::7]]


@pytest.mark.parametrize(
    "make",
    [
        lambda noisy: DataLoader(
            noisy, batch_sampler=BatchSampler(EpochSampler(noisy, seed=3), 4, drop_last=False)
        ),
        lambda noisy: DataLoader(
            [noisy.plain(slice(start, start + 5)) for start in range(0, 25, 5)],
            batch_size=None,
            sampler=EpochSampler(5, seed=3),
        ),
        lambda noisy: DataLoader(
            noisy,
            batch_size=4,
            sampler=EpochSampler(noisy, seed=3),
            collate_fn=lambda drawn: torch.utils.data.default_collate(drawn[:3]),
        ),
    ],
    ids=["batch sampler", "no batches", "incomplete batches"],
)
def test_the_position_is_that_of_the_sampler(training, outcome_from, noisy, make):
    """A batch of another size than the sampler's moves it by what the sampler gave."""
    training = training.but(make=lambda: make(noisy()))

    assert [] == differing(training, outcome_from)


@pytest.mark.parametrize("loader", ["tensors", "sampler"])
def test_what_the_step_counts_moves_no_position(training, outcome_from, loader):
    """A step that says that its batch has other records than the loader's resumes exactly too."""
    training = training.but(loader=loader, records=3)

    assert [] == differing(training, outcome_from)


def test_nothing_that_is_skipped_is_loaded(training, noisy):
    """A `DataLoader` that is gone on with asks its data set for the records that are left only."""
    asked = []

    class Telling(noisy):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    def make():
        dataset = Telling()
        return DataLoader(dataset, batch_size=4, sampler=EpochSampler(dataset, seed=3))

    training = training.but(make=make, epochs=1)
    state = training.begin().states()[2]
    whole = asked[:]
    asked.clear()
    training.resume(state).finish()

    assert 26 == len(whole)
    assert whole[12:] == asked


def test_the_generator_of_another_loader_is_passed_over(training):
    """A loader without a generator needs none of those that were saved."""
    training = training.but(loader="own generator", epochs=2)
    state = training.begin().states()[6]

    finished = training.but(loader="tensors").resume(state).finish()

    assert list(range(26)) == sorted(flat(finished["used"]))


def test_two_generators_are_kept(training, outcome_from, reading, noisy):
    """The generators of a `DataLoader` and of its sampler may be two."""

    def make():
        first, second = (torch.Generator().manual_seed(seed) for seed in (1, 2))
        dataset = noisy()
        sampler = RandomSampler(dataset, generator=second)
        return DataLoader(dataset, batch_size=4, sampler=sampler, generator=first)

    training = training.but(make=make)
    run = training.begin()
    run.engine.train_epoch(run.loader)
    state = reading(run.engine.state_dict())
    assert 2 == len(state["ranks"][0]["generators"])
    run.engine.train_epoch(run.loader)

    run.epoch = 2
    whole = run.outcome()
    assert outcome_from(training, state, whole)
