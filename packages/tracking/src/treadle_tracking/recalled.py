"""What a run that goes on needs to know of what it has recorded so far."""

from math import isnan
from pathlib import Path

from attrs import define, field

from treadle_tracking.entries import Artifact, Params, ParamValue, Scalars, Started
from treadle_tracking.log import read_entries
from treadle_tracking.params import joined

__all__ = ["Recalled", "recalled"]


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
    latest: float = (
        0.0  # seconds since the epoch: the latest time of an entry; 0.0 where there is none
    )


def _extend(extremes: dict[str, tuple[float, float]], entry: Scalars) -> None:
    for name, value in entry.values.items():
        least, greatest = extremes.get(name, (value, value))
        extremes[name] = (
            value if isnan(least) or value < least else least,
            value if isnan(greatest) or value > greatest else greatest,
        )


def recalled(directory: Path) -> Recalled:
    """Read the log of the run in `directory`.

    Raises:
        CorruptRecord: it is damaged.
    """
    log = Recalled()
    for entry, _ in read_entries(directory):
        log.latest = max(log.latest, entry.wall_time)
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
            log.next_step = max(log.next_step, step + 1)
    return log
