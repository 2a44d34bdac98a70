"""The one way in which a log's seconds become the whole milliseconds of other stores."""

__all__ = ["milliseconds"]


def milliseconds(wall_time: float) -> int:
    """Whole milliseconds since the epoch of `wall_time`, which is in seconds since the epoch.

    A mirror writes it and a reader compares with it, so both must round alike: MLflow's stores tell two points of a
    metric apart by it, and a point sent again must get the very same one. Half to even, as `round` does; a whole number
    of milliseconds that went through seconds comes back unchanged. Times before the epoch, which MLflow refuses, are 0.
    """
    return max(0, round(wall_time * 1000))
