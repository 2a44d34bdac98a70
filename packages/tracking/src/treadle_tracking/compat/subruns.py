"""The runs below a run that a `SummaryWriter` makes, so that TensorBoard draws several curves in one chart."""

import time
from pathlib import Path
from uuid import uuid4

from treadle_tracking.attempts import cut, next_attempt
from treadle_tracking.continuing import known_run
from treadle_tracking.entries import Rewound, Scalars, Started
from treadle_tracking.log import LogWriter, attempt_path
from treadle_tracking.run import Run

__all__ = ["SubRun"]


class SubRun:
    """Scalars in a directory below that of the run whose process owns both.

    Args:
        directory: The directory; it may be there already, from an earlier process.
        parent: The run above.
        purge_step: The step from which on what is there is cut out.

    Raises:
        OSError: it cannot be made, or written to.
    """

    def __init__(self, directory: Path, parent: Run, purge_step: int | None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        known = known_run(directory)
        attempt = next_attempt(directory)
        now = time.time()
        started = Started(
            wall_time=now,
            uid=uuid4().hex if known is None else known.started.uid,
            experiment=parent.experiment,
            name=f"{parent.name}/{directory.name}",
            attempt=attempt,
        )
        if known is not None:
            cut(directory, attempt, step=purge_step)
        self._log = LogWriter(attempt_path(directory, attempt))
        self._log.append(started)
        if known is not None and purge_step is not None:
            self._log.append(Rewound(wall_time=now, began=now, step=purge_step))

    def log(self, scalars: Scalars) -> None:
        """Write one entry."""
        self._log.append(scalars)

    def close(self) -> int:
        """Close the file. How many entries could not be written and are lost."""
        self._log.close()
        return self._log.lost
