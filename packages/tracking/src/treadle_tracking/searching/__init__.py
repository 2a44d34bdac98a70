"""Searching among runs: a small language of filters and orders, the same wherever the runs are."""

from treadle_tracking.reading.condition import Condition
from treadle_tracking.searching.conditions import Truth
from treadle_tracking.searching.errors import (
    FilterTooDeep,
    FilterTooLong,
    InvalidFilter,
    InvalidLimit,
    InvalidOrder,
    NotText,
    SearchError,
    UnfitValue,
    UnknownField,
)
from treadle_tracking.searching.fields import Extremes, Field, Kind, Which
from treadle_tracking.searching.filters import Filter, parse
from treadle_tracking.searching.ordering import Orderings, parse_order
from treadle_tracking.searching.searching import search

__all__ = [
    "Condition",
    "Extremes",
    "Field",
    "Filter",
    "FilterTooDeep",
    "FilterTooLong",
    "InvalidFilter",
    "InvalidLimit",
    "InvalidOrder",
    "Kind",
    "NotText",
    "Orderings",
    "SearchError",
    "Truth",
    "UnfitValue",
    "UnknownField",
    "Which",
    "parse",
    "parse_order",
    "search",
]
