"""DataFrames of runs and of their histories, whose types are those of the values and never guessed."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from treadle_tracking.attributes import ATTRIBUTES, attributes
from treadle_tracking.clock import milliseconds
from treadle_tracking.errors import MissingExtra, TrackingError, UnknownMetric, suggestion
from treadle_tracking.leaves import leaves
from treadle_tracking.missing import MISSING
from treadle_tracking.names import checked_name
from treadle_tracking.reading.points import Points
from treadle_tracking.reading.record import RunRecord

if TYPE_CHECKING:
    import pandas as pd

_NOT_A_TIME = -(2**63)  # as numpy holds it

__all__ = ["MetricInNoRun", "dataframe", "history", "pandas"]


class MetricInNoRun(UnknownMetric):
    """None of several runs has a metric of this name."""

    def __init__(self, given: str, runs: int, known: Iterable[str]) -> None:
        runs_have = "the run has no" if runs == 1 else f"none of the {runs:,} runs has a"
        TrackingError.__init__(self, f"{runs_have} metric {given!r}. {suggestion(given, known)}")


def pandas() -> Any:
    """The module.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtra("a DataFrame", "pandas", "frames") from None
    return pd


def dataframe(runs: Sequence[RunRecord]) -> "pd.DataFrame":
    """One row a run, in their order.

    The columns are `uid`, `name`, `experiment`, `group`, `status`, `started`, `ended` and `duration`, then
    `params.<dotted name>`, `tags.<name>` and `metrics.<name>`, the last value of each, sorted within each of these three
    groups. The index counts from 0.

    A column has the type that its values were recorded with, and runs that have none change nothing: bools are `boolean`, integers `Int64`, floats
    `Float64`, texts `string`, times `datetime64[ms, UTC]`, and `duration` is in seconds, `Float64`. Integers and floats
    together are `Float64` where a double holds each of the integers exactly. Everything else is `object`, with the values
    as they are: lists, integers beyond 64 bits, and values of several types.

    What a run does not have is `pandas.NA` (`NaT` for a time), and so is a parameter that is None; the value NaN is NaN.

    Raises:
        MissingExtra: pandas is not installed.
    """
    pd = pandas()
    kinds = dict.fromkeys(ATTRIBUTES, _texts)
    kinds |= {"started": _times, "ended": _times, "duration": _floats}
    facts = [attributes(run) for run in runs]
    columns = {name: made(pd, [one[name] for one in facts]) for name, made in kinds.items()}
    columns |= _group(pd, "params", [leaves(run.params) for run in runs], _typed)
    columns |= _group(pd, "tags", [run.tags for run in runs], _texts)
    columns |= _group(pd, "metrics", [run.metrics for run in runs], _floats)
    return _frame(pd, columns, len(runs))


def history(runs: Sequence[RunRecord], names: str | Sequence[str] | None = None) -> "pd.DataFrame":
    """One row a point: `uid`, `name` and `metric` (`string`), `step` (`int64`), `time` (`datetime64[ms, UTC]`) and `value`
    (`float64`), in the order of the runs, then by metric, step, time and value.

    Args:
        runs: Of one place or of several.
        names: A metric, or several; all where it is None.

    Raises:
        InvalidName: a name is none.
        UnknownMetric: there are runs, and none of them has a metric of one of these names.
        MissingExtra: pandas is not installed.
        TrackingError: a place cannot be reached.
    """
    pd = pandas()
    wanted = None if names is None else _checked([names] if isinstance(names, str) else names)
    if wanted is not None and runs:
        known = dict.fromkeys(name for run in runs for name in run.metrics)
        for name in wanted:
            if name not in known:
                raise MetricInNoRun(name, len(runs), known)
    found = sorted(_chunks(runs, wanted), key=lambda chunk: chunk[:2])
    points = [chunk[2] for chunk in found]
    lengths = [len(one) for one in points]
    return _frame(
        pd,
        {
            "uid": _repeated(pd, [runs[position].uid for position, _, _ in found], lengths),
            "name": _repeated(pd, [runs[position].name for position, _, _ in found], lengths),
            "metric": _repeated(pd, [name for _, name, _ in found], lengths),
            "step": _joined(points, "steps", "int64"),
            "time": _utc(pd, _joined(points, "times", "int64")),
            "value": _joined(points, "values", "float64"),
        },
        sum(lengths),
    )


