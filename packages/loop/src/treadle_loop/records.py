"""How many records a batch holds."""

from collections.abc import Iterator
from typing import Any

from treadle_loop.containers import children
from treadle_loop.errors import RecordsDisagree, RecordsUnknown


def count_records(batch: Any) -> int:
    """The number of records in `batch`.

    It is the common leading size of the arrays in it (anything with a `shape` of at least one
    dimension), through tuples, lists, mappings and classes with fields: a `DataLoader` yields the
    list `[inputs, targets]`. A list or tuple that holds no array has its own length.

    Raises:
        RecordsDisagree: the leading sizes differ.
        RecordsUnknown: there is neither an array nor a list.
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
        return
    inner = children(value)
    if inner is None:
        return
    found = False
    for child in inner:
        for size in _sizes(child):
            found = True
            yield size
    if not found and isinstance(value, (list, tuple)):
        yield len(value)


def _listed(sizes: set[int]) -> str:
    *head, tail = sorted(sizes)
    return f"{', '.join(map(str, head))} and {tail}"
