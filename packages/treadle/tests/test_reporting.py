"""Runs of which somebody is told some metrics."""

import math

import pytest
import torch

from treadle import Engine, Loss, TensorLoader, fit
from treadle.reporting import ReportingRun, numbers


class Told:
    """What a run has told."""

    def __init__(self):
        self.rows = []
        self.last = []

    def __call__(self, row, *, is_last):
        self.rows.append(row)
        self.last.append(is_last)


def test_a_training_tells_its_validations_with_its_counts(make_engine, loader, recorder):
    """Each validation is told once, with what has been counted by then, and the last is known as such."""
    told = Told()
    with recorder.start() as run:
        reporting = ReportingRun.of(run, ["val/loss"], told)
        fit(make_engine(), loader, {"val": loader}, until="2 epochs", log=None, run=reporting)

    assert [
        {"records": 100, "batches": 13, "steps": 13, "epochs": 1},
        {"records": 200, "batches": 26, "steps": 26, "epochs": 2},
    ] == [{unit: row[unit] for unit in row if unit != "val/loss"} for row in told.rows]
    assert [value for _, value in recorder.read().history("val/loss")] == [
        row["val/loss"] for row in told.rows
    ]
    assert [False, True] == told.last


def test_it_is_recorded_as_ever(make_engine, loader, recorder):
    """A run that reports is the run that it was made of: what it records is the same, and closing one closes both."""
    run = recorder.start()
    reporting = ReportingRun.of(run, ["val/loss"], Told())
    with reporting:
        fit(make_engine(), loader, {"val": loader}, until="1 epoch", log="5 steps", run=reporting)

    assert reporting is run
    assert "FINISHED" == run.status
    assert ["lr", "train/loss", "val/loss"] == sorted(recorder.read().metrics)


def test_all_that_is_named_is_told_together(recorder):
    """Metrics that are logged apart are told when each of them has been logged anew; without a training, with the step."""
    told = Told()
    with recorder.start() as run:
        reporting = ReportingRun.of(run, ["a", "b"], told)
        reporting.log({"a": 1.0, "c": 0.0}, step=1)
        reporting.log({"a": 2.0}, step=2)
        reporting.log({"b": 3.0}, step=3)
        reporting.log({"b": 4.0}, step=4)

    assert [{"a": 2.0, "b": 3.0, "steps": 3}] == told.rows
    assert {"a", "b", "c"} == reporting.logged


def test_counters_are_told_too(recorder):
    """A counter of the training's own is told with the others, and need not be logged."""
    inputs = torch.zeros(4, 1)
    model = torch.nn.Linear(1, 1)
    engine = Engine(model, _with_tokens, torch.optim.SGD(model.parameters(), lr=0.1))
    told = Told()
    with recorder.start() as run:
        reporting = ReportingRun.of(run, ["train/loss", "tokens"], told)
        loader = TensorLoader(inputs, inputs, batch_size=2)
        fit(engine, loader, until="1 epoch", log="1 step", run=reporting)

    assert [14, 28] == [row["tokens"] for row in told.rows]


def _with_tokens(model, batch):
    inputs, targets = batch
    return Loss(((model(inputs) - targets) ** 2).mean(), counts={"tokens": 7 * len(inputs)})


def test_what_is_raised_by_who_is_told_comes_through(recorder):
    """What whoever is told raises ends the body, once the metric is recorded."""

    def stop(row, *, is_last):
        raise SystemExit(0)

    with pytest.raises(SystemExit), recorder.start() as run:
        ReportingRun.of(run, ["loss"], stop).log({"loss": 0.5}, step=1)

    assert ((1, 0.5),) == recorder.read().history("loss")


def test_numbers_are_plain():
    """Numbers of any kind become Python's own, and tensors of one device come in one transfer."""
    values = {
        "a": torch.tensor([0.1], dtype=torch.float64),
        "b": 2,
        "c": torch.tensor(3),
        "d": torch.tensor(math.nan),
        "e": True,
    }

    assert "[('a', 0.1), ('b', 2), ('c', 3), ('d', nan), ('e', True)]" == str(
        [*numbers(values).items()]
    )
    assert {float, int, bool} == {type(value) for value in numbers(values).values()}


def test_equal_tensors_are_fetched_together(monkeypatch):
    """Of ten tensors of a device, the host waits for one."""
    fetched = []
    tolist = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda self: fetched.append(1) or tolist(self))
    numbers({str(index): torch.tensor(float(index)) for index in range(10)})

    assert [1] == fetched
