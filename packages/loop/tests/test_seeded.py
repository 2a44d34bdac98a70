"""seeded: the random numbers of a record are a function of (seed, epoch, record)."""
# ruff: noqa: NPY002  # the legacy generator is the one that programs share

import copy
import pickle
import random
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
)

from treadle_loop.epoch_sampler import EpochSampler
from treadle_loop.errors import InvalidSetting, NotARecord
from treadle_loop.random_state import get_random_state
from treadle_loop.seeded import seeded


class Noisy(Dataset):
    """Records that draw from every generator, some of them more often than others."""

    def __len__(self):
        return 9

    def __getitem__(self, index):
        if int(index) in {5, -4}:
            torch.rand(7)
        noise = torch.rand(()).item(), torch.randn(()).item(), random.random(), random.gauss(0, 1)
        return int(index), *noise, np.random.rand(), np.random.standard_normal()


class Batched(Noisy):
    """Records that may also be had several at a time, and then draw together."""

    def __getitems__(self, indices):
        pytest.fail("cannot be seeded by record")


def records_of(loader):
    return [record for batch in loader for record in batch]


def load(dataset, batch_size=2, **settings):
    """A DataLoader that leaves records as they are."""
    if settings.get("num_workers"):
        settings["multiprocessing_context"] = "fork"
    return DataLoader(dataset, batch_size=batch_size, collate_fn=list, **settings)


def test_a_record_does_not_depend_on_what_came_before():
    """In any order, alone or in batches, again or not, a record has the same random numbers."""
    dataset = seeded(Noisy(), seed=3)
    expected = [dataset[index] for index in range(9)]
    torch.manual_seed(11)
    random.seed(11)
    np.random.seed(11)

    assert expected == [dataset[index] for index in range(9)]
    assert expected[::-1] == dataset.__getitems__(range(8, -1, -1))
    assert expected == list(dataset.__getitems__([0, 1, 2])) + dataset.__getitems__(range(3, 9))
    assert expected == records_of(load(dataset, batch_size=4))


def test_seed_epoch_and_record_each_make_a_difference():
    """Twenty-seven records of other seeds, epochs and places have numbers of their own."""
    drawn = []
    for seed in range(3):
        dataset = seeded(Noisy(), seed=seed)
        for epoch in range(3):
            dataset.set_epoch(epoch)
            drawn += [dataset[index][1:] for index in range(3)]

    for column in zip(*drawn, strict=True):
        assert 27 == len(set(column))


def test_generators_do_not_copy_each_other():
    """numpy, whose generator is of the same kind as torch's, is seeded otherwise."""

    class Words(Noisy):
        def __getitem__(self, index):
            torchs = torch.randint(2**32, (4,)).tolist()
            return torchs, np.random.randint(2**32, size=4, dtype=np.uint32).tolist()

    torchs, numpys = seeded(Words())[0]

    assert not set(torchs) & set(numpys)


def test_the_random_state_is_left_as_it_was(same):
    """Neither a record, nor a batch, nor an error in one changes any generator."""
    dataset = seeded(Noisy())
    failing = seeded([0, 1])
    before = get_random_state()

    _ = dataset[4], dataset.__getitems__([1, 2])
    with pytest.raises(IndexError):
        failing.__getitems__([0, 2])

    assert same(before, get_random_state())


def test_without_numpy(monkeypatch):
    """Where numpy is not imported, the other generators are seeded."""
    dataset = seeded(Noisy())
    expected = dataset[3]
    monkeypatch.setitem(sys.modules, "numpy", None)
    before = np.random.get_state()[2]

    assert expected[1:5] == dataset[3][1:5]
    assert before != np.random.get_state()[2]


@pytest.mark.parametrize("kind", [Noisy, Batched])
@pytest.mark.parametrize("persistent", [False, True])
def test_workers_draw_what_the_process_draws(kind, persistent):
    """Two workers, persistent or not, yield over three epochs what one process yields."""
    here, there = seeded(kind(), seed=5), seeded(kind(), seed=5)
    expected = load(here, sampler=EpochSampler(here))
    actual = load(there, sampler=EpochSampler(there), num_workers=2, persistent_workers=persistent)

    passes = [records_of(expected) for _ in range(3)]

    assert passes == [records_of(actual) for _ in range(3)]
    assert 27 == len({record[1:] for each in passes for record in each})


