"""What reads the runs of one place."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from treadle_tracking.entries import Entry
from treadle_tracking.reading.condition import Condition
from treadle_tracking.reading.points import Points
from treadle_tracking.reading.record import Contents, RunRecord

__all__ = ["Reader"]


@runtime_checkable
class Reader(Protocol):
    """The runs of one place, of which nothing is changed by reading.

    Making one says what is wrong with the address, and may ask the place whether it is there. Calls come from one thread at a
    time.

    Attributes:
        target: The whole target that names the place, scheme and all, absolute, without secrets.
        narrows: May be left out, and be False where `runs` leaves nothing out: then it is asked for all of them once.
    """

    target: str

    def runs(self, conditions: Sequence[Condition] = ()) -> Iterable[RunRecord]:
        """Runs in any order: at least all that meet every condition.

        A condition is a help to a place that can leave runs out by it; whoever asks looks at each of them again.
        A run that cannot be read at all is passed over; one that can in part has `damage`.
        """

    def histories(
        self, runs: Sequence[RunRecord], names: Collection[str] | None = None
    ) -> Iterator[tuple[RunRecord, str, Points]]:
        """The points of these metrics of these runs, of all where `names` is None: each as run, name and points.

        A metric that a run does not have is not there. The points that an abandoned attempt has left are not either.
        """

    def contents(self, run: RunRecord) -> Contents:
        """What the run has beside numbers."""

    def entries(self, run: RunRecord) -> Iterator[Entry]:
        """The run as a log: `Started` first, an `Ended` last if it has ended, all others as they were
        recorded, or by time.

        They are what a copy of the run is made of. Of an artifact, this is what is known of it: `size` and `sha256`
        may be wrong, and only its `path` counts.
        """

    def download(self, run: RunRecord, path: str, file: Path) -> None:
        """Write an artifact of the run to `file`, which is not there yet.

        Raises:
            UnknownArtifact: the run has none of this path.
            TrackingError: the place cannot be reached.
            OSError: the file cannot be written.
        """

    def close(self) -> None:
        """Let go of connections. What is asked afterwards makes them again."""
