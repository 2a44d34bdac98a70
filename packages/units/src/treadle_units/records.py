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
    A list of anything else, and of tuples or mappings, has its own length.
    Scalars and texts say nothing.

    Raises:
        UncountableBatch: The leaves disagree, or the batch says nothing, or it is a list of lists
            of arrays that may be read in two ways.
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
    elif isinstance(part, tuple) or (isinstance(part, list) and _is_container(part)):
        for position, value in enumerate(part):
            yield from _leaves(value, f"{path}[{position}]")
    elif isinstance(part, list):
        _check_one_reading(part, path)
        yield path, len(part)


def _is_container(items: list[object]) -> bool:
    return any(hasattr(item, "shape") for item in items)


def _check_one_reading(items: list[object], path: str) -> None:
    """Refuse a list of lists of arrays where it could be a container of another size.

    Nested samples come collated as `[[a, b], [c, d]]`, and so does a list of two samples.
    """
    if not items or not all(isinstance(item, list) and _is_container(item) for item in items):
        return
    sizes = {size for item in items for _, size in _leaves(item, path)}
    if len(sizes) == 1 and sizes != {len(items)}:
        raise UncountableBatch(
            f"a list of {len(items)} lists of arrays may be {len(items)} records or "
            f"{sizes.pop()}; {_WAY_OUT}"
        )
