"""How often: triggers on an absolute grid of one unit."""

from __future__ import annotations

from treadle_units.errors import InvalidTrigger
from treadle_units.limits import Length, Limit, Seconds, is_exact
from treadle_units.value import Value, final

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction
    from typing import Final


@final
class Every(Value):
    """Due each time another multiple of a length is crossed.

    The grid is absolute: `offset`, `offset + length`, `offset + 2 x length`, ...
    It neither drifts nor starts anew at an epoch, and multiples that one batch jumps over
    together are due once: every 10 records at batches of 4 is due after batches 3, 5, 8, 10.

    Args:
        length: A `Length`, `Seconds`, or text; no alternatives.
        offset: Where the grid begins, a number of the same unit (seconds for a time).
            0 itself is no point of the grid: nothing is due before the first batch.
        at_end: Whether it is due when the run ends, too, if it is not due there anyway.

    Raises:
        InvalidTrigger: The length has alternatives, the offset is no count of its unit, or `at_end`
            is neither true nor false.
    """

    __slots__ = __match_args__ = ("length", "offset", "at_end")

    length: Final[Length | Seconds]
    offset: Final[int | Fraction]
    at_end: Final[bool]

    def __init__(
        self, length: Length | Seconds | str, *, offset: int | Fraction = 0, at_end: bool = False
    ) -> None:
        amount = one_amount(length)
        if not is_exact(offset) or offset < 0:
            raise InvalidTrigger(
                f"the offset of every {amount} is {offset!r}; "
                f"give a number of {amount.unit}, 0 or more"
            )
        if offset.denominator != 1 and amount.unit not in ("epochs", "seconds"):
            raise InvalidTrigger(
                f"the offset of every {amount} is {offset}; only epochs may be fractions"
            )
        if not isinstance(at_end, bool):
            raise InvalidTrigger(f"at_end of every {amount} is {at_end!r}; give True or False")
        self.length = amount
        self.offset = int(offset) if offset.denominator == 1 else offset
        self.at_end = at_end

    def __str__(self) -> str:
        offset = f" from {self.offset}" if self.offset else ""
        return f"{self.length}{offset}{', at end' if self.at_end else ''}"

    @property
    def unit(self) -> str:
        """What its grid counts."""
        return self.length.unit

    @property
    def denominators(self) -> tuple[int, ...]:
        """The denominators of what makes up its grid."""
        return self.length.value.denominator, self.offset.denominator

    def next_after(self, count: int | Fraction) -> int | Fraction:
        """The first point of the grid beyond a count."""
        if count < self.offset:
            return self.offset
        crossed = (count - self.offset) // self.length.value
        return self.offset + (crossed + 1) * self.length.value


@final
class At(Value):
    """Due once at each of some lengths of one unit.

    Args:
        lengths: A `Length`, `Seconds` or text, or several of one unit; twice the same is once.

    Raises:
        InvalidTrigger: There is no length, or they are of several units.
    """

    __slots__ = __match_args__ = ("lengths",)

    lengths: Final[tuple[Length | Seconds, ...]]

    def __init__(self, lengths: Length | Seconds | str | Iterable[Length | Seconds | str]) -> None:
        from collections.abc import Iterable

        if isinstance(lengths, str) or not isinstance(lengths, Iterable):
            lengths = (lengths,)
        amounts = [one_amount(length) for length in lengths]
        units = sorted({amount.unit for amount in amounts})
        if len(units) != 1:
            raise InvalidTrigger(
                f"At has lengths in {' and '.join(units)}; use a trigger for each unit"
                if units
                else "At has no lengths; give at least one, or None for never"
            )
        ordered = sorted(set(amounts), key=lambda amount: amount.value)
        self.lengths = tuple(ordered)

    def __str__(self) -> str:
        return f"at {', '.join(map(str, self.lengths))}"

    @property
    def at_end(self) -> bool:
        """Never: its lengths say all of when it is due."""
        return False

    @property
    def unit(self) -> str:
        """What its lengths count."""
        return self.lengths[0].unit

    @property
    def denominators(self) -> tuple[int, ...]:
        """The denominators of its lengths."""
        return tuple(length.value.denominator for length in self.lengths)

    def next_after(self, count: int | Fraction) -> int | Fraction | None:
        """The first of its lengths beyond a count, `None` where there is no further one."""
        return next((length.value for length in self.lengths if length.value > count), None)


def one_amount(length: object) -> Length | Seconds:
    """Read the one amount of a trigger.

    Raises:
        InvalidTrigger: It has alternatives, or is no length at all.
    """
    limit = Limit.parse(length) if isinstance(length, str) else length
    if isinstance(limit, (Length, Seconds)):
        return limit
    if isinstance(limit, Limit):
        raise InvalidTrigger(f"a trigger takes one length, not {limit}; use a trigger for each")
    raise InvalidTrigger(
        f"a trigger was made from {limit!r}; give a length such as '1 epoch' or Epochs(1)"
    )


def as_trigger(name: str, value: object) -> Every | At:
    """Take a trigger as it is, and a length or text as `Every` of it.

    Raises:
        InvalidTrigger: It is none of these.
    """
    if isinstance(value, (Every, At)):
        return value
    if isinstance(value, (Limit, str)):
        return Every(one_amount(value))
    # Any keyword that is no argument of a schedule is the name of a trigger: a mistyped one is, too.
    raise InvalidTrigger(
        f"{name}={value!r} is no trigger; give a length such as '1 epoch', Every(...), At(...), "
        "or None for never"
    )
