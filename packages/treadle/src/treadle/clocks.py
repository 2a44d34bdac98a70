"""A clock that several ranks read alike."""

from time import monotonic

from treadle_loop import Runtime
from treadle_units import At, Every, Limit, Seconds, parse

__all__ = ["AgreedClock", "is_timed"]


class AgreedClock:
    """The time of the first rank as of the last time that all of them have met.

    With a clock each, one rank would reach a time limit or validate a step before another, which waits for it in vain.

    Args:
        runtime: How the ranks talk.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.meet()

    def meet(self) -> None:
        """Take the time anew; every rank calls it at the same place."""
        [[self._now], *_] = self._runtime.agree([monotonic()])

    def __call__(self) -> float:
        """Seconds, monotonic."""
        return self._now


def is_timed(*limits: At | Every | Limit | str | None) -> bool:
    """Whether any of them is a time, or has one as an alternative."""
    return any(isinstance(goal, Seconds) for limit in limits for goal in _goals(limit))


def _goals(limit: At | Every | Limit | str | None) -> tuple[object, ...]:
    if limit is None:
        return ()
    if isinstance(limit, Every):
        return (limit.length,)
    if isinstance(limit, At):
        return tuple(limit.lengths)
    return tuple((limit if isinstance(limit, Limit) else parse(limit)).alternatives)
