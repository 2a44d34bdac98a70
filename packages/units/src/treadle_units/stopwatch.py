"""Elapsed time as whole nanoseconds, on a clock that may stall, jump back, or start anew."""

from __future__ import annotations

from treadle_units.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NANOSECONDS = 1_000_000_000


class Stopwatch:
    """Time since its start, never less than it has said before.

    Args:
        clock: Returns seconds; only differences of them are used.
        elapsed_ns: What has elapsed before, in an earlier process.

    Raises:
        InvalidArgument: The clock is no function.
    """

    __slots__ = ("_at_origin_ns", "_origin", "_said_ns", "clock")

    def __init__(self, clock: Callable[[], float], elapsed_ns: int = 0) -> None:
        if not callable(clock):
            raise InvalidArgument(f"clock is {clock!r}; give a function that returns seconds")
        self.clock = clock
        self._origin = clock()
        self._at_origin_ns = elapsed_ns
        self._said_ns = elapsed_ns

    def __reduce__(self) -> tuple[object, ...]:
        """Continue from now in a pickle or copy: another process has a clock of another origin."""
        return Stopwatch, (self.clock, self.elapsed_ns())

    def elapsed_ns(self) -> int:
        """Read the time."""
        now = self._at_origin_ns + round((self.clock() - self._origin) * NANOSECONDS)
        # A clock that jumps back must not take a boundary back that was crossed.
        self._said_ns = max(self._said_ns, now)
        return self._said_ns

    def clock_at(self, elapsed_ns: int) -> float:
        """The reading of the clock from which on so much may have elapsed.

        It is a nanosecond early, so that rounding never makes a cheap comparison with it say no
        where `elapsed_ns` says yes.
        """
        return self._origin + (elapsed_ns - self._at_origin_ns - 1) / NANOSECONDS
