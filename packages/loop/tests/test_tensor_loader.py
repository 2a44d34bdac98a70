"""TensorLoader: the order is a function of seed and epoch, and any position is at hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from treadle_loop import InvalidPosition, InvalidSetting, TensorLoader, TensorsDisagree


def order(loader):
    return [value for batch in loader for value in batch[0].tolist()]


loaders = {
    "records": st.integers(0, 40),
    "batch_size": st.integers(1, 12),
    "drop_last": st.booleans(),
    "shuffle": st.booleans(),
}


@settings(max_examples=100, deadline=None)
@given(**loaders)
def test_batches_are_those_of_a_data_loader(records, batch_size, drop_last, shuffle):
    """The number and the sizes of the batches, and each record once, as in a DataLoader."""
    data = torch.arange(records), torch.arange(records) * 2.0
    loader = TensorLoader(*data, batch_size=batch_size, drop_last=drop_last, shuffle=shuffle)
    reference = DataLoader(TensorDataset(*data), batch_size=batch_size, drop_last=drop_last)

    batches = list(loader)

    assert len(reference) == len(loader) == len(batches)
    assert [len(batch[0]) for batch in reference] == [len(batch[0]) for batch in batches]
    assert all(torch.equal(2.0 * first, second) for first, second in batches)
    seen = [value for batch in batches for value in batch[0].tolist()]
    if shuffle:
        assert len(set(seen)) == len(seen)
    else:
        assert list(range(len(seen))) == seen


@settings(max_examples=100, deadline=None)
@given(data=st.data(), epoch=st.integers(0, 5), **loaders)
def test_a_position_goes_on_where_it_was(*, data, epoch, records, batch_size, drop_last, shuffle):
    """From any batch of any epoch the rest of the pass is the same, and then the next epoch."""
    loader = TensorLoader(
        torch.arange(records), batch_size=batch_size, drop_last=drop_last, shuffle=shuffle
    )
    loader.set_position(epoch)
    passes = [list(loader), list(loader)]
    done = data.draw(st.integers(0, len(loader)))

    loader.set_position(epoch, sum(len(batch[0]) for batch in passes[0][:done]))
    again = [list(loader), list(loader)]

    assert len(passes[0]) == len(loader)
    for expected, actual in zip([passes[0][done:], passes[1]], again, strict=True):
        assert [batch[0].tolist() for batch in expected] == [b[0].tolist() for b in actual]


@settings(max_examples=100, deadline=None)
@given(data=st.data(), later=st.integers(1, 12), **loaders)
def test_another_batch_size_goes_on_by_records(
    *, data, later, records, batch_size, drop_last, shuffle
):
    """Batches of another size, from the records that were used, are the rest of the same order."""
    first, second = (
        TensorLoader(torch.arange(records), batch_size=size, shuffle=shuffle, drop_last=drop_last)
        for size in (batch_size, later)
    )
    whole = order(TensorLoader(torch.arange(records), batch_size=1, shuffle=shuffle))
    batches = [batch[0].tolist() for batch in first]
    done = sum(map(len, batches[: data.draw(st.integers(0, len(batches)))]))

    second.set_position(0, done)
    rest = [batch[0].tolist() for batch in second]

    kept = records - (records - done) % later if drop_last else records
    assert [whole[place : min(place + later, kept)] for place in range(done, kept, later)] == rest


def test_a_default_device_changes_nothing():
    """The order is the same where torch makes its tensors on another device."""
    loader = TensorLoader(torch.arange(50), batch_size=7, shuffle=True)
    expected = order(loader)
    loader.set_position(0)

    with torch.device("meta"):
        assert expected == order(loader)


def test_seed_and_epoch_are_not_added_up():
    """The orders of four seeds in four epochs are sixteen different ones."""
    orders = set()
    for seed in range(4):
        loader = TensorLoader(torch.arange(50), batch_size=7, shuffle=True, seed=seed)
        orders |= {tuple(order(loader)) for _ in range(4)}

    assert 16 == len(orders)


def test_the_order_uses_up_no_random_numbers():
    """Shuffling leaves the program's random state as it was, and does not depend on it."""
    loader = TensorLoader(torch.arange(50), batch_size=7, shuffle=True)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = order(loader)
    after = torch.get_rng_state()
    torch.manual_seed(1)
    loader.set_position(0)

    assert torch.equal(before, after)
    assert first == order(loader)


def test_a_pass_left_early_is_not_repeated():
    """Every iter() is the next epoch, also after a break."""
    loader = TensorLoader(torch.arange(50), batch_size=7, shuffle=True)
    whole = TensorLoader(torch.arange(50), batch_size=7, shuffle=True)
    list(whole)

    for _ in loader:
        break

    assert order(whole) == order(loader)


