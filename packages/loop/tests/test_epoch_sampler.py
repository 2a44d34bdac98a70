"""EpochSampler: the order is a function of seed and epoch, dealt out to ranks, from any record."""

import itertools
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import distributed
from torch.utils.data import BatchSampler, DataLoader, Dataset, IterableDataset

from treadle_loop.epoch_sampler import _PIECE, EpochSampler
from treadle_loop.errors import InvalidPosition, InvalidSetting, RanksDisagree
from treadle_loop.order import shuffled


class Counting(Dataset):
    """Records that are their own index, and notes which were loaded."""

    def __init__(self, count):
        self.count = count
        self.loaded = []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.loaded.append(index)
        return index


def in_pieces(loader):
    return [batch.tolist() for batch in loader]


def shares(count, world_size, position=(0, 0), **settings):
    """What each rank yields in a pass from a position."""
    samplers = [
        EpochSampler(count, rank=rank, world_size=world_size, **settings)
        for rank in range(world_size)
    ]
    for sampler in samplers:
        sampler.set_position(*position)
    return [list(sampler) for sampler in samplers]


def dealt(hands):
    """The records in the order in which the ranks use them together."""
    rounds = itertools.zip_longest(*hands)
    return [record for each in rounds for record in each if record is not None]


anything = {
    "count": st.integers(0, 40),
    "world_size": st.integers(1, 5),
    "epoch": st.integers(0, 3),
    "shuffle": st.booleans(),
}


@settings(max_examples=100, deadline=None)
@given(data=st.data(), drop_last=st.booleans(), **anything)
def test_a_rank_has_every_nth_record_from_the_position_on(
    *, data, count, world_size, epoch, shuffle, drop_last
):
    """What a rank yields is `order[records:][rank::world_size]`, without an end that is dropped."""
    start = data.draw(st.integers(0, count))
    order = shuffled(count, seed=3, epoch=epoch).tolist() if shuffle else list(range(count))
    left = order[start:]
    kept = left[: len(left) - len(left) % world_size] if drop_last else left

    hands = shares(count, world_size, (epoch, start), shuffle=shuffle, seed=3, drop_last=drop_last)

    assert [kept[rank::world_size] for rank in range(world_size)] == hands


@settings(max_examples=50, deadline=None)
@given(**anything)
def test_every_record_is_in_one_share(*, count, world_size, epoch, shuffle):
    """The ranks together have each record exactly once, and none is padded."""
    hands = shares(count, world_size, (epoch, 0), shuffle=shuffle)

    assert list(range(count)) == sorted(record for hand in hands for record in hand)


@settings(max_examples=50, deadline=None)
@given(**anything)
def test_drop_last_makes_shares_equal(*, count, world_size, epoch, shuffle):
    """With drop_last, each rank has as many whole rounds as there are, and no record twice."""
    hands = shares(count, world_size, (epoch, 0), shuffle=shuffle, drop_last=True)

    assert [count // world_size] * world_size == [len(hand) for hand in hands]
    assert len({record for hand in hands for record in hand}) == sum(map(len, hands))


@settings(max_examples=100, deadline=None)
@given(data=st.data(), drop_last=st.booleans(), **anything)
def test_the_length_is_that_of_a_whole_pass(*, data, count, world_size, epoch, shuffle, drop_last):
    """A position changes what the next pass yields, and not what the sampler says of a pass."""
    rank = data.draw(st.integers(0, world_size - 1))
    sampler = EpochSampler(
        count, rank=rank, world_size=world_size, shuffle=shuffle, drop_last=drop_last
    )
    whole = len(list(sampler))

    sampler.set_position(epoch, count)

    assert whole == len(sampler)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), later=st.integers(1, 5), **anything)
