"""Which of the runs that were found comes first."""

from collections.abc import Sequence
from math import isnan
from typing import Any, TypeAlias

from treadle_tracking.clock import milliseconds
from treadle_tracking.entries import ParamValue
from treadle_tracking.mirrors.parameters import shown
from treadle_tracking.searching.errors import NotText
from treadle_tracking.searching.fields import Field, Subject, reader
from treadle_tracking.searching.grammar import read

__all__ = ["Orderings", "arranged", "parse_order"]

Orderings: TypeAlias = tuple[tuple[Field, bool], ...]

_EXAMPLE = "a text, such as 'metrics.loss desc, name', or a list of such"
_LAST = 4


def parse_order(order_by: str | Sequence[str] | None) -> Orderings:
    """Each field that `order_by` names, and whether it is descending; the first decides first.

    Raises:
        SearchError: it is no order; the message says what is wrong and where.
    """
    if order_by is None:
        return ()
    if isinstance(order_by, str):
        return _read(order_by, "order_by")
    if not isinstance(order_by, list | tuple):
        raise NotText("order_by", order_by, _EXAMPLE)
    return tuple(
        ordering
        for index, text in enumerate(order_by)
        for ordering in _read(text, f"order_by[{index}]")
    )


def _read(text: object, what: str) -> Orderings:
    if not isinstance(text, str):
        raise NotText(what, text, _EXAMPLE)
    orderings: Orderings = read(text, "order", what)
    return orderings


def arranged(subjects: Sequence[Subject], orderings: Orderings) -> list[Subject]:
    """`subjects` in this order; where it does not decide, the first started first, and then by uid.

    Numbers come before texts, those before true and false, lists behind them, and what is missing or NaN at the very
    end, ascending or descending.
    """
    found = sorted(
        subjects, key=lambda subject: (milliseconds(subject.run.started), subject.run.uid)
    )
    # The last ordering first: a sort keeps what an earlier one has done where it finds no difference.
    for field, descending in reversed(orderings):
        value = reader(field)
        kinds: list[list[tuple[Any, Subject]]] = [[] for _ in range(_LAST + 1)]
        for subject in found:
            kind, key = _key(value(subject))
            kinds[kind].append((key, subject))
        for pairs in kinds[:_LAST]:
            pairs.sort(key=_first, reverse=descending)
        found = [subject for pairs in kinds for _, subject in pairs]
    return found


def _first(pair: tuple[Any, Subject]) -> Any:
    return pair[0]


def _key(value: ParamValue) -> tuple[int, Any]:
    match value:
        case None:
            return _LAST, None
        case bool():
            return 2, value
        case float() if isnan(value):
            return _LAST, None
        case int() | float():
            return 0, value
        case str():
            return 1, value
        case _:
            return 3, shown(value)
