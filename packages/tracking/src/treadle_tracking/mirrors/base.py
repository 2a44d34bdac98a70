"""What a mirror is to a run: a place that is sent the run's entries, in order."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from treadle_tracking.entries import Entry, Started

__all__ = ["Mirror"]


class Mirror(Protocol):
    """A second home of a run.

    The run directory is the truth and a mirror may be behind it, never beside it. Sending the same entries again
    must change nothing, so that a sender that does not know whether its last batch arrived simply repeats it.
    """

    uri: str  # the target that names it, without secrets; also the key of what has been sent
    identity: str | None  # what the run is called there, once `open` has returned

    def open(self, started: Started, directory: Path) -> None:
        """Find the run with this uid, or make it. May take seconds, and may raise: it is called off the main thread."""

    def send(self, entries: Sequence[Entry]) -> None:
        """Send entries in order; all of them have arrived when this returns. Raises if any may not have."""

    def close(self) -> None:
        """Let go of connections. Never changes the run."""
