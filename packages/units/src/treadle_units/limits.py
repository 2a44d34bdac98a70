"""How long: lengths, times, and whichever of several comes first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import ceil, floor

from treadle_units.errors import (
    Inexact,
    InvalidAmount,
    InvalidUnit,
    UnitMismatch,
    WrongKind,
)
from treadle_units.value import Value, final
from treadle_units.vocabulary import SECONDS_IN, SPELLINGS, spell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fractions import Fraction
    from typing import Final, Self, TypeGuard


class Limit(Value, ABC):
    """Where something ends: the base of `Length`, `Seconds` and `FirstOf`.

    Limits are frozen, hashable values.
    `a | b` is whichever comes first.
    `==` across kinds and units is `False` and never raises.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def alternatives(self) -> tuple[Length | Seconds, ...]:
        """The amounts, of which the first one reached ends it."""

    @abstractmethod
    def __str__(self) -> str:
        """The text that `parse` reads."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a limit of this kind from a text; `str` writes what `parse` reads.

        A number is an integer, a decimal, or `n/d`; it may have `_` between digits, an exponent,
        and `k`, `M` or `G` for powers of 1000.
        Nothing is rounded: `0.1 epochs` is exactly one tenth.

        Args:
            text: Such as `10 epochs`, `1k records`, `1_000 steps`, `1/3 epochs`, `2M tokens`,
                `5 count:frames`, `90 s`, `1 h 30 min`, `10 epochs | 2 h`.

        Raises:
            MalformedLimit: The text is not a number and a unit.
            MissingUnit: The text is a number alone.
            UnknownUnit: The unit does not exist.
            InvalidAmount: The number is zero or negative, or a fraction of a whole thing.
            WrongKind: It is a limit, but not of the kind of this class.
        """
        from treadle_units.parsing import read_alternatives

        found: Limit | None = None
        for amount in read_alternatives(text):
            value = _whole_where_possible(amount.value)
            part: Limit = Seconds(value) if amount.unit == "seconds" else Length(value, amount.unit)
            found = part if found is None else found | part
        if not isinstance(found, cls):
            raise WrongKind(f"{text!r} is {_KINDS[type(found)]}; write {_KINDS[cls]}")
        return found

    def __or__(self, other: Limit) -> Limit:
        if not isinstance(other, Limit):
            return NotImplemented
        distinct = tuple(dict.fromkeys((*self.alternatives, *other.alternatives)))
        return distinct[0] if len(distinct) == 1 else FirstOf(distinct)


class Quantity(Limit):
    """The arithmetic that `Length` and `Seconds` share: exact, and only within one unit."""

    __slots__ = ()

    @property
    @abstractmethod
    def value(self) -> int | Fraction:
        """How many; an `int` wherever it can be."""

    @property
    @abstractmethod
    def unit(self) -> str:
        """Of what."""

    @abstractmethod
    def _like(self, value: int | Fraction) -> Self: ...

    def _other(self, other: Quantity, operation: str) -> int | Fraction:
        if self.unit != other.unit:
            raise UnitMismatch(
                f"cannot {operation} {self} and {other}: {self.unit} and {other.unit} have no "
                "fixed ratio; use lengths of one unit, or join limits with '|'"
            )
        return other.value

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        return self.value < self._other(other, "order")

    def __le__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        return self.value <= self._other(other, "order")

    def __gt__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        return self.value > self._other(other, "order")

    def __ge__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        return self.value >= self._other(other, "order")

    def __add__(self, other: object) -> Self:
        if not isinstance(other, Quantity):
            return NotImplemented
        return self._like(self.value + self._other(other, "add"))

    def __sub__(self, other: object) -> Self:
        if not isinstance(other, Quantity):
            return NotImplemented
        return self._like(self.value - self._other(other, "subtract"))

    def __mul__(self, factor: object) -> Self:
        if not is_exact(factor):
            return NotImplemented
        return self._like(self.value * factor)

    __rmul__ = __mul__


