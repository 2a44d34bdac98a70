"""What can go wrong when runs are compared, one class a condition."""

from treadle_tracking.errors import TrackingError, seen

__all__ = ["NotARun", "TooFewRuns"]


class TooFewRuns(TrackingError):
    """Fewer than two runs were to be compared."""

    def __init__(self, given: int) -> None:
        super().__init__(
            f"{'no run was' if given == 0 else 'one run was'} given to be compared; expected two or more, such as "
            f"compare(runs['a'], runs['b']), or compare(*runs) for all"
        )


class NotARun(TrackingError):
    """Something was to be compared that is no run as it was read."""

    def __init__(self, given: object) -> None:
        super().__init__(
            f"{seen(given)} was given to be compared; expected runs as open_runs gives them, such as "
            f"compare(runs['a'], runs['b']), or compare(*runs) for all"
        )
