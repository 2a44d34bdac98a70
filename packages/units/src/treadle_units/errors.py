"""Every condition that this package names, one class each, under `UnitsError`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from treadle_units.counts import Counts
    from treadle_units.limits import Length, Limit


class UnitsError(Exception):
    """The base of all errors of this package."""

    def __reduce__(self) -> tuple[Any, ...]:
        # In another process it says the same: an exception's own way is to make one of its message.
        return type(self).__new__, (type(self), *self.args), self.__dict__


class InvalidAmount(UnitsError, ValueError):
    """A length was made from zero, a negative, a bool, a float, or a fraction of a whole thing."""


class InvalidUnit(UnitsError, ValueError):
    """A `Length` was made with a unit that is no counter's name."""


class MalformedLimit(UnitsError, ValueError):
    """A text is not `<number> <unit>`, nor several of those joined by `|`."""


class MissingUnit(UnitsError, ValueError):
    """A number was given where only the unit tells what it counts."""


class UnknownUnit(UnitsError, ValueError):
    """A text names a unit that does not exist."""


class WrongKind(UnitsError, ValueError):
    """A text is a limit, but not of the kind that was asked for."""


class UnitMismatch(UnitsError, TypeError):
    """Two amounts of different units were ordered, added or subtracted."""


class Inexact(UnitsError, ArithmeticError):
    """A result is not a whole number of its unit; `floor` and `ceil` are the neighbours.

    Attributes:
        floor: The largest length below the result, `None` where that is nothing at all.
        ceil: The smallest length above the result.
    """

    def __init__(self, message: str, floor: Length | None, ceil: Length) -> None:
        super().__init__(message, floor, ceil)
        self.floor = floor
        self.ceil = ceil

    def __str__(self) -> str:
        return str(self.args[0])


class InvalidTrigger(UnitsError, ValueError):
    """A trigger is not one length, or its offset or points do not fit its unit."""


class InvalidArgument(UnitsError, ValueError):
    """An argument of a schedule or a meter is outside of what it can be."""


class InvalidCount(UnitsError, ValueError):
    """A count given to `advance` or `add` is negative, or is no plain `int`."""


class EmptyBatch(UnitsError, ValueError):
    """A batch has no records, and so would never bring a run to its end."""


class UncountableBatch(UnitsError, ValueError):
    """A batch does not say how many records it has, or says two different numbers."""


class UnknownEpochLength(UnitsError, ValueError):
    """Something was asked for that needs the length of an epoch, which is not known."""


class EmptyEpoch(UnitsError):
    """A pass over the loader brought the run no nearer to its limit."""


class DataExhausted(UnitsError):
    """The data ended before the limit was reached.

    Attributes:
        reached: What was counted when the data ended.
        wanted: The limit that was not reached.
    """

    def __init__(self, reached: Counts, wanted: Limit) -> None:
        super().__init__(reached, wanted)
        self.reached = reached
        self.wanted = wanted

    def __str__(self) -> str:
        return (
            f"the data ended after {self.reached}, before the limit of {self.wanted}; "
            "give a loader that can be passed over again, or accept the shorter run with "
            "allow_short=True"
        )


class WrongLength(UnitsError):
    """A loader yielded another number of batches than its `len` announced."""


class TakenOver(UnitsError):
    """An iteration was resumed after a newer one had taken over its schedule."""


class InvalidState(UnitsError, ValueError):
    """A state to load lacks an entry, or holds something that is no count."""


class UnprovenEnd(UserWarning):
    """Nothing proves that the run ends: it is limited in epochs alone, on data without a length."""


class Unconvertible(UnitsError, ValueError):
    """A `Geometry` was asked for a time or a counter, which no sizes of a loader foretell."""