@final
class Length(Quantity):
    """So many of a unit: records, batches, steps, epochs, or a counter of your own.

    A record is one example, counted over all ranks.
    A batch is what the loader yields.
    A step is one optimizer update.
    An epoch is one pass over the loader, and the only unit that may be a fraction.

    Args:
        value: A positive `int`; for epochs also a positive `Fraction`.
        unit: `records`, `batches`, `steps`, `epochs`, `tokens`, or the name of any counter that
            `Schedule.advance` is given as a keyword.

    Raises:
        InvalidAmount: The value is zero, negative, a bool, a float, or a fraction of a whole thing.
        InvalidUnit: The unit cannot be the name of a counter.
    """

    __slots__ = __match_args__ = ("value", "unit")

    value: Final[int | Fraction]
    unit: Final[str]

    def __init__(self, value: int | Fraction, unit: str) -> None:
        if not isinstance(unit, str) or not unit.isidentifier():
            raise InvalidUnit(
                f"{unit!r} cannot name a counter; "
                "use 'records', 'batches', 'steps', 'epochs', 'tokens' or an identifier"
            )
        if unit.lower() in SECONDS_IN:
            raise InvalidUnit(f"{unit!r} is a time; use Seconds({value})")
        meant = SPELLINGS.get(unit.lower(), unit)
        if meant != unit:
            raise InvalidUnit(f"{unit!r} is no unit; use {meant!r}")
        exact = _exact(value, f"Length({value!r}, {unit!r})")
        if exact.denominator != 1 and unit != "epochs":
            below, above = floor(exact), ceil(exact)
            raise InvalidAmount(
                f"{exact} {unit} is not whole; only epochs may be fractions, "
                f"so use {f'{below} or {above}' if below else above}"
            )
        self.value = exact
        self.unit = unit

    def __str__(self) -> str:
        return spell(self.value, self.unit)

    @property
    def alternatives(self) -> tuple[Length | Seconds, ...]:
        """The length itself."""
        return (self,)

    def _like(self, value: int | Fraction) -> Length:
        exact = _whole_where_possible(value)
        if exact.denominator != 1 and self.unit != "epochs" and exact > 0:
            below = floor(exact)
            raise Inexact(
                f"{exact} {self.unit} is not whole; take .floor or .ceil of this error",
                Length(below, self.unit) if below else None,
                Length(ceil(exact), self.unit),
            )
        return Length(exact, self.unit)


@final
class Seconds(Quantity):
    """So much time on a monotonic clock; it converts to no other unit.

    Args:
        value: Seconds, a positive `int` or `Fraction`.

    Raises:
        InvalidAmount: The value is zero, negative, a bool or a float.
    """

    __slots__ = __match_args__ = ("value",)

    value: Final[int | Fraction]

    def __init__(self, value: int | Fraction) -> None:
        self.value = _exact(value, f"Seconds({value!r})")

    def __str__(self) -> str:
        for name in ("d", "h", "min"):
            if self.value % SECONDS_IN[name] == 0:
                return f"{self.value // SECONDS_IN[name]} {name}"
        return f"{self.value} s"

    @property
    def unit(self) -> str:
        """Always `seconds`."""
        return "seconds"

    @property
    def alternatives(self) -> tuple[Length | Seconds, ...]:
        """The time itself."""
        return (self,)

    def _like(self, value: int | Fraction) -> Seconds:
        return Seconds(_whole_where_possible(value))


@final
class FirstOf(Limit):
    """Whichever of several amounts comes first; `a | b` makes it."""

    __slots__ = __match_args__ = ("alternatives",)

    alternatives: Final[tuple[Length | Seconds, ...]]

    def __init__(self, alternatives: tuple[Length | Seconds, ...]) -> None:
        self.alternatives = alternatives

    def __str__(self) -> str:
        return " | ".join(map(str, self.alternatives))


_KINDS: dict[type, str] = {
    Limit: "a limit such as '10 epochs'",
    Length: "a length such as '10 epochs'",
    Seconds: "a time such as '2 h'",
    FirstOf: "several alternatives such as '10 epochs | 2 h'",
}


def Records(value: int) -> Length:  # noqa: N802  # reads as the value that it makes
    """So many examples, counted over all ranks."""
    return Length(value, "records")


def Batches(value: int) -> Length:  # noqa: N802
    """So many batches of the loader."""
    return Length(value, "batches")


def Steps(value: int) -> Length:  # noqa: N802
    """So many optimizer updates."""
    return Length(value, "steps")


def Epochs(value: int | Fraction) -> Length:  # noqa: N802
    """So many passes over the loader; `Epochs(Fraction(1, 2))` is half of one."""
    return Length(value, "epochs")


def parse(text: str) -> Limit:
    """Read a limit of any kind: `Limit.parse`."""
    return Limit.parse(text)


def _whole_where_possible(value: int | Fraction) -> int | Fraction:
    return int(value) if value == int(value) else value


def is_exact(number: object) -> TypeGuard[int | Fraction]:
    """Whether a number is an `int`, but not a bool, or a `Fraction`."""
    if isinstance(number, int):
        return not isinstance(number, bool)
    # After the plain integers, which need not wait for its import.
    from fractions import Fraction

    return isinstance(number, Fraction)


def _exact(value: int | Fraction, written: str) -> int | Fraction:
    if not is_exact(value):
        raise InvalidAmount(
            f"{written} is made from a "
            f"{type(value).__name__}; give an int, or a Fraction for a part"
        )
    if value <= 0:
        raise InvalidAmount(f"{written} is not positive; give more than 0, or None for never")
    return _whole_where_possible(value)
