"""Runs as lines over parallel axes, one a parameter or metric."""

from collections.abc import Iterable, Mapping, Sequence
from math import isinf
from typing import Any
from urllib.parse import urlsplit

from treadle_tracking.leaves import leaves
from treadle_tracking.plots.axes import Axis, Table, chosen_axes
from treadle_tracking.plots.columns import Categories
from treadle_tracking.plots.errors import NothingToDraw
from treadle_tracking.plots.page import Page, built
from treadle_tracking.reading.record import RunRecord

__all__ = ["parallel_coordinates"]

_SCRIPTS = (
    *("numbers", "scales", "elements", "selection", "legend", "lines", "pointing"),
    *("axes", "brushes", "table", "parallel"),
)


def parallel_coordinates(
    runs: Iterable[RunRecord],
    *,
    params: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    color: str | None = None,
    scales: Mapping[str, str] | None = None,
    bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
    title: str | None = None,
) -> Page:
    """Draw runs as lines over parallel axes, on a page in which they can be selected by their values.

    A name is that of a parameter, dotted where it is nested, or of a metric; where both have it, it is written
    `params.lr` or `metrics.lr`. What `color`, `scales` and `bounds` name has an axis whether it is listed or not.

    Args:
        runs: One line each, such as what `open_runs` finds. The last value of each metric is drawn.
        params: The parameters that have an axis, from left to right. By default those that are not the same in all runs,
            by name.
        metrics: The metrics to the right of them. By default the first three of those that are not the same in all runs:
            `best/…` first, which stands for what it is the best of, then those of held-out data (`val`, `test` and so on),
            then those that most runs have. A learning rate (`lr`, `lr/head`, `learning_rate`) is none of them where there
            is another.
        color: Whose values color the lines. By default the first metric's; without one, the first parameter's.
        scales: `"linear"`, `"log"` or `"quantile"` by name, as the page has them at first. By default `"log"` for positive
            values that span two powers of ten, where half of them would be in the lowest tenth of a linear axis; else
            `"linear"`.
        bounds: Least and most by name, either of them None for no bound: which runs are selected at first. A run on a bound
            is within.
        title: The title of the page. By default how many runs there are, and of which experiment.

    Raises:
        NothingToDraw: there is no run, or no parameter and no metric.
        UnknownAxis: a name is that of no parameter or metric of any run.
        AmbiguousAxis: a name is that of a parameter and of a metric.
        InvalidChoice: a scale is none of the three, or a text was given in place of a list of names.
        InvalidMapping: scales or bounds are no mapping.
        ScaleUnfit: a logarithmic scale is asked for and a value is not positive, or a scale for categories.
        InvalidBounds: bounds are no two numbers, the least first, or are those of categories.
    """
    drawn = list(runs)
    if not drawn:
        raise NothingToDraw("no runs were given", "Look at what was searched for")
    table = Table.of([leaves(run.params) for run in drawn], [run.metrics for run in drawn])
    axes, colored = chosen_axes(
        table, params=params, metrics=metrics, color=color, scales=scales, bounds=bounds
    )
    title = title or _title(drawn)
    shown = {
        "title": title,
        "axes": [_drawn(axis) for axis in axes],
        "color": axes[colored].key,
        "runs": {
            "name": [run.name for run in drawn],
            "uid": [run.uid for run in drawn],
            "experiment": [run.experiment for run in drawn],
            "group": [run.group for run in drawn],
            "status": [run.status for run in drawn],
            "url": [_link(run.url) for run in drawn],
        },
    }
    return built("parallel", _SCRIPTS, title, shown)


def _title(runs: Sequence[RunRecord]) -> str:
    how_many = "1 run" if len(runs) == 1 else f"{len(runs):,} runs"
    experiments = sorted({run.experiment for run in runs})
    if len(experiments) == 1:
        return f"{how_many} of {experiments[0]}"
    return f"{how_many} of {len(experiments)} experiments"


def _link(url: str | None) -> str | None:
    """`url`, if following it can only open a page."""
    try:
        return url if url is not None and urlsplit(url).scheme in {"http", "https"} else None
    except ValueError:
        return None


def _drawn(axis: Axis) -> dict[str, Any]:
    drawn: dict[str, Any] = {"key": axis.key, "name": axis.name, "kind": axis.kind}
    if isinstance(axis.column, Categories):
        return drawn | {
            "type": "category",
            "categories": axis.column.texts,
            "values": axis.column.values,
        }
    return drawn | {
        "type": "number",
        "scale": axis.scale,
        "withoutLog": axis.column.without_log,
        "bounds": [_bound(bound) for bound in axis.bounds],
        "values": axis.column.values,
        "shown": axis.column.shown,
    }


def _bound(bound: float | None) -> float | str | None:
    return repr(bound) if bound is not None and isinf(bound) else bound
