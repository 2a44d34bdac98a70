"""For how long a search for the best waits."""

import pytest

from treadle.arguments import check_saving
from treadle.errors import WrongArgument
from treadle_units import Progress


def best_after(patience: str, scores: dict[tuple[int, int], float]) -> tuple[int, int] | None:
    """After how many epochs and records a search gives up that sees these values, in passes of 100 records."""
    [search] = [
        check_saving(
            None, "val/x:max", None, patience, ["val"], validates=True, batches_per_epoch=10
        )
    ]
    assert search is not None
    progress = Progress()
    for (epochs, records), score in scores.items():
        progress.records, progress.batches = 100 * epochs, 10 * epochs
        progress.end_epochs(epochs - progress.epochs)
        progress.records, progress.batches = 100 * epochs + records, 10 * epochs + records // 10
        search.improves({"val/x": score}, progress)
        if search.is_given_up(progress):
            return epochs, records
    return None


@pytest.mark.parametrize(
    ("patience", "expected"),
    [
        ("1 epoch", (2, 50)),
        ("2 epochs", (3, 50)),
        ("0.5 epochs", (2, 0)),
        ("0.3 epochs", (2, 0)),
        ("0.8 epochs", (2, 50)),
        ("100 records", (2, 50)),
        ("9 epochs | 150 records", (3, 0)),
    ],
)
def test_patience_in_epochs_is_as_long_as_it_says(patience: str, expected: tuple[int, int]) -> None:
    """Counted from the middle of a pass it ends in the middle of one, and not with the pass that has just begun."""
    scores = {(1, 50): 1.0} | {
        (epochs, records): 0.0 for epochs in (2, 3, 4) for records in (0, 50)
    }

    assert expected == best_after(patience, scores)


def test_parts_of_an_epoch_need_its_length_for_patience() -> None:
    """A loader that does not say how long a pass is cannot be waited for half a pass of."""
    with pytest.raises(WrongArgument) as caught:
        check_saving(
            None, "val/x:max", None, "0.5 epochs", ["val"], validates=True, batches_per_epoch=None
        )

    assert (
        "patience is '1/2 epochs', and the loader does not say how many batches an epoch has; give whole epochs, another "
        "unit, or batches_per_epoch"
    ) == str(caught.value)
