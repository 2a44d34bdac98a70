"""How a run ended."""

from __future__ import annotations

from treadle_units.counts import Counts
from treadle_units.limits import Length, Seconds
from treadle_units.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

LIMIT = "limit"
EXHAUSTED = "exhausted"


class Outcome(Value):
    """Why a run ended, and what had been counted by then.

    Attributes:
        reason: `limit`, `exhausted` (the data ended before), or what `Schedule.stop` was given.
        limit: The alternative of the limit that was reached, `None` for another reason.
        counts: What had been counted.
        unreached: The lengths of `At` triggers that the run never came to, with their names.
    """

    __slots__ = __match_args__ = ("reason", "limit", "counts", "unreached")

    reason: Final[str]
    limit: Final[Length | Seconds | None]
    counts: Final[Counts]
    unreached: Final[tuple[tuple[str, Length | Seconds], ...]]

    def __init__(
        self,
        reason: str,
        limit: Length | Seconds | None,
        counts: Counts,
        unreached: tuple[tuple[str, Length | Seconds], ...] = (),
    ) -> None:
        self.reason = reason
        self.limit = limit
        self.counts = counts
        self.unreached = unreached

    def __str__(self) -> str:
        if self.limit is not None:
            return f"reached {self.limit} after {self.counts}"
        if self.reason == EXHAUSTED:
            return f"the data ended after {self.counts}"
        return f"stopped ({self.reason}) after {self.counts}"