def test_workers_go_on_from_a_position():
    """A pass that is sought in the middle has the rest of the records, random numbers and all."""
    dataset = seeded(Noisy())
    sampler = EpochSampler(dataset)
    loader = load(dataset, sampler=sampler, num_workers=2, persistent_workers=True)
    whole = [records_of(loader), records_of(loader)]

    for records in (8, 3, 0, 9):
        sampler.set_position(1, records)

        assert whole[1][records:] == records_of(loader)


def test_a_pass_left_early_leaves_its_epoch():
    """After a break, persistent workers draw for the next epoch from its first record."""
    dataset = seeded(Noisy())
    loader = load(dataset, sampler=EpochSampler(dataset), num_workers=2, persistent_workers=True)
    other = seeded(Noisy())
    sampler = EpochSampler(other)
    sampler.set_position(1)
    expected = records_of(load(other, sampler=sampler))

    for _ in loader:
        break

    assert expected == records_of(loader)


def test_another_sampler_is_told_by_hand():
    """With set_epoch before each pass, any sampler will do, in workers that persist."""
    dataset = seeded(Noisy())
    loader = load(dataset, num_workers=2, persistent_workers=True)
    seen = []

    for epoch in (0, 1, 0):
        dataset.set_epoch(epoch)
        seen.append(records_of(loader))

    assert seen[0] == seen[2]
    assert not {record[1:] for record in seen[0]} & {record[1:] for record in seen[1]}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda dataset: dataset,
        lambda dataset: Subset(dataset, [3, 1]),
        lambda dataset: seeded(Subset(dataset, [3, 1])),
        lambda dataset: ConcatDataset([[0, 1], dataset]),
        lambda dataset: StackDataset(dataset, range(9)),
        lambda dataset: StackDataset(noisy=dataset, other=range(9)),
    ],
    ids=["itself", "subset", "seeded subset", "concatenation", "stack", "stack by name"],
)
def test_the_sampler_finds_what_is_seeded(wrap):
    """An EpochSampler tells the epoch also to what torch's own data sets hold."""
    dataset = seeded(Noisy())
    sampler = EpochSampler(wrap(dataset))
    epochs = []

    for _ in range(2):
        iter(sampler)
        epochs.append(dataset.epoch)
    sampler.set_position(7)
    iter(sampler)

    assert ([0, 1], 7) == (epochs, dataset.epoch)


def test_copies_have_an_epoch_of_their_own():
    """A pickled or deep copy has its own epoch, which its workers hear of."""
    dataset = seeded(Noisy(), seed=2)
    dataset.set_epoch(3)
    copies = [pickle.loads(pickle.dumps(dataset)), copy.deepcopy(dataset)]
    expected = [dataset[index] for index in range(9)]
    dataset.set_epoch(4)
    later = [dataset[index] for index in range(9)]

    for each in copies:
        loader = load(each, num_workers=1, persistent_workers=True)
        assert expected == records_of(loader)
        each.set_epoch(4)
        assert later == records_of(loader)


def test_whatever_names_a_record():
    """A record is the same by any whole number that names it, and a text names one too."""
    dataset = seeded(Noisy())
    texts = seeded({"a": 1, "b": 2})

    assert 1 == len({dataset[index][1:] for index in (5, -4, torch.tensor(5), np.int64(5))})
    assert [2, 1] == texts.__getitems__(["b", "a"])


def test_it_is_the_data_set_it_was_made_of():
    """The length is that of the data set, which is at hand."""
    inner = Noisy()

    dataset = seeded(inner, seed=4)

    assert (9, inner, 4, 0) == (len(dataset), dataset.dataset, dataset.seed, dataset.epoch)


def test_no_device_is_read(host_reads):
    """The epoch is set and read without what would count as a read of a device."""
    dataset = seeded(range(9))

    with host_reads:
        dataset.set_epoch(2)
        records = dataset.__getitems__([4, 5])

    assert ([4, 5], []) == (records, host_reads.names)


