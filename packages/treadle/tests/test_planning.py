"""How many steps a training will make, against how many it makes."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from treadle.moments import training
from treadle.planning import UnknownTotal, total_steps
from treadle_loop import Engine, EpochSampler, Loss, TensorLoader


def make_engine(accumulate: int = 1) -> Engine:
    model = torch.nn.Linear(1, 1)

    def step(model: torch.nn.Module, batch: Any) -> Loss:
        [x] = batch
        return Loss(model(x).mean(), counts={"tokens": 3 * len(x)})

    return Engine(model, step, torch.optim.SGD(model.parameters(), lr=0.0), accumulate=accumulate)


def steps_made(until: str, loader: Any, engine: Engine) -> int:
    last = 0
    for moment in training(engine, loader, until=until, log=None):
        last = moment.counts.steps
    return last


@settings(max_examples=60, deadline=None)
@given(
    records=st.integers(1, 23),
    batch_size=st.integers(1, 7),
    accumulate=st.integers(1, 4),
    drop_last=st.booleans(),
    until=st.one_of(
        st.builds(
            "{} {}".format,
            st.integers(1, 40),
            st.sampled_from(["records", "batches", "steps", "tokens"]),
        ),
        st.builds("{}/{} epochs".format, st.integers(1, 7), st.integers(1, 3)),
        st.builds("{} steps | {} records".format, st.integers(1, 9), st.integers(1, 40)),
    ),
)
def test_the_total_is_what_a_training_makes(
    records: int, batch_size: int, accumulate: int, drop_last: bool, until: str
) -> None:
    """Whatever the sizes, the windows and the unit, the planned number of steps is the one that happens."""
    if drop_last and records < batch_size:
        return
    loader = TensorLoader(torch.zeros(records, 1), batch_size=batch_size, drop_last=drop_last)
    engine = make_engine(accumulate)
    planned = total_steps(until, loader, engine, per_record={"tokens": 3})

    assert planned == steps_made(until, loader, engine)


def dataset() -> TensorDataset:
    return TensorDataset(torch.zeros(23, 1))


LOADERS: dict[str, Any] = {
    "DataLoader": lambda: DataLoader(dataset(), batch_size=4),
    "DataLoader, shuffled": lambda: DataLoader(dataset(), batch_size=4, shuffle=True),
    "DataLoader, drop_last": lambda: DataLoader(dataset(), batch_size=4, drop_last=True),
    "DataLoader, EpochSampler": lambda: DataLoader(
        dataset(), batch_size=4, sampler=EpochSampler(dataset())
    ),
}


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("until", ["30 records", "2 epochs", "7 batches", "5 steps"])
def test_a_data_loader_says_its_sizes(name: str, until: str) -> None:
    """The loaders of torch are planned with as exactly."""
    loader, engine = LOADERS[name](), make_engine(accumulate=2)

    assert steps_made(until, loader, engine) == total_steps(until, loader, engine)


class Endless:
    def __iter__(self) -> Iterator[Any]:
        yield from ()


UNKNOWN: dict[str, tuple[str, Any, str]] = {
    "a time": (
        "10 epochs | 2 h",
        [0],
        "the number of steps in 2 h is known only afterwards; give a length, such as '10 epochs' or '1k steps'",
    ),
    "a counter": (
        "5 tokens",
        [0],
        (
            "the number of steps in 5 tokens depends on how many a record has; if that is constant, give "
            "per_record={'tokens': ...}, or a length in records, batches, steps or epochs"
        ),
    ),
    "no length": (
        "2 epochs",
        Endless(),
        (
            "the number of steps in 2 epochs depends on the batches of a pass, and the Endless does not say how many it has; "
            "give a length in steps"
        ),
    ),
    "no records": (
        "20 records",
        [0, 0],
        (
            "the number of steps in 20 records depends on the records of a batch, and the list does not say how many those "
            "are and how many there are in all; give a length in batches, steps or epochs"
        ),
    ),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_nobody_can_know_is_an_error(case: str) -> None:
    """It says what is missing, and which units would do."""
    until, loader, message = UNKNOWN[case]
    with pytest.raises(UnknownTotal) as caught:
        total_steps(until, loader, make_engine())

    assert message == str(caught.value)


def test_steps_need_no_loader_that_says_anything() -> None:
    """A number of steps is that number."""
    assert 400 == total_steps("400 steps", Endless(), make_engine(accumulate=3))
