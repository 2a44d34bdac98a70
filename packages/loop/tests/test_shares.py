from types import SimpleNamespace

import pytest
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler
from torch.utils.data.distributed import DistributedSampler

from treadle_loop import EpochSampler, RecordsRepeated
from treadle_loop.shares import check_shares

TWO = SimpleNamespace(world_size=2)


def distributed(records, **settings):
    data = range(records)
    sampler = DistributedSampler(data, num_replicas=2, rank=0, **settings)
    return DataLoader(data, batch_size=16, sampler=sampler)


class BatchShare:
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


@pytest.mark.parametrize(
    ("loader", "name", "repeated", "records"),
    [
        (distributed(255), "DistributedSampler", 1, 255),
        (of_batches(255), "BatchShare", 1, 255),
        (of_batches(250), "BatchShare", 6, 250),
        (of_batches(250, split_batches=True), "BatchShare", 6, 250),
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


@pytest.mark.parametrize(
    "loader",
    [
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