def test_made_under_other_modes():
    """Inference mode and a default device, where it is made and used, change nothing."""
    with torch.inference_mode(), torch.device("meta"):
        dataset = seeded(range(3))
    dataset.set_epoch(1)
    with torch.inference_mode(), torch.device("meta"):
        dataset.set_epoch(2)
        record = dataset[1]

    assert (1, 2) == (record, dataset.epoch)


class Stream(IterableDataset):
    def __iter__(self):
        return iter(())


@pytest.mark.parametrize(
    ("make", "kind", "expected"),
    [
        (
            lambda: seeded(Stream()),
            InvalidSetting,
            (
                "seeded() was given the iterable data set Stream, whose records have no index to be "
                "seeded by; draw from a generator of its own in its __iter__, or make it a data set "
                "with __getitem__"
            ),
        ),
        (
            lambda: seeded(Noisy),
            InvalidSetting,
            "seeded() was given the class Noisy, and a data set with __getitem__ was expected",
        ),
        (
            lambda: seeded(3),
            InvalidSetting,
            "seeded() was given an object of type int, and a data set with __getitem__ was expected",
        ),
        (
            lambda: seeded([1], seed=None),
            InvalidSetting,
            "seed is None, and an int was expected",
        ),
        (
            lambda: seeded([1]).set_epoch(-1),
            InvalidSetting,
            "epoch is -1, and an int of at least 0 was expected",
        ),
        (
            lambda: seeded([1, 2])[0:1],
            NotARecord,
            (
                "a seeded data set was asked for slice(0, 1, None), and the index of one record, a "
                "whole number or a text, was expected; ask for records one by one, or leave the "
                "batches to the DataLoader, with batch_size= or batch_sampler="
            ),
        ),
        (
            lambda: next(
                iter(
                    DataLoader(
                        seeded([1, 2]), batch_size=None, sampler=BatchSampler([0, 1], 2, False)
                    )
                )
            ),
            NotARecord,
            (
                "a seeded data set was asked for [0, 1], and the index of one record, a whole number "
                "or a text, was expected; ask for records one by one, or leave the batches to the "
                "DataLoader, with batch_size= or batch_sampler="
            ),
        ),
    ],
    ids=["iterable", "class", "number", "seed", "epoch", "slice", "batch"],
)
def test_what_cannot_be_is_refused(make, kind, expected):
    """Data sets without an index, and indices of several records, are errors."""
    with pytest.raises(kind) as caught:
        make()

    assert expected == str(caught.value)


@pytest.mark.slow
def test_the_first_use_of_numpy_is_seeded():
    """A data set whose first record is numpy's first use has the numbers of any later time."""
    code = """
        import torch  # which imports numpy, and not its generator

        from treadle_loop.seeded import seeded


        class Noisy:
            def __getitem__(self, index):
                import numpy

                return numpy.random.rand()


        dataset = seeded(Noisy())
        assert dataset[0] == dataset[0]
    """

    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=False, capture_output=True, text=True
    )

    assert ("", 0) == (ran.stderr, ran.returncode)


@pytest.mark.slow
def test_spawned_workers_draw_what_the_process_draws(tmp_path):
    """Workers that are spawned, and persist, yield over two epochs what one process yields."""
    script = tmp_path / "spawned.py"
    script.write_text(
        textwrap.dedent("""
        import random

        import torch
        from torch.utils.data import DataLoader, Dataset

        from treadle_loop.epoch_sampler import EpochSampler
        from treadle_loop.seeded import seeded


        class Noisy(Dataset):
            def __len__(self):
                return 9

            def __getitem__(self, index):
                return index, random.random(), torch.rand(()).item()


        def passes(**settings):
            dataset = seeded(Noisy())
            loader = DataLoader(
                dataset, batch_size=2, sampler=EpochSampler(dataset), collate_fn=list, **settings
            )
            return [record for _ in range(2) for batch in loader for record in batch]


        if __name__ == "__main__":
            settings = {"num_workers": 2, "persistent_workers": True}
            assert passes() == passes(multiprocessing_context="spawn", **settings)
            print("the same")
        """)
    )

    ran = subprocess.run(
        [sys.executable, script], check=False, capture_output=True, text=True, timeout=100
    )

    # stderr may have a complaint of Python's about semaphores that its workers left behind.
    assert ("the same\n", 0) == (ran.stdout, ran.returncode), ran.stderr
