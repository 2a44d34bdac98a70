"""What can go wrong when runs are drawn, one class a condition."""

from collections.abc import Iterable
from pathlib import Path

from treadle_tracking.errors import TrackingError, seen, suggestion

__all__ = [
    "AmbiguousAxis",
    "InvalidBounds",
    "NoPage",
    "NothingToDraw",
    "ScaleUnfit",
    "UnknownAxis",
]


class NoPage(TrackingError):
    """A page is to be saved in the place of a file that is no page of its kind.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{str(path)!r} is there, and is no page of this kind: choose another name, or pass force=True if it is to be "
            f"replaced"
        )
        self.path = path


class NothingToDraw(TrackingError):
    """There is no run, or none with a parameter or a metric."""

    def __init__(self, problem: str, advice: str) -> None:
        super().__init__(f"there is nothing to draw: {problem}. {advice}")


class UnknownAxis(TrackingError):
    """An argument names what no run has."""

    def __init__(self, argument: str, kind: str, given: object, known: Iterable[str]) -> None:
        super().__init__(
            f"{argument} names {seen(given)}, and no run has a {kind} of this name. "
            f"{suggestion(given, known)}"
        )


class AmbiguousAxis(TrackingError):
    """An argument gives a name that a parameter and a metric have."""

    def __init__(self, argument: str, name: str) -> None:
        super().__init__(
            f"{argument} names {name!r}, which is a parameter and a metric: "
            f"say {f'params.{name}'!r} or {f'metrics.{name}'!r}"
        )


class ScaleUnfit(TrackingError):
    """A scale is asked for that the values of an axis do not have."""

    def __init__(self, name: str, scale: str, reason: str, advice: str) -> None:
        super().__init__(f"the axis {name!r} has no {scale} scale: {reason}. {advice}")


class InvalidBounds(TrackingError):
    """Bounds of an axis that are none."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(
            f"the bounds of {name!r} {problem}; expected (least, most), two numbers of which each may be None for no "
            f"bound, such as (1e-4, None)"
        )
