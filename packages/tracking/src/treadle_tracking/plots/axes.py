"""The axes of a picture: which parameters and metrics have one, and what is along it."""

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isnan
from numbers import Real
from typing import Any, Literal, TypeAlias, get_args

from attrs import evolve, field, frozen

from treadle_tracking.comparing.sameness import differ
from treadle_tracking.entries import ParamValue
from treadle_tracking.errors import InvalidChoice, InvalidMapping, seen
from treadle_tracking.missing import MISSING
from treadle_tracking.plots.columns import (
    Categories,
    Cell,
    Column,
    Scale,
    column,
    natural,
)
from treadle_tracking.plots.errors import (
    AmbiguousAxis,
    InvalidBounds,
    NothingToDraw,
    ScaleUnfit,
    UnknownAxis,
)

__all__ = ["MOST_METRICS", "Axis", "Kind", "Table", "chosen_axes", "ranked_metrics"]

Kind: TypeAlias = Literal["params", "metrics"]
Bounds: TypeAlias = tuple[float | None, float | None]

MOST_METRICS = 3  # of those that nobody has named
_SINGULAR = {"params": "parameter", "metrics": "metric"}
_HELD_OUT = {"val", "valid", "validation", "eval", "dev", "test"}
_RATES = {"lr", "learning_rate"}  # the curve of a parameter, and no result


@frozen(kw_only=True)
class Axis:
    """One axis. `kind` and `name` are its identity."""

    kind: Kind
    name: str
    column: Column
    scale: Scale | None  # None for categories
    bounds: Bounds = (None, None)

    @property
    def key(self) -> str:
        """`params.lr`."""
        return f"{self.kind}.{self.name}"


@frozen
class Table:
    """What each run has: by kind, then name, one value a run."""

    runs: int
    cells: Mapping[Kind, Mapping[str, Sequence[Cell]]] = field(repr=False)

    @classmethod
    def of(
        cls,
        params: Sequence[Mapping[str, ParamValue]],
        metrics: Sequence[Mapping[str, float]],
    ) -> "Table":
        """That of parameters by dotted name and of metrics, a mapping of each a run."""
        return cls(len(params), {"params": _cells(params), "metrics": _cells(metrics)})

    def resolve(self, argument: str, given: object, kinds: Sequence[Kind]) -> tuple[Kind, str]:
        """Which parameter or metric is meant by a name, perhaps one that begins with `params.` or `metrics.`.

        Raises:
            UnknownAxis: there is none.
            AmbiguousAxis: there are both.
        """
        if isinstance(given, str):
            exact: list[tuple[Kind, str]] = [
                (kind, given) for kind in kinds if given in self.cells[kind]
            ]
            if len(exact) > 1:
                raise AmbiguousAxis(argument, given)
            if exact:
                return exact[0]
            for kind in kinds:
                name = given.removeprefix(f"{kind}.")
                if name != given and name in self.cells[kind]:
                    return kind, name
        known = [name for kind in kinds for name in self.cells[kind]]
        singular = " or ".join(_SINGULAR[kind] for kind in kinds)
        raise UnknownAxis(argument, singular, given, known)


def _cells(rows: Sequence[Mapping[str, ParamValue]]) -> dict[str, list[Cell]]:
    names = sorted({name for row in rows for name in row}, key=natural)
    return {name: [row.get(name, MISSING) for row in rows] for name in names}


def chosen_axes(
    table: Table,
    *,
    params: Sequence[str] | None,
    metrics: Sequence[str] | None,
    color: str | None,
    scales: Mapping[str, str] | None,
    bounds: Mapping[str, Bounds] | None,
) -> tuple[list[Axis], int]:
    """The axes from left to right, and the number of the one that gives the color.

    Raises:
        TrackingError: as `parallel_coordinates` says.
    """
    both: tuple[Kind, Kind] = ("params", "metrics")
    scaled = {
        table.resolve("scales", name, both): scale
        for name, scale in _mapping("scales", scales, "{'lr': 'log'}").items()
    }
    bounded = {
        table.resolve("bounds", name, both): given
        for name, given in _mapping("bounds", bounds, "{'lr': (1e-4, None)}").items()
    }
    colored = None if color is None else table.resolve("color", color, both)
    named = [*([] if colored is None else [colored]), *scaled, *bounded]
    chosen = [
        *_listed(table, "params", params, named),
        *_listed(table, "metrics", metrics, named),
    ]
    if not chosen:
        raise NothingToDraw(
            "no run has a parameter or a metric"
            if not any(table.cells[kind] for kind in both)
            else "params and metrics are both empty",
            "An axis is a parameter or a metric of the runs",
        )
    axes = [_axis(table, key, scaled.get(key), bounded.get(key)) for key in chosen]
    if colored is None:
        first_metric = (place for place, (kind, _) in enumerate(chosen) if kind == "metrics")
        return axes, next(first_metric, 0)
    return axes, chosen.index(colored)


