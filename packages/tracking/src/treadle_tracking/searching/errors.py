"""What can go wrong with a search, one class a condition."""

from treadle_tracking.errors import TrackingError, seen
from treadle_tracking.searching.place import Place

__all__ = [
    "FilterTooDeep",
    "FilterTooLong",
    "InvalidFilter",
    "InvalidLimit",
    "InvalidOrder",
    "NotText",
    "SearchError",
    "UnfitValue",
    "UnknownField",
]


class SearchError(TrackingError):
    """A search that cannot be made. The base of the others.

    Attributes:
        line: Where in the filter or the order, from 1; None where the trouble is not at one place.
        column: Likewise, in characters.
    """

    line: int | None = None
    column: int | None = None


class _Misread(SearchError):
    """Something is wrong at one place of a filter or an order."""

    def __init__(self, place: Place, problem: str) -> None:
        super().__init__(f"{place.what}, {place}: {problem}\n{place.excerpt}")
        self.line, self.column = place.line, place.column


class InvalidFilter(_Misread):
    """A filter that is no sentence of the language."""


class InvalidOrder(_Misread):
    """An order that is no sentence of the language."""


class UnknownField(_Misread):
    """A filter or an order names something that no run can have."""


class UnfitValue(_Misread):
    """A filter compares a field with a value that it never has."""


class FilterTooDeep(_Misread):
    """A filter with parentheses in parentheses in parentheses."""


class FilterTooLong(SearchError):
    """A filter or an order that nobody can have written."""

    def __init__(self, what: str, length: int, most: int) -> None:
        super().__init__(
            f"{what} has {length:,} characters; expected {most:,} at most. Search several times, or choose among the "
            f"runs in Python"
        )


class NotText(SearchError):
    """A filter or an order that is no text."""

    def __init__(self, what: str, given: object, example: str) -> None:
        super().__init__(f"{what} is {seen(given)}; expected {example}")


class InvalidLimit(SearchError):
    """A number of runs that none can be."""

    def __init__(self, given: object) -> None:
        super().__init__(
            f"limit is {seen(given)}; expected a positive integer, or None for every run that is found"
        )