def test_batches_stay_on_the_device_of_the_tensors():
    """Tensors on two devices give batches on two devices, in one order."""
    loader = TensorLoader(
        torch.ones(5, 2), torch.ones(5, device="meta"), batch_size=2, shuffle=True
    )

    assert {("cpu", "meta")} == {tuple(part.device.type for part in batch) for batch in loader}


@pytest.mark.parametrize(
    ("make", "kind", "expected"),
    [
        (
            lambda: TensorLoader(batch_size=2),
            InvalidSetting,
            (
                "TensorLoader was given tensors of shapes [], and at least one was expected, each of "
                "shape (records, ...)"
            ),
        ),
        (
            lambda: TensorLoader(torch.ones(2), torch.ones(()), batch_size=2),
            InvalidSetting,
            (
                "TensorLoader was given tensors of shapes [(2,), ()], and at least one was expected, "
                "each of shape (records, ...)"
            ),
        ),
        (
            lambda: TensorLoader([1, 2], batch_size=2),
            InvalidSetting,
            (
                "TensorLoader was given a list, and tensors were expected; make one with "
                "torch.as_tensor(...)"
            ),
        ),
        (
            lambda: TensorLoader(torch.ones(2), batch_size=2, seed=None),
            InvalidSetting,
            "seed is None, and an int was expected",
        ),
        (
            lambda: TensorLoader(torch.ones(2), batch_size=2, shuffle=True).set_position(1.0),
            InvalidPosition,
            (
                "the position is epoch 1.0 after 0 records, and an epoch of at least 0 after 0 to 2 "
                "records was expected; is it for another data set?"
            ),
        ),
        (
            lambda: TensorLoader(torch.ones(2), batch_size=0),
            InvalidSetting,
            "batch_size is 0, and an int of at least 1 was expected",
        ),
        (
            lambda: TensorLoader(torch.ones(2), torch.ones(3), batch_size=2),
            TensorsDisagree,
            (
                "TensorLoader was given tensors with leading sizes 2, 3, and the same size was "
                "expected for all; cut them to the same records"
            ),
        ),
        (
            lambda: TensorLoader(torch.ones(2), batch_size=2).set_position(1, 3),
            InvalidPosition,
            (
                "the position is epoch 1 after 3 records, and an epoch of at least 0 after 0 to 2 "
                "records was expected; is it for another data set?"
            ),
        ),
    ],
    ids=["none", "scalar", "list", "seed", "epoch", "batch size", "sizes", "position"],
)
def test_what_cannot_be_is_refused(make, kind, expected):
    """Tensors, sizes and positions that do not fit are errors at once."""
    with pytest.raises(kind) as caught:
        make()

    assert expected == str(caught.value)


def test_a_batch_may_be_larger_than_the_data():
    """However large a batch may be, there is one with all records."""
    loader = TensorLoader(torch.arange(5.0), batch_size=10**30, shuffle=True, seed=0)

    assert [[5]] == [[len(batch[0]) for batch in loader]]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_ranks_share_the_records(shuffle, world_size):
    """Each record is in the share of exactly one rank, in an order that none of them changes."""
    whole = TensorLoader(torch.arange(11), batch_size=11, shuffle=shuffle, seed=3)
    shares = [
        TensorLoader(
            torch.arange(11),
            batch_size=2,
            shuffle=shuffle,
            seed=3,
            rank=rank,
            world_size=world_size,
        )
        for rank in range(world_size)
    ]

    order = next(iter(whole))[0].tolist()
    dealt = [[record for batch in share for record in batch[0].tolist()] for share in shares]

    assert [order[rank::world_size] for rank in range(world_size)] == dealt
    assert [-(-len(each) // 2) for each in dealt] == [len(share) for share in shares]


def test_ranks_with_drop_last_have_equally_many_batches():
    """Of 11 records, two ranks have two batches of 2 each, and three are left out."""
    shares = [
        TensorLoader(torch.arange(11), batch_size=2, drop_last=True, rank=rank, world_size=2)
        for rank in range(2)
    ]

    assert [[[0, 2], [4, 6]], [[1, 3], [5, 7]]] == [
        [batch[0].tolist() for batch in share] for share in shares
    ]
    assert [2, 2] == [len(share) for share in shares]


def test_another_number_of_ranks_goes_on_with_the_rest():
    """After 4 records of two ranks, three ranks see each of the others once."""
    rest = []
    for rank in range(3):
        share = TensorLoader(
            torch.arange(11), batch_size=2, shuffle=True, seed=3, rank=rank, world_size=3
        )
        share.set_position(0, records=4)
        rest += [record for batch in share for record in batch[0].tolist()]
    first = next(iter(TensorLoader(torch.arange(11), batch_size=4, shuffle=True, seed=3)))[0]

    assert sorted({*range(11)} - {*first.tolist()}) == sorted(rest)
