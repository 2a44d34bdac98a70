"""What a run that goes on needs to know of what it has recorded so far."""

from math import isnan
from pathlib import Path

from attrs import define, field

from treadle_tracking.encoding import decoded
from treadle_tracking.entries import Artifact, Params, ParamValue, Scalars, Started
from treadle_tracking.log import read_entries, read_records
from treadle_tracking.params import joined

__all__ = ["Recalled", "has_session", "recalled"]


_LAST_STEP = 2**63 - 1


@define
class Recalled:
    """A log, summed up."""

    started: Started | None = None  # the first attempt's
    params: dict[str, ParamValue] = field(factory=dict)
    has_session: bool = False  # whether TensorBoard has been shown parameters
    artifacts: dict[str, tuple[int, str]] = field(factory=dict)  # size and sha256 by path
    extremes: dict[str, tuple[float, float]] = field(
        factory=dict
    )  # least and greatest by metric, NaN aside
    next_step: int = 0  # after the last step of anything
    latest_of: dict[str, float] = field(factory=dict)  # by file, as `latest`

    @property
    def latest(self) -> float:
        """The latest time of an entry, in seconds since the epoch; 0.0 where there is none."""
        return max(self.latest_of.values(), default=0.0)

    def latest_before(self, file: str) -> float:
        """Likewise, of the files before this one."""
        return max((time for name, time in self.latest_of.items() if name < file), default=0.0)


def _extend(extremes: dict[str, tuple[float, float]], entry: Scalars) -> None:
    for name, value in entry.values.items():
        least, greatest = extremes.get(name, (value, value))
        extremes[name] = (
            value if isnan(least) or value < least else least,
            value if isnan(greatest) or value > greatest else greatest,
        )


def has_session(directory: Path) -> bool:
    """As `recalled` has it: most runs say so at their beginning. Raises likewise."""
    return any(isinstance(entry, Params) for entry, _ in read_entries(directory))


def recalled(directory: Path) -> Recalled:
    """Read the log of the run in `directory`.

    Raises:
        CorruptRecord: it is damaged.
    """
    log = Recalled()
    for path, _, data in read_records(directory):
        entry = decoded(data)
        if entry is None:
            continue
        log.latest_of[path.name] = max(log.latest_of.get(path.name, 0.0), entry.wall_time)
        match entry:
            case Started():
                log.started = log.started or entry
            case Params():
                log.params = joined(log.params, entry.values)
                log.has_session = True
            case Artifact():
                log.artifacts[entry.path] = (entry.size, entry.sha256)
            case Scalars():
                _extend(log.extremes, entry)
            case _:
                pass
        step = getattr(entry, "step", None)
        if step is not None:
            log.next_step = max(log.next_step, min(step + 1, _LAST_STEP))
    return log
