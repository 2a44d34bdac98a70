"""How many records a batch has: a rule that two packages, which do not know each other, both follow."""

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import pytest
import torch

from treadle_loop import LoopError
from treadle_loop.records import count_records as counted_by_loop
from treadle_loop.records import record_counter as counter_of_loop
from treadle_units import UnitsError
from treadle_units import count_records as counted_by_units
from treadle_units.records import record_counter as counter_of_units

Pair = namedtuple("Pair", "inputs targets")  # noqa: PYI024  # what collate functions return
A, B, SCALAR = torch.zeros(4, 3), torch.zeros(4), torch.zeros(())

BATCHES = {
    "a tensor": A,
    "a pair": (A, B),
    "what a DataLoader yields": [A, B],
    "a mapping": {"inputs": A, "targets": B, "name": "run", "scale": SCALAR},
    "a named tuple": Pair(A, B),
    "nested": {"views": [A, A], "meta": (B, {"id": B})},
    "texts": ["a", "b", "c"],
    "records as mappings": [{"x": 1}, {"x": 2}, {"x": 3}],
    "records as numbers": [1, 2, 3],
    "pairs of columns, of texts": [("a", "b", "c"), ("d", "e", "f")],
    "pairs of columns, of arrays": [{"x": A}, {"y": B}],
    "lists of numbers": [[1, 2, 3], [4, 5, 6]],
    "sizes that disagree": (A, torch.zeros(5)),
    "a scalar": SCALAR,
    "a text": "abc",
    "nothing": None,
}


def outcome(count: Callable[[Any], int], batch: object) -> int | str:
    """The count, or that it is refused."""
    try:
        return count(batch)
    except (LoopError, UnitsError):
        return "refused"


@pytest.mark.parametrize("case", BATCHES)
def test_both_count_the_same(case: str) -> None:
    """units and loop find the same number of records in a batch, or both refuse it."""
    batch = BATCHES[case]

    assert outcome(counted_by_units, batch) == outcome(counted_by_loop, batch)


def test_the_cases_tell_something() -> None:
    """Some of these batches are counted and some refused, so agreement is not by chance."""
    outcomes = {outcome(counted_by_units, batch) for batch in BATCHES.values()}

    assert {2, 3, 4, "refused"} == outcomes


class Loader:
    """Says how many batches it has, and how many records each but the last."""

    def __init__(self, batch_size: int, length: int) -> None:
        self.batch_size = batch_size
        self.length = length

    def __len__(self) -> int:
        return self.length


@pytest.mark.parametrize("seen", [0, 1, 2])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 4])
@pytest.mark.parametrize("first", BATCHES)
def test_both_count_the_same_with_a_batch_size(first: str, batch_size: int, seen: int) -> None:
    """What the first batch says of the lists of a loader is the same to both, for all after it."""
    loader = Loader(batch_size, 3)
    by_units = counter_of_units(loader, continued=seen)
    by_loop = counter_of_loop(loader, 3, seen=seen)

    for batch in (BATCHES[first], *BATCHES.values()):
        assert outcome(by_units, batch) == outcome(by_loop, batch)
