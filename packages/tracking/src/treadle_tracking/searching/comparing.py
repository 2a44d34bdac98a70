"""One value of a run against what a filter asks: true, false, or unknown.

Unknown is whatever is missing or None, and a comparison of things that cannot be compared: a column of parameters may
hold a number here and a text there. NaN compares as IEEE 754 has it: with nothing, and is unequal to everything.
"""

import operator
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from treadle_tracking.entries import ParamValue
from treadle_tracking.mirrors.parameters import shown
from treadle_tracking.searching.conditions import Test, Truth
from treadle_tracking.searching.fields import Sort, Subject
from treadle_tracking.searching.literals import Value

__all__ = ["comparison", "is_nan", "is_null", "likeness", "membership"]

Read = Callable[[Subject], ParamValue]

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NUMBERS = frozenset({int, float})  # and so no bool


def _tested(read: Read, truth: Callable[[Any], Truth]) -> Test:
    """Of a field whose values are all of one kind, or of one after `truth` has looked which."""

    def test(subject: Subject) -> Truth:
        found = read(subject)
        return None if found is None else truth(found)

    return test


def comparison(read: Read, sort: Sort, sign: str, wanted: Value) -> Test:
    """Whether the value is equal, unequal, less or greater.

    Against a text, a parameter that is none is equal to the text that MLflow shows of it, and neither less nor greater.
    """
    compare = _COMPARISONS[sign]
    if sort != "any":
        return _tested(read, lambda found: compare(found, wanted))
    if isinstance(wanted, str):
        if sign in {"=", "!="}:
            return _tested(read, lambda found: compare(_text(found), wanted))
        return _tested(
            read, lambda found: compare(found, wanted) if found.__class__ is str else None
        )
    kinds = frozenset({bool}) if isinstance(wanted, bool) else _NUMBERS
    return _tested(read, lambda found: compare(found, wanted) if found.__class__ in kinds else None)


def membership(read: Read, sort: Sort, wanted: Collection[Value]) -> Test:
    """Whether the value is equal to one of `wanted`."""
    if sort != "any":
        whole = frozenset(wanted)
        return _tested(read, lambda found: found in whole)
    texts = frozenset(one for one in wanted if isinstance(one, str))
    bools = frozenset(one for one in wanted if isinstance(one, bool))
    numbers = frozenset(
        one for one in wanted if not isinstance(one, str) and not isinstance(one, bool)
    )

    def truth(found: Any) -> Truth:
        kind = found.__class__
        comparable, others = (
            (numbers, bools)
            if kind in _NUMBERS
            else (bools, numbers)
            if kind is bool
            else (frozenset[Any](), numbers | bools)
        )
        if comparable and found in comparable:
            return True
        if texts and _text(found) in texts:
            return True
        return None if others else False

    return _tested(read, truth)


def likeness(read: Read, pattern: str, *, any_case: bool) -> Test:
    """Whether the text is like `pattern`, in which `%` is any characters and `_` is one."""
    matches = _expression(pattern, any_case=any_case).match
    return _tested(read, lambda found: matches(_text(found)) is not None)


def is_null(read: Read) -> Test:
    """Whether there is no value, or None. It is never unknown."""
    return lambda subject: read(subject) is None


def is_nan(read: Read) -> Test:
    """Whether the number is NaN; unknown of what is no number."""
    return _tested(read, lambda found: found != found if found.__class__ in _NUMBERS else None)  # noqa: PLR0124  # `isnan` fails of an integer beyond every double


def _text(found: ParamValue) -> str:
    return found if isinstance(found, str) else shown(found)


def _expression(pattern: str, *, any_case: bool) -> re.Pattern[str]:
    first, *others = (
        "".join("." if one == "_" else re.escape(one) for one in part)
        for part in pattern.split("%")
    )
    flags = re.DOTALL | (re.IGNORECASE if any_case else re.NOFLAG)
    if not others:
        return re.compile(rf"{first}\Z", flags)
    # Where a part is found first, it stays: nothing is tried twice, however many `%` there are.
    between = "".join(f"(?>.*?{part})" for part in others[:-1])
    return re.compile(rf"{first}{between}.*{others[-1]}\Z", flags)
