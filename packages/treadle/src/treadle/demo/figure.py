"""The digits that were read wrong, as a figure."""

from typing import TYPE_CHECKING

from torch import Tensor

from treadle.demo.digits import Digits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS, _ROWS = 6, 3


def misclassified(digits: Digits, predicted: Tensor) -> "Figure":
    """Draw the first 18 digits whose label differs from the prediction, each with both.

    Args:
        digits: `N` of them.
        predicted: `(N,)` int64 labels.
    """
    from matplotlib.figure import Figure  # not pyplot: it keeps figures, and asks for a display

    wrong = (predicted != digits.labels).nonzero().flatten().tolist()
    figure = Figure(figsize=(1.5 * _COLUMNS, 1.8 * _ROWS), layout="constrained")
    figure.suptitle(f"{len(wrong)} of {len(digits.labels)} held-out digits read wrong")
    for place, axes in enumerate(figure.subplots(_ROWS, _COLUMNS).flat):
        axes.set_axis_off()
        if place < len(wrong):
            index = wrong[place]
            axes.imshow(digits.images[index, 0].numpy(), cmap="gray_r", vmin=0, vmax=1)
            axes.set_title(f"{digits.labels[index]} read as {predicted[index]}", fontsize=10)
    return figure