def _checked(names: Iterable[str]) -> list[str]:
    return [checked_name("the name of a metric that is asked for", name) for name in names]


def _frame(pd: Any, columns: Mapping[str, Any], length: int) -> Any:
    frame = pd.DataFrame(dict(enumerate(columns.values())), index=pd.RangeIndex(length))
    # Each version of pandas would make names of another type of them, and one has no half of a surrogate pair.
    frame.columns = pd.Index(list(columns), dtype=object)
    return frame


def _chunks(
    runs: Sequence[RunRecord], names: Collection[str] | None
) -> Iterable[tuple[int, str, Points]]:
    """The points of each metric of each run, by the number of the run, with one question to each reader."""
    places: dict[int, dict[str, list[int]]] = {}
    for number, run in enumerate(runs):
        places.setdefault(id(run.reader), {}).setdefault(run.identity, []).append(number)
    for numbers in places.values():
        asked = [runs[same[0]] for same in numbers.values()]
        for run, name, points in asked[0].reader.histories(asked, names):
            for number in numbers[run.identity]:
                yield number, name, points


def _joined(points: Sequence[Points], column: str, dtype: str) -> Any:
    import numpy as np

    parts = [np.frombuffer(getattr(one, column), dtype) for one in points]
    # Without any, there would be no type either.
    return np.concatenate([np.empty(0, dtype), *parts])


def _repeated(pd: Any, texts: Sequence[str], lengths: Sequence[int]) -> Any:
    return _texts(pd, texts).repeat(lengths)


def _group(
    pd: Any,
    prefix: str,
    mappings: Sequence[Mapping[str, Any]],
    made: Callable[[Any, Sequence[Any]], Any],
) -> dict[str, Any]:
    names = sorted({name for mapping in mappings for name in mapping})
    return {
        f"{prefix}.{name}": made(pd, [mapping.get(name, MISSING) for mapping in mappings])
        for name in names
    }


def _typed(pd: Any, values: Sequence[Any]) -> Any:
    """A column of parameters."""
    kinds = {type(value) for value in values if value is not None and value is not MISSING}
    if kinds == {bool}:
        return pd.arrays.BooleanArray(*_masked(values, "bool"))
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in _there(values)):
        return pd.arrays.IntegerArray(*_masked(values, "int64"))
    if kinds == {float} or (
        kinds == {int, float} and all(_is_double(value) for value in _there(values))
    ):
        return _floats(pd, values)
    if kinds == {str}:
        return _texts(pd, values)
    held = [pd.NA if value is None or value is MISSING else value for value in values]
    return pd.Series(held, dtype=object)


def _there(values: Sequence[Any]) -> Iterable[Any]:
    return (value for value in values if value is not None and value is not MISSING)


def _is_double(value: Any) -> bool:
    try:
        return isinstance(value, float) or bool(float(value) == value)
    except OverflowError:
        return False


def _masked(values: Sequence[Any], dtype: str) -> tuple[Any, Any]:
    """The values and where there is none, as pandas' own arrays hold them."""
    import numpy as np

    mask = np.array([value is None or value is MISSING for value in values], dtype=bool)
    held = [0 if is_missing else value for value, is_missing in zip(values, mask, strict=True)]
    return np.array(held, dtype=dtype), mask


def _floats(pd: Any, values: Sequence[Any]) -> Any:
    return pd.arrays.FloatingArray(*_masked(values, "float64"))


def _texts(pd: Any, values: Sequence[Any]) -> Any:
    # Named to the end: it is another in pandas 3, and one of pyarrow's takes no half of a surrogate pair.
    held = [pd.NA if value is None or value is MISSING else value for value in values]
    return pd.array(held, dtype=pd.StringDtype("python"))


def _times(pd: Any, values: Sequence[float | None]) -> Any:
    import numpy as np

    held = [_NOT_A_TIME if one is None else milliseconds(one) for one in values]
    return _utc(pd, np.array(held, "int64"))


def _utc(pd: Any, times: Any) -> Any:
    return pd.Series(times.view("datetime64[ms]")).dt.tz_localize("UTC")
