"""Histograms as a `SummaryWriter` makes them, as buckets."""

from collections.abc import Iterator, Sequence
from typing import Any

from treadle_tracking.compat.arrays import as_array
from treadle_tracking.errors import UnsupportedHistogram
from treadle_tracking.histograms import Bucket

__all__ = ["counted", "joined"]

_EMPTY: tuple[Bucket, ...] = ((0.0, 0.0, 0.0),)


def _exponential() -> Iterator[float]:
    """The edges right of zero that TensorFlow's histograms have always had: each a tenth above the one before."""
    edge = 1e-12
    while edge < 1e20:
        yield edge
        edge *= 1.1


def counted(tag: str, values: Any, bins: Any, most: int | None) -> tuple[Bucket, ...]:
    """Values, of any shape, in buckets. NaN and infinities are left out.

    Args:
        tag: The histogram's, for messages.
        values: An array, a tensor or a list of numbers.
        bins: `'tensorflow'`, or what `numpy.histogram` takes.
        most: How many bins there may be before neighbours are joined; None for any number.

    Raises:
        UnsupportedHistogram: they are no real numbers, or no such bins.
        MissingExtra: numpy is not installed.
    """
    if isinstance(bins, str) and bins == "tensorflow":
        right = list(_exponential())
        bins = [*(-edge for edge in reversed(right)), 0.0, *right]
    try:
        array = as_array(values, "a histogram")
        import numpy as np

        # Refuses complex numbers, texts and objects.
        numbers = array.astype(np.float64, casting="same_kind").reshape(-1)
        numbers = numbers[np.isfinite(numbers)]
        if numbers.size == 0:
            return _EMPTY
        counts, edges = np.histogram(numbers, bins=bins)
    except (TypeError, ValueError) as error:
        raise UnsupportedHistogram(
            tag, f"cannot be counted: {error}", "It takes real numbers, and numpy.histogram's bins"
        ) from None
    if most is not None and len(counts) > most:
        together = len(counts) // most
        counts = np.add.reduceat(counts, range(0, len(counts), together))
        edges = np.append(edges[:-1:together], edges[-1])
    low, high = float(numbers.min()), float(numbers.max())
    return joined(low, high, edges[1:].tolist(), counts.tolist())


def joined(
    low: float, high: float, right_edges: Sequence[Any], counts: Sequence[Any]
) -> tuple[Bucket, ...]:
    """Buckets between `low` and `high`: without the empty ones at both ends, and no wider than the values.

    So TensorBoard shows such histograms (`tensorboard/data_compat.py`).
    """
    filled = [index for index, count in enumerate(counts) if count > 0]
    if not filled:
        return _EMPTY
    first, last = filled[0], filled[-1]
    inner = [float(edge) for edge in right_edges[first:last]]
    edges = [float(low), *inner, float(high)]
    numbers = [float(count) for count in counts[first : last + 1]]
    return tuple(zip(edges[:-1], edges[1:], numbers, strict=True))
