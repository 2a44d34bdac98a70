"""How many records a batch has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import index
from typing import Any

from treadle_units.errors import EmptyBatch, InvalidCount, UncountableBatch

_WAY_OUT = "give records=, a function of the batch that returns how many records it has"


def count_records(batch: object) -> int:
    """Count the records of a batch from what it is.

    That is the common leading size of its array-like leaves (what has a `shape`), looked for in
    tuples, lists and mappings; lists of other things beside arrays must have that length, too.
    A list with an array among its items is such a container: `DataLoader` yields `[x, y]`.
    A list of anything else has its own length.
    Scalars and texts say nothing.

    Raises:
        UncountableBatch: The leaves disagree, or the batch says nothing, or it is a list that may
            be one of records or one of columns: `[{"x": arrays}, {"y": arrays}]`.
        EmptyBatch: It has no records.
    """
    shape = getattr(batch, "shape", None)
    if shape is not None and len(shape) > 0:
        size = index(shape[0])
    else:
        leaves = list(_leaves(batch, ""))
        if not leaves:
            raise UncountableBatch(
                f"a batch of type {type(batch).__name__} does not say how many records it has; "
                f"{_WAY_OUT}"
            )
        size = leaves[0][1]
        if any(other != size for _, other in leaves):
            sizes = ", ".join(f"{size} at {path or 'the top'}" for path, size in leaves)
            raise UncountableBatch(
                f"the parts of a batch have different numbers of records: {sizes}; {_WAY_OUT}"
            )
    if size < 1:
        raise empty_batch()
    return size


def empty_batch() -> EmptyBatch:
    """The error for a batch that adds nothing."""
    return EmptyBatch(
        "a batch has 0 records, so nothing would be counted; drop empty batches in the loader"
    )


def counted_by(function: Callable[[Any], Any], name: str, batch: object) -> int:
    """Count with a function of the user's, whose result may be any whole scalar.

    Raises:
        InvalidCount: The result is no whole number, or negative.
        EmptyBatch: It says that the batch has no records.
    """
    result = function(batch)
    try:
        if isinstance(result, bool):
            raise TypeError  # noqa: TRY301  # a truth value has an index, and is no count
        count = index(result)
    except TypeError:
        raise InvalidCount(
            f"{name}= returned {result!r} of type {type(result).__name__}; return an int"
        ) from None
    if count < 0:
        raise InvalidCount(f"{name}= returned {count}; return 0 or more")
    if count == 0 and name == "records":
        raise empty_batch()
    return count


def _leaves(part: object, path: str) -> Iterator[tuple[str, int]]:
    shape = getattr(part, "shape", None)
    if shape is not None:
        if len(shape) > 0:
            yield path, index(shape[0])
    elif isinstance(part, Mapping):
        for key, value in part.items():
            yield from _leaves(value, f"{path}[{key!r}]")
    elif isinstance(part, tuple) or (isinstance(part, list) and _holds_arrays(part)):
        for position, value in enumerate(part):
            yield from _leaves(value, f"{path}[{position}]")
    elif isinstance(part, list):
        _check_one_reading(part)
        yield path, len(part)


def _holds_arrays(items: list[object]) -> bool:
    return any(hasattr(item, "shape") for item in items)


def _check_one_reading(items: list[object]) -> None:
    """Refuse a list of records that may as well be a list of columns of another length.

    A collate function makes `[{"a": arrays}, {"b": arrays}]` of records that are pairs of
    mappings, and `[("a", "b", "c"), ("d", "e", "f")]` of records that are pairs of texts.
    """
    if not all(isinstance(item, (list, Mapping)) or _is_texts(item) for item in items):
        return
    lengths = {length for item in items for length in _columns(item)}
    if len(lengths) == 1 and lengths != {len(items)}:
        raise UncountableBatch(
            f"a list of {len(items)} {type(items[0]).__name__}s may be {len(items)} records, or "
            f"columns of {lengths.pop()}; {_WAY_OUT}"
        )


def _columns(part: object) -> Iterator[int]:
    """The leading sizes of all that a collate function may have made of records."""
    shape = getattr(part, "shape", None)
    if shape is not None:
        yield from (index(size) for size in shape[:1])
    elif isinstance(part, tuple) and _is_texts(part):
        yield len(part)
    elif isinstance(part, (list, Mapping)):
        for value in part.values() if isinstance(part, Mapping) else part:
            yield from _columns(value)


def _is_texts(part: object) -> bool:
    return isinstance(part, tuple) and all(isinstance(item, (str, bytes)) for item in part)
