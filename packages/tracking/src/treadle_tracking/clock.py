"""The times of a log: never earlier than the one before, and the one way in which they become whole milliseconds."""

import time

__all__ = ["LogClock", "milliseconds"]


def milliseconds(wall_time: float) -> int:
    """Whole milliseconds since the epoch of `wall_time`, which is in seconds since the epoch.

    A mirror writes it and a reader compares with it, so both must round alike: MLflow's stores tell two points of a
    metric apart by it, and a point sent again must get the very same one. Half to even, as `round` does; a whole number
    of milliseconds that went through seconds comes back unchanged. Times before the epoch, which MLflow refuses, are 0.
    """
    return max(0, round(wall_time * 1000))


class LogClock:
    """Wall time for the entries of one log: where the system's clock is set back, it stands still instead.

    Args:
        after: Seconds since the epoch; every time is in a later millisecond than this one.
    """

    __slots__ = ("_earliest", "_latest")

    def __init__(self, after: float = 0.0) -> None:
        self._latest = self._earliest = after
        self.divide()

    def now(self) -> float:
        """Seconds since the epoch."""
        now = max(time.time(), self._latest, self._earliest)
        self._latest = now
        return now

    def divide(self) -> float:
        """The latest time so far, from which on every time is in a later millisecond."""
        latest = self._latest
        # Apart from the latest, which a thread that is in `now` at this very moment writes.
        self._earliest = (milliseconds(latest) + 1) / 1000
        return latest
