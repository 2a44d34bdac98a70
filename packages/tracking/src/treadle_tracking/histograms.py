"""Values counted into the buckets of a histogram."""

import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import inf, isfinite
from typing import Any

from treadle_tracking.errors import MissingExtra, UnsupportedHistogram, seen

__all__ = ["Bucket", "buckets"]

Bucket = tuple[float, float, float]  # left, right, count

_ADVICE = (
    "Give an array or tensor of bools, integers or real numbers, of any shape, or lists of these"
)
_BLOCK = 1 << 20  # values of an array that are doubles at a time: 8 MB
_MOST_BINS = 10_000
_NO_BUCKET: tuple[Bucket, ...] = ((0.0, 0.0, 0.0),)


def buckets(name: str, values: Any, *, bins: int = 30) -> tuple[Bucket, ...]:
    """Count `values` into buckets of equal width, from the smallest to the largest of them.

    A bucket includes its left edge, and the last one its right edge too. NaN and the infinities, which are nowhere on an
    axis, are left out, so that the counts sum to the number of finite values. Where all values are one, there is one
    bucket, as wide as nothing; where there is none, one of zeros at 0. Values so close that a double cannot divide the
    space between them get fewer buckets.

    Args:
        name: The histogram's, for messages.
        values: A numpy array or a tensor on any device, of any shape, of bools, integers or floats of any width; or
            numbers in lists, which need no numpy. A tensor is fetched, which waits for its device.
        bins: How many buckets.

    Returns:
        (left, right, count) of each bucket, from left to right, each number a double.

    Raises:
        UnsupportedHistogram: the values are complex, texts or other objects, or `bins` is no integer from 1 to 10,000.
        MissingExtra: an array or a tensor is given and numpy is not installed.
    """
    if not isinstance(bins, int) or isinstance(bins, bool) or not 1 <= bins <= _MOST_BINS:
        raise UnsupportedHistogram(
            name, f"is to have {bins!r} buckets", f"Give `bins` from 1 to {_MOST_BINS}"
        )
    if isinstance(values, list | tuple | range):
        return _of_numbers([one for one in _numbers(name, values) if isfinite(one)], bins)
    return _of_array(_array(name, values), bins)


def _numbers(name: str, values: Sequence[Any]) -> Iterator[float]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _numbers(name, value)
            continue
        number = value
        if not isinstance(value, int | float):
            # A scalar of numpy's or torch's, or a tensor in a list of tensors.
            listed = getattr(value, "tolist", None)
            number = listed() if callable(listed) else value
            if isinstance(number, list):
                yield from _numbers(name, number)
                continue
        if not isinstance(number, int | float):
            raise UnsupportedHistogram(name, f"holds {seen(value)}", _ADVICE)
        try:
            yield float(number)
        except OverflowError:
            raise UnsupportedHistogram(
                name, "holds an integer beyond the range of a double", _ADVICE
            ) from None


def _edges(low: float, high: float, bins: int) -> list[float]:
    """From `low` to `high` in steps of equal width, each edge beyond the one before."""
    width = high - low
    if width == inf:
        # Of two parts of which each can be a double.
        edges = [low * (1 - part / bins) + high * (part / bins) for part in range(bins)]
    else:
        edges = [part * (width / bins) + low for part in range(bins)]
    edges = [low, *(edge for edge in edges[1:] if low < edge < high), high]
    return [edges[0], *(right for left, right in pairwise(edges) if left < right)]


def _of_numbers(numbers: list[float], bins: int) -> tuple[Bucket, ...]:
    if not numbers:
        return _NO_BUCKET
    low, high = min(numbers), max(numbers)
    if low == high:
        return ((low, high, float(len(numbers))),)
    edges = _edges(low, high, bins)
    counts = [0] * (len(edges) - 1)
    last = len(counts) - 1
    for number in numbers:
        counts[min(bisect_right(edges, number) - 1, last)] += 1
    return _joined(edges, counts)


def _joined(edges: list[float], counts: Sequence[int]) -> tuple[Bucket, ...]:
    return tuple(
        (left, right, float(count))
        for (left, right), count in zip(pairwise(edges), counts, strict=True)
    )


def _array(name: str, values: Any) -> Any:
    """A one-dimensional numpy array of real numbers."""
    try:
        import numpy as np
    except ImportError:
        raise MissingExtra("a histogram of an array", "numpy", "images") from None

    if callable(getattr(values, "detach", None)):
        values = _fetched(name, values)
    if isinstance(values, str | bytes):
        raise UnsupportedHistogram(name, f"is {seen(values)}", _ADVICE)
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UnsupportedHistogram(name, f"is no array ({error})", _ADVICE) from None
    if array.dtype.name in {"bfloat16", "float8_e4m3fn", "float8_e5m2"}:
        array = array.astype(np.float32)  # of the package ml_dtypes, as jax has them
    if array.dtype.kind not in "buif":
        raise UnsupportedHistogram(
            name, f"is a {type(values).__name__} of dtype {array.dtype}", _ADVICE
        )
    return array.reshape(-1)


def _fetched(name: str, tensor: Any) -> Any:
    """A torch tensor as a numpy array; the kinds of float that numpy has not are float32."""
    torch = sys.modules.get("torch")
    try:
        tensor = tensor.detach()
        if tensor.is_complex():
            raise UnsupportedHistogram(name, f"is a tensor of dtype {tensor.dtype}", _ADVICE)
        if torch is not None and getattr(tensor, "layout", None) is not torch.strided:
            tensor = tensor.to_dense()
        known = torch is None or tensor.dtype in {torch.float16, torch.float32, torch.float64}
        if tensor.is_floating_point() and not known:
            tensor = tensor.float()
        return tensor.cpu().resolve_neg().numpy()
    except (AttributeError, TypeError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise UnsupportedHistogram(
            name, f"is a tensor that cannot be fetched ({reason})", _ADVICE
        ) from error


def _of_array(array: Any, bins: int) -> tuple[Bucket, ...]:
    import numpy as np

    # In blocks: the doubles of a large layer would be several times its size.
    blocks = [_finite(np, array[start : start + _BLOCK]) for start in range(0, len(array), _BLOCK)]
    blocks = [block for block in blocks if len(block)]
    if not blocks:
        return _NO_BUCKET
    low, high = (
        min(float(block.min()) for block in blocks),
        max(float(block.max()) for block in blocks),
    )
    count = sum(map(len, blocks))
    if low == high:
        return ((low, high, float(count)),)
    edges = _edges(low, high, bins)
    # numpy's own way for equal widths takes a seventh of the time; its edges are the same, but overflow sooner.
    regular = len(edges) == bins + 1 and high - low < 1e300
    how: dict[str, Any] = {"bins": bins, "range": (low, high)} if regular else {"bins": edges}
    counts = np.zeros(len(edges) - 1, dtype=np.int64)
    for block in blocks:
        counts += np.histogram(block.astype(np.float64), **how)[0]
    return _joined(edges, counts.tolist())


def _finite(np: Any, block: Any) -> Any:
    """`block` without NaN and infinities: itself where there is none, which its sum tells in one pass."""
    if block.dtype.kind in "bui":
        return block
    with np.errstate(over="ignore", invalid="ignore"):
        total = block.sum(dtype=np.float64)
    return block if np.isfinite(total) else block[np.isfinite(block)]
