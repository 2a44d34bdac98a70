"""Artifacts of another place, as they can be kept on this machine, and why one cannot."""

from treadle_tracking.directory import artifact_path
from treadle_tracking.errors import ArtifactInTheWay, TrackingError
from treadle_tracking.reading.errors import ArtifactUnreadable, UnknownArtifact

__all__ = ["UNCOPYABLE", "safe_path", "why_not"]

# What is wrong with one artifact, and so with nothing else.
UNCOPYABLE = (ArtifactInTheWay, ArtifactUnreadable, OSError, UnknownArtifact, ValueError)


def safe_path(path: str) -> str:
    """The path as it is, where it leads nowhere else, as those of a run directory do; else with its parts escaped."""
    parts = path.split("/")
    is_safe = all(part.strip(".") and len(part.encode()) <= 255 for part in parts)
    return path if is_safe and "\0" not in path else str(artifact_path(path))


def why_not(path: str, error: Exception) -> str:
    """The sentence for an artifact that is not in the copy."""
    if isinstance(error, TrackingError):
        return str(error)
    return f"the artifact {path!r} cannot be copied: {error}"
