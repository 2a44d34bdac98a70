"""How many records a batch holds."""

from collections.abc import Iterator, Mapping
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
            leading = {leaf.shape[0] for leaf in batch}
        except (AttributeError, IndexError):
            pass
        else:
            if len(leading) == 1:
                return int(leading.pop())
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
