"""Words that two packages, which do not know each other, both write."""

import pytest
import torch

from treadle_loop import EpochResult
from treadle_units import report

SECONDS = [0, 1e-10, 3e-5, 0.0031, 0.5, 59.994, 59.996, 60, 372.4, 3599.6, 3600, 86_399]


@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.parametrize(("records", "batches"), [(0, 0), (1, 1), (10, 3), (1_281_167, 5005)])
def test_a_meter_and_an_epoch_say_the_same(seconds: float, records: int, batches: int) -> None:
    """units and loop write the same counts, durations and rates, to the letter."""
    result = EpochResult(
        verb="validated",
        records=records,
        batches=batches,
        steps=0,
        seconds=seconds,
        loss=torch.tensor(1.0),
        metrics={},
        further_counts={},
    )
    expected = report("validated", records=records, batches=batches, seconds=seconds)

    assert expected == str(result).removesuffix(", loss 1")
