"""The digits that were read wrong, as a figure."""

from typing import TYPE_CHECKING

from torch import Tensor

from treadle.demo.digits import Digits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS, _MOST = 6, 18


def misclassified(digits: Digits, predicted: Tensor) -> "Figure":
    """Draw the first 18 digits whose label differs from the prediction, each with both.

    Args:
        digits: `N` of them.
        predicted: `(N,)` int64 labels.
    """
    from matplotlib.figure import Figure  # not pyplot: it keeps figures, and asks for a display

    wrong = (predicted != digits.labels).nonzero().flatten().tolist()
    shown = wrong[:_MOST]
    columns = min(_COLUMNS, max(3, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    figure = Figure(figsize=(1.6 * columns, 1.9 * rows + 0.6), layout="constrained")
    figure.suptitle(f"{len(wrong)} of {len(digits.labels)} held-out digits read wrong")
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set_axis_off()
        if place < len(shown):
            index = shown[place]
            axes.imshow(digits.images[index, 0].numpy(), cmap="gray_r", vmin=0, vmax=1)
            axes.set_title(f"{digits.labels[index]} read as {predicted[index]}", fontsize=12)
    return figure
