"""How many records a batch holds."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from treadle_loop.containers import children
from treadle_loop.errors import RecordsDisagree, RecordsUnknown


def count_records(batch: Any) -> int:
    """The number of records in `batch`.

    It is the common leading size of the arrays in it (anything with a `shape` of at least one
    dimension), through tuples, lists, mappings and classes with fields: a `DataLoader` yields the
    list `[inputs, targets]`. A list of anything else than arrays has its own length.

    Raises:
        RecordsDisagree: the leading sizes differ.
        RecordsUnknown: there is neither an array nor a list, or a list that may be one of records
            or one of columns: `[{"x": arrays}, {"y": arrays}]`.
    """
    if type(batch) in (tuple, list):  # the hot path: arrays, and nothing but arrays
        try:
            records = batch[0].shape[0]
            for leaf in batch:
                if leaf.shape[0] != records:
                    break
            else:
                return int(records)
        except (AttributeError, IndexError):
            pass
    sizes = set(_sizes(batch))
    if len(sizes) == 1:
        return int(sizes.pop())
    if sizes:
        raise RecordsDisagree(
            f"the arrays of a batch have different leading sizes, {_listed(sizes)}, so the number "
            "of its records is not clear; return Loss(value, records=...) from the step",
        )
    raise RecordsUnknown(
        f"a batch of type {type(batch).__name__} has no array with a leading size and is no list, "
        "so it does not say how many records it holds; return Loss(value, records=...) from the "
        "step",
    )


def record_counter(loader: Any, length: int | None, *, seen: int = 0) -> Callable[[Any], int]:
    """How to count the records of each batch that is left of a pass, in turn.

    That is `count_records`, but for one case. A list may be one of columns, as a `DataLoader` makes
    it, or one of records, such as four images of shape (3, height, width), of which the common
    leading size says 3. A batch that is not the last of its pass has exactly `batch_size` records:
    where that is the length of the list, and not the leading size of what is in it, the lists of
    this loader are lists of records, on the last batch of the pass too.

    Args:
        loader: where the batches come from; its `batch_size` is looked at, where it has one.
        length: how many batches a whole pass has, where that is known.
        seen: how many of them came before.
    """
    batch_size = getattr(loader, "batch_size", None)
    # What may be the last batch of its pass tells nothing.
    if type(batch_size) is not int or length is None or seen + 1 >= length:
        return count_records
    reading: Callable[[Any], int] | None = None

    def count(batch: Any) -> int:
        nonlocal reading
        if reading is None:
            reading = _reading(batch, batch_size)
        return reading(batch)

    return count


def _reading(batch: Any, batch_size: int) -> Callable[[Any], int]:
    """How to count batches like this one, which has `batch_size` records."""
    if not isinstance(batch, list) or len(batch) != batch_size:
        return count_records
    columns = set(_columns(batch))
    if columns == {0}:
        return count_records
    if columns != {batch_size}:
        return _count_items

    def count(batch: Any) -> int:
        # Both readings fit the first batch; but all batches have the same number of columns.
        of_records = isinstance(batch, list) and len(batch) != batch_size
        return _count_items(batch) if of_records else count_records(batch)

    return count


def _count_items(batch: Any) -> int:
    """The length of a list of records, whatever they are."""
    return len(batch) if isinstance(batch, list) and batch else count_records(batch)


def _sizes(value: Any) -> Iterator[int]:
    shape = getattr(value, "shape", None)
    if shape is not None:
        if len(shape):
            yield shape[0]
    elif isinstance(value, list) and not any(hasattr(item, "shape") for item in value):
        _check_one_reading(value)
        yield len(value)
    else:
        for child in children(value) or ():
            yield from _sizes(child)


def _check_one_reading(items: list[Any]) -> None:
    """Refuse a list of records that may as well be a list of columns of another length.

    A collate function makes `[{"a": arrays}, {"b": arrays}]` of records that are pairs of
    mappings, and `[("a", "b", "c"), ("d", "e", "f")]` of records that are pairs of texts.
    """
    if not all(isinstance(item, (list, Mapping)) or _is_texts(item) for item in items):
        return
    lengths = {length for item in items for length in _columns(item)}
    if len(lengths) == 1 and lengths != {len(items)}:
        raise RecordsUnknown(
            f"a list of {len(items)} {type(items[0]).__name__}s may be {len(items)} records, or "
            f"columns of {lengths.pop()}; return Loss(value, records=...) from the step",
        )


def _columns(value: Any) -> Iterator[int]:
    """The leading sizes of all that a collate function may have made of records."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        if len(shape):
            yield shape[0]
    elif _is_texts(value):
        yield len(value)
    elif isinstance(value, (list, Mapping)):
        for child in children(value) or ():
            yield from _columns(child)


def _is_texts(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, (str, bytes)) for item in value)


def _listed(sizes: set[int]) -> str:
    *head, tail = sorted(sizes)
    return f"{', '.join(map(str, head))} and {tail}"
