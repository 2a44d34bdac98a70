"""When two values of two runs are the same."""

from collections.abc import Hashable, Mapping, Sequence
from math import isnan
from typing import Any

__all__ = ["differ", "identity"]


def identity(value: Any) -> Hashable:
    """What two values have in common that are the same, and no others.

    Numbers are the same where they are equal, exactly: 1 and 1.0 are, as a filter and an axis have it, 2**53 + 1 and
    2.0**53 are not, and NaN is NaN. True is no number, `"1"` neither. Lists are the same item by item, mappings name by
    name in any order.
    """
    if isinstance(value, float) and isnan(value):
        return "number", "nan"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number", value
    if isinstance(value, Mapping):
        return "mapping", frozenset((name, identity(item)) for name, item in value.items())
    if isinstance(value, list | tuple):
        return "list", tuple(identity(item) for item in value)
    return type(value).__name__, value


def differ(values: Sequence[Any]) -> bool:
    """Whether not all are the same."""
    return len({identity(value) for value in values}) > 1
