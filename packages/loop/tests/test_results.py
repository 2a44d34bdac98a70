"""The lines that are printed."""

import pytest
import torch
from torch import nn
from torch.optim import SGD

from treadle_loop import Engine, EpochResult, Loss
from treadle_loop.epoch import figure


def result(records, batches, steps, seconds, loss=0.2312, *, verb="trained", **metrics):
    return EpochResult(
        verb=verb,
        records=records,
        batches=batches,
        steps=steps,
        seconds=seconds,
        loss=torch.tensor(loss),
        metrics={name: torch.tensor(value) for name, value in metrics.items()},
        further_counts={},
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            result(1437, 45, 12, 0.31),
            (
                "trained 1437 records in 45 batches (12 steps), 0.31 s (4635 records/s, "
                "145 batches/s), loss 0.231"
            ),
        ),
        (
            result(360, 12, 0, 0.02, 0.12, verb="validated", accuracy=0.97),
            (
                "validated 360 records in 12 batches, 0.020 s (18000 records/s, 600 batches/s), "
                "loss 0.12, accuracy 0.97"
            ),
        ),
        (
            result(10, 10, 10, 0.52),
            "trained 10 records in 10 batches, 0.52 s (19.2 records/s, 19.2 batches/s), loss 0.231",
        ),
        (
            result(1281167, 5005, 5005, 372.4),
            (
                "trained 1281167 records in 5005 batches, 6 min 12 s (3440 records/s, "
                "13.4 batches/s), loss 0.231"
            ),
        ),
        (result(1, 1, 1, 0.0), "trained 1 record in 1 batch, 0 s, loss 0.231"),
        (
            result(4, 2, 1, 1.0),
            "trained 4 records in 2 batches (1 step), 1.00 s (4 records/s, 2 batches/s), loss 0.231",
        ),
        (
            result(1, 1, 1, 1.0),
            "trained 1 record in 1 batch, 1.00 s (1 record/s, 1 batch/s), loss 0.231",
        ),
        (result(0, 0, 0, 0.25, float("nan")), "trained 0 records in 0 batches, 0.25 s"),
    ],
    ids=["accumulated", "validated", "equal", "minutes", "one", "one step", "rate of one", "none"],
)
def test_a_result_is_a_line(given, expected):
    """Counts are exact, steps are named where they differ from batches, and nothing is "1s"."""
    assert expected == str(given)


# treadle-units prints the same words for the same numbers, and its tests have the same table.
@pytest.mark.parametrize(
    ("records", "batches", "seconds", "line"),
    [
        (10, 10, 0.52, "10 records in 10 batches, 0.52 s (19.2 records/s, 19.2 batches/s)"),
        (1, 1, 0.0, "1 record in 1 batch, 0 s"),
        (1, 1, 9e-10, "1 record in 1 batch, 0 s"),
        (1, 1, 1.0, "1 record in 1 batch, 1.00 s (1 record/s, 1 batch/s)"),
        (0, 0, 0.0, "0 records in 0 batches, 0 s"),
        (0, 0, 0.5, "0 records in 0 batches, 0.50 s"),
        (
            8,
            1,
            4e-9,
            "8 records in 1 batch, 0.0000000040 s (2000000000 records/s, 250000000 batches/s)",
        ),
        (10, 1, 0.003, "10 records in 1 batch, 0.0030 s (3333 records/s, 333 batches/s)"),
        (10, 1, 0.0151, "10 records in 1 batch, 0.015 s (662 records/s, 66.2 batches/s)"),
        (10, 1, 0.0996, "10 records in 1 batch, 0.10 s (100 records/s, 10 batches/s)"),
        (10, 1, 12.345, "10 records in 1 batch, 12.35 s (0.81 records/s, 0.081 batches/s)"),
        (9996, 1, 10.0, "9996 records in 1 batch, 10.00 s (1000 records/s, 0.1 batches/s)"),
        (60, 6, 59.994, "60 records in 6 batches, 59.99 s (1 record/s, 0.1 batches/s)"),
        (60, 6, 59.996, "60 records in 6 batches, 1 min 00 s (1 record/s, 0.1 batches/s)"),
        (372, 6, 372.4, "372 records in 6 batches, 6 min 12 s (0.999 records/s, 0.0161 batches/s)"),
        (3600, 36, 3599.7, "3600 records in 36 batches, 1 h 00 min (1 record/s, 0.01 batches/s)"),
        (60, 1, 3725.0, "60 records in 1 batch, 1 h 02 min (0.0161 records/s, 0.000268 batches/s)"),
        (
            1,
            1,
            90_000.0,
            "1 record in 1 batch, 25 h 00 min (0.0000111 records/s, 0.0000111 batches/s)",
        ),
    ],
)
def test_wording(records, batches, seconds, line):
    """Singular and plural, durations and rates are written as a person reads them."""
    given = result(records, batches, batches, seconds, 0.5, verb="read")

    assert f"read {line}" == str(given).removesuffix(", loss 0.5")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.2312, "0.231"), (0.5, "0.5"), (-2.5e-5, "-2.5e-05"), (999.7, "1000"), (123456.7, "123457")],
)
def test_means_have_three_digits(value, expected):
    """A mean shows three digits, without an exponent up to a million."""
    assert expected == figure(value)


def test_the_engine_times_its_passes(ticking):
    """The line of a real pass: trained, tested, or in the word you give."""
    ticking(0.5)
    model = nn.Linear(1, 1)
    engine = Engine(
        model,
        lambda model, batch: Loss(0 * model(batch).mean() + 0.25, metrics={"accuracy": 1.0}),
        SGD(model.parameters(), lr=0.1),
        accumulate=2,
    )
    loader = [torch.ones(4, 1), torch.ones(4, 1), torch.ones(2, 1)]

    lines = [
        str(engine.train_epoch(loader)),
        str(engine.test_epoch(loader)),
        str(engine.test_epoch(loader, verb="validated")),
    ]

    rest = "0.50 s (20 records/s, 6 batches/s), loss 0.25, accuracy 1"
    assert [
        f"trained 10 records in 3 batches (2 steps), {rest}",
        f"tested 10 records in 3 batches, {rest}",
        f"validated 10 records in 3 batches, {rest}",
    ] == lines
