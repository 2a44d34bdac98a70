"""How many records a batch has."""

from __future__ import annotations

from operator import index

from treadle_units.errors import EmptyBatch, InvalidCount, UncountableBatch
from treadle_units.passes import length_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, TypeGuard

# A list of these alone is one of records: they are no columns, and have no shape.
_PLAIN = frozenset((int, float, complex, bool, str, bytes, type(None)))
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
    # The common batches first, as directly as can be; whatever else is walked through below.
    if type(batch) is list:
        if _is_plain(batch):
            return len(batch)
        size = _common_size(batch)
    elif type(batch) is tuple:
        size = _common_size(batch)
    elif type(batch) is dict:
        size = _common_size(batch.values())
    else:
        size = _leading(batch)
    if size is None:
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


def record_counter(loader: Any, *, continued: int = 0) -> Callable[[object], int]:
    """Choose how to count the records of each batch of a loader.

    That is `count_records`, but for one case.
    A list may be one of columns, as a `DataLoader` makes it, or one of records, such as four images
    of shape (3, height, width), of which the common leading size says 3.
    A batch that is not the last of its pass has exactly `batch_size` records.
    So where that is the length of the list, and not the leading size of what is in it, the lists of
    this loader are lists of records, on the last batch of a pass, too.

    Args:
        loader: What is iterated; its `len` and `batch_size` are looked at, where it has them.
        continued: How many batches of the pass come before the first one that is to be counted.

    Returns:
        A function of the batch, to be called on each in turn; it raises what `count_records` does.
    """
    batch_size, length = getattr(loader, "batch_size", None), length_of(loader)
    # What may be the last batch of its pass tells nothing.
    if type(batch_size) is not int or length is None or continued + 1 >= length:
        return count_records
    reading: Callable[[object], int] | None = None

    def count(batch: object) -> int:
        nonlocal reading
        if reading is None:
            reading = _reading(batch, batch_size)
        return reading(batch)

    return count


def empty_batch() -> EmptyBatch:
    """The error for a batch that adds nothing."""
    return EmptyBatch(
        "a batch has 0 records, so nothing would be counted; drop empty batches in the loader"
    )


def whole_count(result: object, name: str) -> int:
    """Take what a function of the user's has counted: any whole scalar, not negative.

    Raises:
        InvalidCount: It is no whole number, or negative.
        EmptyBatch: It says that the batch has no records.
    """
    try:
        if isinstance(result, bool):
            raise TypeError  # noqa: TRY301  # a truth value has an index, and is no count
        count = index(result)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        raise InvalidCount(
            f"{name}= returned {result!r} of type {type(result).__name__}; return an int"
        ) from None
    if count < 0:
        raise InvalidCount(f"{name}= returned {count}; return 0 or more")
    if count == 0 and name == "records":
        raise empty_batch()
    return count


def _is_plain(items: list[Any]) -> bool:
    return bool(items) and type(items[0]) in _PLAIN and _PLAIN.issuperset(map(type, items))


def _common_size(parts: Iterable[Any]) -> int | None:
    """The leading size of the parts, where they are arrays that agree and nothing else."""
    size = None
    for part in parts:
        try:
            leading = part.shape[0]
        except (AttributeError, IndexError, TypeError):
            return None
        if size is None:
            size = leading
        elif leading != size:
            return None
    return size if isinstance(size, int) else None


def _leading(part: Any) -> int | None:
    """The leading size of an array, `None` of what has none: a scalar, or another kind of shape."""
    try:
        return index(part.shape[0])
    except (AttributeError, IndexError, TypeError):
        return None


def _reading(batch: object, batch_size: int) -> Callable[[object], int]:
    """How to count batches like this one, which has `batch_size` records."""
    if not isinstance(batch, list) or len(batch) != batch_size:
        return count_records
    columns = set(_columns(batch))
    if columns == {0}:
        # More likely a batch of nothing than one of records of nothing: it is refused there.
        return count_records
    if columns != {batch_size}:
        return _count_items

    def count(batch: object) -> int:
        # Both readings fit the first batch; but all batches have the same number of columns.
        one_of_records = isinstance(batch, list) and len(batch) != batch_size
        return _count_items(batch) if one_of_records else count_records(batch)

    return count


def _count_items(batch: object) -> int:
    """Count a list of records, whatever they are."""
    if isinstance(batch, list) and batch:
        return len(batch)
    return count_records(batch)


def _leaves(part: object, path: str) -> Iterator[tuple[str, int]]:
    if getattr(part, "shape", None) is not None:
        leading = _leading(part)
        if leading is not None:
            yield path, leading
    elif isinstance(part, tuple) or (isinstance(part, list) and _holds_arrays(part)):
        for position, value in enumerate(part):
            yield from _leaves(value, f"{path}[{position}]")
    elif isinstance(part, list):
        _check_one_reading(part)
        yield path, len(part)
    elif _is_mapping(part):
        for key, value in part.items():
            yield from _leaves(value, f"{path}[{key!r}]")


def _holds_arrays(items: list[object]) -> bool:
    return any(hasattr(item, "shape") for item in items)


def _check_one_reading(items: list[object]) -> None:
    """Refuse a list of records that may as well be a list of columns of another length.

    A collate function makes `[{"a": arrays}, {"b": arrays}]` of records that are pairs of
    mappings, and `[("a", "b", "c"), ("d", "e", "f")]` of records that are pairs of texts.
    """
    if not all(isinstance(item, list) or _is_mapping(item) or _is_texts(item) for item in items):
        return
    lengths = {length for item in items for length in _columns(item)}
    if len(lengths) == 1 and lengths != {len(items)}:
        raise UncountableBatch(
            f"a list of {len(items)} {type(items[0]).__name__}s may be {len(items)} records, or "
            f"columns of {lengths.pop()}; {_WAY_OUT}"
        )


def _columns(part: object) -> Iterator[int]:
    """The leading sizes of all that a collate function may have made of records."""
    if getattr(part, "shape", None) is not None:
        leading = _leading(part)
        if leading is not None:
            yield leading
    elif isinstance(part, tuple) and _is_texts(part):
        yield len(part)
    elif isinstance(part, list):
        for value in part:
            yield from _columns(value)
    elif _is_mapping(part):
        for value in part.values():
            yield from _columns(value)


def _is_mapping(part: object) -> TypeGuard[Mapping[object, object]]:
    if isinstance(part, dict):
        return True
    if type(part) in _PLAIN:
        return False
    # After the common cases, which need not wait for its import.
    from collections.abc import Mapping

    return isinstance(part, Mapping)


def _is_texts(part: object) -> bool:
    return isinstance(part, tuple) and all(isinstance(item, (str, bytes)) for item in part)
