"""How many records a batch has, where the loader's batch size tells what a list is one of."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD
from torch.utils.data import DataLoader, Dataset

from treadle_loop import Engine, Loss, RecordsUnknown, TensorLoader
from treadle_loop.records import count_records, record_counter


class Loader(list):
    """Batches, with the size that those before the last one have."""

    def __init__(self, batches, batch_size):
        super().__init__(batches)
        self.batch_size = batch_size


class Unsized(Loader):
    def __len__(self):
        raise TypeError


class Images(Dataset):
    """Pictures of shape (3, height, width), of which no two are alike."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return torch.full((3, 4 + index, 4), 1.0)


def brightness(model, batch):
    return model(torch.stack([image.mean() for image in batch])[:, None]).mean()


@pytest.fixture
def engine():
    torch.manual_seed(0)
    model = nn.Linear(1, 1)
    return Engine(model, brightness, SGD(model.parameters(), lr=0.1))


@pytest.fixture
def images():
    """Ten pictures in lists of four, four and two."""
    return DataLoader(Images(10), batch_size=4, collate_fn=list)


def test_a_list_of_images_is_one_of_records(engine, images):
    """Each is a record, also in the last batch, in training and in evaluation."""
    sizes = [update.records for update in engine.updates(images)]

    assert [4, 4, 2] == sizes
    assert (10, 10) == (engine.train_epoch(images).records, engine.test_epoch(images).records)


def test_losses_weigh_by_those_records(engine, images):
    """The window's gradient and loss are those of the mean over the pictures."""
    engine.accumulate = 3

    (update,) = engine.updates(images)

    assert 10 == update.records == update.weight
    assert engine.model.weight.grad.item() == pytest.approx(1.0)


def test_what_the_loader_does_not_tell_is_read_from_the_arrays(engine, images):
    """In a plain list of batches, of three channels each, the leading size decides."""
    assert 9 == engine.test_epoch(list(images)).records


def test_a_step_that_says_its_records_is_asked(images):
    """Loss(records=...) goes before anything that the loader says."""
    model = nn.Linear(1, 1)
    engine = Engine(model, lambda model, batch: Loss(0.0, records=7))

    assert 21 == engine.test_epoch(images).records


def test_a_resumed_pass_counts_alike(images):
    """What is left of a pass is counted as it would have been."""

    def make():
        torch.manual_seed(0)
        model = nn.Linear(1, 1)
        return Engine(model, brightness, SGD(model.parameters(), lr=0.1))

    batches = Loader(DataLoader(Images(14), batch_size=4, collate_fn=list), 4)
    stopped, resumed = make(), make()
    next(stopped.updates(batches))
    resumed.load_state_dict(stopped.state_dict())

    assert [4, 4, 2] == [update.records for update in resumed.updates(batches)]


def test_columns_stay_columns(engine):
    """What DataLoader and TensorLoader make of pairs is counted by its arrays."""
    tensors = torch.randn(5, 1), torch.randn(5, 1)
    model = nn.Linear(1, 1)
    engine = Engine(model, lambda model, batch: model(batch[0]).mean())

    loaders = [
        TensorLoader(*tensors, batch_size=2),
        DataLoader(torch.utils.data.TensorDataset(*tensors), batch_size=2),
    ]

    assert [5, 5] == [engine.test_epoch(loader).records for loader in loaders]


@pytest.mark.parametrize(
    ("loader", "seen"),
    [
        (Loader([0] * 9, None), 0),
        (Loader([0] * 9, "4"), 0),
        (Loader([0] * 9, 4), 8),
        (Loader([0], 4), 0),
        ([0] * 9, 0),
    ],
    ids=["none", "text", "last", "one", "list"],
)
def test_what_tells_nothing_changes_nothing(loader, seen):
    """Without a batch size, or a batch known not to be the last of its pass, the arrays decide."""
    assert count_records is record_counter(loader, len(loader), seen=seen)


def test_an_unsized_loader_tells_nothing():
    """Its only batch could be the last one."""
    assert count_records is record_counter(Unsized([0], 4), None)


@pytest.mark.parametrize(
    ("batch_size", "batches", "counts"),
    [
        (4, [[torch.ones(3, 8)] * 4, [torch.ones(3, 8)] * 3], [4, 3]),
        (4, [[{"x": torch.ones(3)}] * 4, [{"x": torch.ones(3)}] * 2], [4, 2]),
        (4, [[("a", "b")] * 4, [("a", "b")]], [4, 1]),
        (3, [[torch.ones(3, 8)] * 3, [torch.ones(3, 8)] * 2], [3, 2]),
        (2, [[torch.ones(2), torch.ones(2)], [torch.ones(1), torch.ones(1)]], [2, 1]),
        (2, [(torch.ones(7), torch.ones(7))], [7]),
        (2, [["a", "b"], ["c"]], [2, 1]),
        (4, [[torch.ones(3)] * 4, torch.ones(2)], [4, 2]),
        (4, [[torch.ones(3)] * 4, []], [4, 0]),
        (1, [[torch.ones(0, 4)]], [0]),
    ],
    ids=[
        "images",
        "mappings",
        "texts",
        "as many channels as records",
        "as many columns as records",
        "tuple",
        "plain",
        "no list",
        "no items",
        "no records",
    ],
)
def test_a_batch_that_is_not_the_last_tells(batch_size, batches, counts):
    """A list as long as the batch size, of things that are not, is one of records from then on."""
    count = record_counter(Loader([0] * 9, batch_size), 9)

    assert counts == [count(batch) for batch in batches]


def test_a_batch_that_fits_neither_way_is_an_error():
    """Where the batch size is neither the length of the list nor that of its columns."""
    count = record_counter(Loader([0] * 9, 3), 9)

    with pytest.raises(RecordsUnknown):
        count([{"x": torch.ones(4)}, {"y": torch.ones(4)}])


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.integers(0, 4))
def test_both_readings_are_exact(batch_size, size, full, rest):
    """Over a pass, columns and lists of like records count to the size of the data alike."""
    sizes = [batch_size] * (full + 1) + [min(rest, batch_size)] * (rest > 0)
    loader = Loader([0] * len(sizes), batch_size)
    of_records, of_columns = (record_counter(loader, len(sizes)) for _ in range(2))

    assert (sizes, sizes) == (
        [of_records([torch.ones(size, 2)] * records) for records in sizes],
        [of_columns([torch.ones(records, 2)] * size) for records in sizes],
    )
