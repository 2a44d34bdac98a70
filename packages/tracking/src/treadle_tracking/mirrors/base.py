"""What a mirror is to a run: a place that is sent the run's entries, in order."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from treadle_tracking.entries import Entry, Started

__all__ = ["Follower", "Mirror"]


@runtime_checkable
class Mirror(Protocol):
    """A second home of a run.

    The run directory is the truth and a mirror may be behind it, never beside it. Sending the same entries again
    must change nothing, so that a sender that does not know whether its last batch arrived simply repeats it.

    Making one may say what is wrong with the address, and asks nothing of a network: it is made on the thread that
    trains. All other calls come from one thread that is not, one after the other: `open`, then `send` any number of
    times, then `close`; after a failure `close`, and `open` again.

    Attributes:
        uri: The whole target that names the mirror, scheme and all, absolute, without secrets (`masking.masked`). It
            is kept in the run directory, as the key of how far the mirror is, and where nothing had to be masked
            `sync` makes the mirror anew from it.
        identity: What the run is called there, once `open` has returned, a text that stays; None before. Where it is
            another than the last time, the run is sent from its beginning.
    """

    uri: str
    identity: str | None

    def open(self, started: Started, directory: Path) -> None:
        """Find the run by its uid, or make it: there is one run a uid, however often and from wherever it is opened.

        May take seconds, and may raise: then it is tried again, ever more slowly.

        Args:
            started: The first entry of the run's log.
            directory: The run directory. Entries about files name files in it.
        """

    def send(self, entries: Sequence[Entry]) -> None:
        """Send entries in order; all of them have arrived when this returns. Raises if any may not have.

        What has arrived before arrives again: after a failure, after a kill, and when two processes send the same run
        at once. An entry of a kind that the mirror does not know is passed over.
        """

    def close(self) -> None:
        """Let go of connections. Never changes the run. A second call does nothing."""


class Follower(Protocol):
    """What follows a run's log and sends it to one mirror, from a thread or a process of its own."""

    def start(self) -> None:
        """Begin."""

    def wake(self) -> None:
        """Say that the log has grown. Waits for nothing."""

    def rewind(self, places: Mapping[str, int]) -> None:
        """Say that files of the log, by name, were cut behind these bytes."""

    def hurry(self) -> None:
        """Say that the run is over, and that `close` comes: what is left goes as fast as it can. Waits for nothing."""

    def close(self, timeout: float | None) -> str | None:
        """Send what is left, for `timeout` seconds at most, and end; None, or a sentence on what has not arrived."""
