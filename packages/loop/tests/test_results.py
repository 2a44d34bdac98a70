"""The lines that are printed."""

import pytest
import torch
from torch import nn
from torch.optim import SGD

from treadle_loop import Engine, EpochResult, Loss
from treadle_loop.wording import duration, figure, rate


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


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "0 s"),
        (0.00312, "0.0031 s"),
        (0.052, "0.052 s"),
        (0.1, "0.10 s"),
        (12.345, "12.35 s"),
        (59.994, "59.99 s"),
        (59.996, "1 min 00 s"),
        (372.4, "6 min 12 s"),
        (3599.6, "1 h 00 min"),
        (3720.0, "1 h 02 min"),
        (90_000.0, "25 h 00 min"),
    ],
)
def test_durations_read_well(seconds, expected):
    """Two decimals, and two digits at least, below a minute; no 60 s and no 60 min."""
    assert expected == duration(seconds)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, "1 batch/s"),
        (7, "7 batches/s"),
        (999, "999 batches/s"),
        (1234, "1234 batches/s"),
        (12345678, "12345678 batches/s"),
    ],
)
def test_rates_have_three_digits_or_are_whole(count, expected):
    """From a thousand on a rate is whole, and never in exponents."""
    assert expected == rate(count, 1.0, "batch", "batches")
    assert "1000 batches/s" == rate(9996, 10.0, "batch", "batches")


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