def _mapping(argument: str, given: object, example: str) -> Mapping[str, object]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidMapping(argument, given, example)
    return given


def _listed(
    table: Table, kind: Kind, given: Sequence[str] | None, named: Iterable[tuple[Kind, str]]
) -> list[tuple[Kind, str]]:
    """The names of one kind that have an axis: those that were listed, or a choice, and those that were named elsewhere."""
    also = [key for key in dict.fromkeys(named) if key[0] == kind]
    if given is not None:
        if isinstance(given, str):
            raise InvalidChoice(kind, given, [[given]])
        listed = [table.resolve(kind, name, (kind,)) for name in given]
        return list(dict.fromkeys([*listed, *also]))
    if kind == "metrics":
        ranked = [(kind, name) for name in ranked_metrics(table.cells[kind])]
        left = [key for key in ranked if key not in also]
        taken = [*also, *left[: max(0, MOST_METRICS - len(also))]]
        return sorted(taken, key=lambda key: ranked.index(key) if key in ranked else len(ranked))
    cells = table.cells[kind]
    varying = _varying(cells)
    return [(kind, name) for name in cells if name in varying or (kind, name) in also]


def _varying(cells: Mapping[str, Sequence[Cell]]) -> Mapping[str, None]:
    """The names of what is not the same in all runs."""
    # Where nothing tells the runs apart, as in a single one, everything is shown rather than nothing.
    return dict.fromkeys(name for name, values in cells.items() if differ(values)) or dict.fromkeys(
        cells
    )


def ranked_metrics(cells: Mapping[str, Sequence[Cell]]) -> list[str]:
    """Metrics, those that a run is likely to be judged by first."""

    def rank(name: str) -> tuple[bool, bool, int]:
        held_out = not _HELD_OUT.isdisjoint(name.replace("_", "/").replace(".", "/").split("/"))
        missing = sum(value is MISSING for value in cells[name])
        return not name.startswith("best/"), not held_out, missing

    varying = _varying(cells)
    names = [name for name in varying if f"best/{name}" not in varying]
    results = [name for name in names if _RATES.isdisjoint(name.split("/"))]
    return sorted(results or names, key=rank)


def _axis(table: Table, key: tuple[Kind, str], scale: object, bounds: object) -> Axis:
    kind, name = key
    values = column(table.cells[kind][name])
    axis = Axis(
        kind=kind,
        name=name,
        column=values,
        scale=None if isinstance(values, Categories) else values.best_scale,
    )
    if scale is not None:
        axis = evolve(axis, scale=_checked_scale(name, values, scale))
    if bounds is not None:
        axis = evolve(axis, bounds=_checked_bounds(name, values, bounds))
    return axis


def _checked_scale(name: str, values: Column, scale: object) -> Scale:
    if scale not in get_args(Scale):
        raise InvalidChoice(f"the scale of {name!r}", scale, get_args(Scale))
    asked: Scale = scale  # type: ignore[assignment]
    if isinstance(values, Categories):
        raise ScaleUnfit(name, asked, "its values are categories", "Leave it out of `scales`")
    if asked == "log" and values.without_log is not None:
        raise ScaleUnfit(name, asked, values.without_log, "Use 'quantile' or 'linear'")
    return asked


def _checked_bounds(name: str, values: Column, given: object) -> Bounds:
    if isinstance(values, Categories):
        raise InvalidBounds(name, "are those of categories, which have no order to be bounded")
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 2:
        raise InvalidBounds(name, f"are {seen(given)}")
    for bound in given:
        if bound is None:
            continue
        if isinstance(bound, bool) or not isinstance(bound, Real) or isnan(bound):
            raise InvalidBounds(name, f"have {seen(bound)}")
    least, most = (None if bound is None else _double(bound) for bound in given)
    if least is not None and most is not None and least > most:
        raise InvalidBounds(name, f"are {seen(given)}, of which the least is above the most")
    return least, most


def _double(bound: Any) -> float:
    try:
        return float(bound)
    except OverflowError:
        return inf if bound > 0 else -inf
