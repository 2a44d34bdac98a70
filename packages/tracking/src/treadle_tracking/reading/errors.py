"""What can go wrong when runs are read, one class a condition."""

from collections.abc import Iterable

from treadle_tracking.errors import TrackingError, suggestion

__all__ = ["UnknownArtifact"]


class UnknownArtifact(TrackingError):
    """An artifact that a run does not have was asked for."""

    def __init__(self, path: str, run: str, known: Iterable[str]) -> None:
        super().__init__(f"the run {run!r} has no artifact {path!r}. {suggestion(path, known)}")