def test_another_number_of_ranks_goes_on_by_records(
    *, data, later, count, world_size, epoch, shuffle
):
    """What other ranks do after some rounds is the rest of the same order, each record once."""
    hands = shares(count, world_size, (epoch, 0), shuffle=shuffle)
    rounds = data.draw(st.integers(0, count // world_size))
    done = dealt(hand[:rounds] for hand in hands)

    rest = shares(count, later, (epoch, len(done)), shuffle=shuffle)

    assert dealt(hands) == done + dealt(rest)


def test_every_pass_is_the_next_epoch():
    """Each iter() is an epoch further, also after one that was left early or sought."""
    sampler = EpochSampler(50)
    orders = [shuffled(50, seed=0, epoch=epoch).tolist() for epoch in range(7)]

    first = list(sampler)
    for _ in sampler:
        break
    third = list(sampler)
    sampler.set_position(5, 20)
    sought = [list(sampler), list(sampler)]

    assert (orders[0], orders[2]) == (first, third)
    assert [orders[5][20:], orders[6]] == sought


def test_a_pass_that_has_begun_goes_on():
    """A position is that of the next pass, and no pass under way is changed by it."""
    sampler = EpochSampler(10)
    records = iter(sampler)
    next(records)

    sampler.set_position(3, 4)

    assert shuffled(10, seed=0, epoch=0).tolist()[1:] == list(records)


def test_seed_and_epoch_are_not_added_up():
    """The orders of four seeds in four epochs are sixteen different ones."""
    samplers = [EpochSampler(50, seed=seed) for seed in range(4)]
    orders = {tuple(sampler) for sampler in samplers for _ in range(4)}

    assert 16 == len(orders)


def test_the_order_uses_up_no_random_numbers():
    """Shuffling leaves the random state as it was, does not depend on it, nor on a default device."""
    sampler = EpochSampler(50)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    with torch.device("meta"):
        first = list(sampler)
    after = torch.get_rng_state()

    assert torch.equal(before, after)
    assert shuffled(50, seed=0, epoch=0).tolist() == first


def test_more_records_than_a_piece():
    """A share that is handed out in several pieces is whole, and made of plain ints."""
    count = 2 * _PIECE + 3

    records = list(EpochSampler(count, rank=0, world_size=1))

    assert shuffled(count, seed=0, epoch=0).tolist() == records
    assert {int} == set(map(type, records))


@pytest.mark.parametrize("drop_last", [False, True])
def test_nothing_skipped_is_loaded(drop_last):
    """A DataLoader from any record on loads the records that are left, in order, and no other."""
    dataset = Counting(11)
    order = shuffled(11, seed=0, epoch=2).tolist()
    sampler = EpochSampler(dataset)
    loader = DataLoader(dataset, batch_size=3, sampler=sampler, drop_last=drop_last)

    for start in range(12):
        dataset.loaded.clear()
        sampler.set_position(2, start)
        batches = in_pieces(loader)
        kept = 11 - (11 - start) % 3 if drop_last else 11

        assert order[start:kept] == dataset.loaded
        assert order[start:kept] == [record for batch in batches for record in batch]
        assert (3 if drop_last else 4) == len(loader)


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_go_on_from_every_position(persistent):
    """From each record of an epoch two workers yield what is yielded in the process, then the next."""
    dataset = Counting(9)
    sampler = EpochSampler(dataset)
    here = DataLoader(dataset, batch_size=2, sampler=sampler)
    workers = DataLoader(
        dataset,
        batch_size=2,
        sampler=sampler,
        num_workers=2,
        persistent_workers=persistent,
        multiprocessing_context="fork",
    )
    starts = range(0, 10, 1 if persistent else 3)

    def passes(loader, start):
        sampler.set_position(1, start)
        return [in_pieces(loader), in_pieces(loader)]

    expected = [passes(here, start) for start in starts]
    assert expected == [passes(workers, start) for start in starts]


def test_a_pass_left_early_leaves_nothing_in_workers():
    """After a break, persistent workers begin the next epoch from its first record."""
    sampler = EpochSampler(20)
    loader = DataLoader(
        range(20),
        batch_size=2,
        sampler=sampler,
        num_workers=2,
        persistent_workers=True,
        multiprocessing_context="fork",
    )

    for _ in loader:
        break

    assert shuffled(20, seed=0, epoch=1).tolist() == [
        record for batch in loader for record in batch.tolist()
    ]


def test_inside_a_batch_sampler():
    """A batch sampler, or one that hands whole batches to the data set, is told nothing else."""
    order = shuffled(10, seed=0, epoch=0).tolist()
    expected = [order[first : first + 4] for first in (0, 4, 8)]
    data = torch.arange(10)

    batched = DataLoader(data, batch_sampler=BatchSampler(EpochSampler(data), 4, drop_last=False))
    whole = DataLoader(
        data, sampler=BatchSampler(EpochSampler(data), 4, drop_last=False), batch_size=None
    )

    assert (expected, expected) == (in_pieces(batched), in_pieces(whole))


def test_a_copy_by_pickle_goes_on():
    """A pickled sampler has the same position, order and share."""
    sampler = EpochSampler(20, seed=4, rank=1, world_size=3, drop_last=True)
    sampler.set_position(2, 5)

    copy = pickle.loads(pickle.dumps(sampler))

    assert [list(sampler), list(sampler)] == [list(copy), list(copy)]


@pytest.fixture
def group(tmp_path):
    """Begins a process group of one, which is ended after the test."""

    def begin():
        distributed.init_process_group(
            "gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1
        )

    yield begin
    if distributed.is_initialized():
        distributed.destroy_process_group()


def test_ranks_are_those_of_the_process_group(group, monkeypatch):
    """The share is that of this process where torch.distributed is initialised, else everything."""
    alone = EpochSampler(5)
    group()
    monkeypatch.setattr(distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(distributed, "get_world_size", lambda: 3)

    sampler = EpochSampler(8, shuffle=False)

    assert (0, 1) == (alone.rank, alone.world_size)
    assert (1, 3) == (sampler.rank, sampler.world_size)
    assert [1, 4, 7] == list(sampler)


def test_a_group_of_one_changes_nothing(group):
    """A sampler made before a process group of one rank goes over all records."""
    sampler = EpochSampler(5, shuffle=False)
    group()

    assert [0, 1, 2, 3, 4] == list(sampler)


def test_ranks_that_were_not_known_are_an_error(group, monkeypatch):
    """A sampler made before the ranks were does not let each go over all records, unless told to."""
    sampler, told = EpochSampler(5), EpochSampler(5, rank=0, world_size=1, shuffle=False)
    group()
    monkeypatch.setattr(distributed, "get_world_size", lambda: 2)

    with pytest.raises(RanksDisagree) as caught:
        iter(sampler)

    assert (
        "the EpochSampler was made for rank 0 of 1, and this process is rank 0 of 2 in "
        "torch.distributed; make it after init_process_group(), or give it rank= and world_size="
    ) == str(caught.value)
    assert [0, 1, 2, 3, 4] == list(told)


class Endless(IterableDataset):
    def __iter__(self):
        return iter(())


@pytest.mark.parametrize(
    ("make", "kind", "expected"),
    [
        (
            lambda: EpochSampler(Endless()),
            InvalidSetting,
            (
                "EpochSampler was given an object of type Endless, and a data set with a length, or a "
                "number of records, was expected"
            ),
        ),
        (
            lambda: EpochSampler(-1),
            InvalidSetting,
            (
                "EpochSampler was given -1, and a data set with a length, or a number of records, was "
                "expected"
            ),
        ),
        (
            lambda: EpochSampler(5, seed=1.0),
            InvalidSetting,
            "seed is 1.0, and an int was expected",
        ),
        (
            lambda: EpochSampler(5, rank=0),
            InvalidSetting,
            (
                "rank is 0 and world_size is None, and both were expected, as ints with "
                "0 <= rank < world_size, or neither"
            ),
        ),
        (
            lambda: EpochSampler(5, world_size=2),
            InvalidSetting,
            (
                "rank is None and world_size is 2, and both were expected, as ints with "
                "0 <= rank < world_size, or neither"
            ),
        ),
        (
            lambda: EpochSampler(5, rank=2, world_size=2),
            InvalidSetting,
            (
                "rank is 2 and world_size is 2, and both were expected, as ints with "
                "0 <= rank < world_size, or neither"
            ),
        ),
        (
            lambda: EpochSampler(5).set_position(1, 6),
            InvalidPosition,
            (
                "the position is epoch 1 after 6 records, and an epoch of at least 0 after 0 to 5 "
                "records was expected; is it for another data set?"
            ),
        ),
        (
            lambda: EpochSampler(5).set_position(-1),
            InvalidPosition,
            (
                "the position is epoch -1 after 0 records, and an epoch of at least 0 after 0 to 5 "
                "records was expected; is it for another data set?"
            ),
        ),
    ],
    ids=[
        "no length",
        "negative",
        "seed",
        "rank alone",
        "ranks alone",
        "beyond",
        "records",
        "epoch",
    ],
)
def test_what_cannot_be_is_refused(make, kind, expected):
    """Data sets, shares and positions that do not fit are errors at once."""
    with pytest.raises(kind) as caught:
        make()

    assert expected == str(caught.value)
