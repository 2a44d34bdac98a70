"""The least and the greatest values of metrics, where only the histories tell."""

from collections.abc import Collection, Mapping, Sequence

from treadle_tracking.reading.record import RunRecord

__all__ = ["extremes"]


def extremes(
    runs: Sequence[RunRecord], names: Collection[str] | None = None
) -> dict[str, Mapping[str, tuple[float, float]]]:
    """The least and the greatest value, NaN aside, of these metrics of runs of one place, by identity and name.

    Raises:
        TrackingError: the place cannot be reached.
    """
    found: dict[str, dict[str, tuple[float, float]]] = {}
    if runs:
        for run, name, points in runs[0].reader.histories(runs, names):
            found.setdefault(run.identity, {})[name] = points.extremes
    return dict(found)
