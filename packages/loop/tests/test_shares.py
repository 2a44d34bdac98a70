from types import SimpleNamespace

import pytest
from torch.utils.data import BatchSampler, DataLoader, Sampler, SequentialSampler
from torch.utils.data.distributed import DistributedSampler

from treadle_loop import EpochSampler, InvalidSetting, RecordsRepeated
from treadle_loop.shares import check_shares

TWO = SimpleNamespace(world_size=2)


def distributed(records, **settings):
    data = range(records)
    sampler = DistributedSampler(data, num_replicas=2, rank=0, **settings)
    return DataLoader(data, batch_size=16, sampler=sampler)


class BatchShare(BatchSampler):
    """As Accelerate deals out the batches of another sampler."""

    def __init__(self, batch_sampler, *, split_batches=False):
        self.batch_sampler = batch_sampler
        self.batch_size = batch_sampler.batch_size
        self.num_processes, self.drop_last, self.even_batches = 2, False, True
        self.split_batches = split_batches

    def __iter__(self):
        return iter(self.batch_sampler)


def of_batches(records, **settings):
    batches = BatchSampler(SequentialSampler(range(records)), 8, drop_last=False)
    return DataLoader(range(records), batch_sampler=BatchShare(batches, **settings))


class Dispatched(DataLoader):
    """As Accelerate's draws on rank 0, and sends each rank its part."""

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self._drop_last = self.drop_last
        self.state = SimpleNamespace(num_processes=2)

    def _fetch_batches(self):
        raise AssertionError


@pytest.mark.parametrize(
    ("loader", "name", "repeated", "records"),
    [
        (distributed(255), "DistributedSampler", 1, 255),
        (of_batches(255), "BatchShare", 1, 255),
        (of_batches(250), "BatchShare", 6, 250),
        (of_batches(250, split_batches=True), "BatchShare", 6, 250),
        (Dispatched(range(255), batch_size=8), "Dispatched", 1, 255),
    ],
)
def test_a_loader_that_repeats_records(loader, name, repeated, records):
    """A sampler that repeats records is refused, with how many it repeats."""
    with pytest.raises(RecordsRepeated) as caught:
        check_shares(loader, TWO)

    assert (
        f"the {name} repeats {repeated} of {records} records, so that all 2 ranks have equally "
        "many, and a repeated one would count, and weigh, twice; use EpochSampler(dataset), with "
        "drop_last=True for training, or leave the last records out of this one: drop_last=True"
    ) == str(caught.value)


class Unrepeated(DistributedSampler):
    """As Lightning's, which gives the first ranks one more."""

    def __init__(self, records):
        super().__init__(range(records), num_replicas=2, rank=0)
        self.total_size = records


class Weighted(DistributedSampler):
    """One that draws as it likes."""

    def __iter__(self):
        return iter([0] * len(self))


class Named(Sampler):
    """A sampler of one's own with the names of others."""

    drop_last, even_batches, split_batches, num_processes, num_replicas = False, True, False, 2, 2
    total_size, batch_size, world_size = 256, 8, 2

    def __iter__(self):
        return iter([0])


class Buckets(BatchSampler):
    """Batches of one's own."""

    def __iter__(self):
        return iter([[0]])


@pytest.mark.parametrize(
    "loader",
    [
        DataLoader(range(255), sampler=Unrepeated(255)),
        DataLoader(range(255), sampler=Weighted(range(255), num_replicas=2, rank=0)),
        DataLoader(range(255), sampler=Named()),
        DataLoader(range(255), batch_sampler=Named()),
        # Whose sampler has no length, and whose batches are not those of torch.
        DataLoader(range(255), batch_sampler=BatchShare(BatchSampler(Sampler(), 8, False))),
        DataLoader(
            range(255), batch_sampler=BatchShare(Buckets(SequentialSampler(range(255)), 8, False))
        ),
        SimpleNamespace(drop_last=False, total_size=256, dataset=SimpleNamespace(_sampler=Named())),
        Dispatched(range(254), batch_size=8),
        Dispatched(range(255), batch_size=8, drop_last=True),
        distributed(256),
        distributed(255, drop_last=True),
        of_batches(256),
        of_batches(248, split_batches=True),
        DataLoader(range(255), sampler=EpochSampler(255, rank=0, world_size=2)),
        [1, 2],
    ],
)
def test_a_loader_that_repeats_none(loader):
    """A loader that gives each record to one rank, or says nothing of it, is taken."""
    assert check_shares(loader, TWO) is None


def test_one_process_may_repeat():
    """In one process, what a sampler deals out for others is the user's business."""
    assert check_shares(distributed(255), SimpleNamespace(world_size=1)) is None


SHARE = EpochSampler(64, rank=0, world_size=2)


@pytest.mark.parametrize(
    "loader",
    [
        DataLoader(range(64), batch_sampler=BatchShare(BatchSampler(SHARE, 8, drop_last=False))),
        Dispatched(range(64), batch_size=8, sampler=SHARE),
    ],
)
def test_a_share_that_is_dealt_out_again(loader):
    """What a sampler deals out by itself, and a host once more, is refused."""
    with pytest.raises(InvalidSetting) as caught:
        check_shares(loader, TWO)

    assert (
        "the loader splits a rank's share of the records over the ranks again, so most records "
        "would never be seen; leave it as it was made: it is split already, and the engine "
        "moves its batches"
    ) == str(caught.value)
