"""Runs side by side: what differs, and what they came to."""

from collections.abc import Mapping, Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

from attrs import frozen

from treadle_tracking.attributes import attributes
from treadle_tracking.comparing.errors import NotARun, TooFewRuns
from treadle_tracking.comparing.labels import labels
from treadle_tracking.comparing.page import page
from treadle_tracking.comparing.sameness import differ
from treadle_tracking.comparing.sections import Section, sections
from treadle_tracking.comparing.shown import exact
from treadle_tracking.comparing.table import table
from treadle_tracking.entries import Function, ParamValue
from treadle_tracking.frames import pandas
from treadle_tracking.leaves import leaves
from treadle_tracking.missing import MISSING, NotThere
from treadle_tracking.reading.record import RunRecord
from treadle_tracking.terminal import visible

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "compare"]

_ATTRIBUTES = "experiment", "group", "status", "duration"


@frozen(kw_only=True, repr=False, eq=False)
class Comparison:
    """Two runs or more, of any experiments and places. Whatever has a value for each run has them in the order of `runs`.

    Printed it is a table that fits the terminal, and in a notebook one of the page. There a value takes 32 columns and a
    name 40 at most, and `…` stands for what is cut; a metric has six digits, and behind it how far it is from the first
    run's; `—` is what a run does not have.

    Attributes:
        runs: As they were given.
        labels: What each is called in tables: its name; where several have that, with the beginning of the uid behind it.
        attributes: Of experiment, group, status and duration (seconds) those that differ.
        params: By dotted name those that differ: the value, or `MISSING` for a run that has none.
        same_params: By dotted name those that are the same for all.
        tags: Those that differ, likewise.
        metrics: The last value of every metric, `MISSING` for a run that does not have it.
    """

    runs: tuple[RunRecord, ...]
    labels: tuple[str, ...]
    attributes: Mapping[str, tuple[str | float | None, ...]]
    params: Mapping[str, tuple[ParamValue | NotThere, ...]]
    same_params: Mapping[str, ParamValue]
    tags: Mapping[str, tuple[str | NotThere, ...]]
    metrics: Mapping[str, tuple[float | NotThere, ...]]

    @property
    def is_same(self) -> bool:
        """Whether nothing differs, the metrics' last values neither. Functions are not looked at."""
        return not (self.attributes or self.params or self.tags) and not any(
            differ(values) for values in self.metrics.values()
        )

    @property
    def deltas(self) -> dict[str, tuple[float | NotThere, ...]]:
        """How far each metric is from that of the first run; `MISSING` where either has none."""
        return {
            name: tuple(
                MISSING if value is MISSING or values[0] is MISSING else value - values[0]
                for value in values
            )
            for name, values in self.metrics.items()
        }

    def functions(self) -> dict[str, tuple[Function | NotThere, ...]]:
        """The recorded functions that differ, in what they are called or in their source, by the name they were given.

        Each run that has any is read through for it.

        Raises:
            TrackingError: a place cannot be reached.
        """
        found = _side_by_side([_functions(run) for run in self.runs])
        return {name: values for name, values in found.items() if differ([*map(_code, values)])}

    def config_diff(self) -> str:
        """The parameters that differ, whole: for two runs as `diff` shows lines, else below each name a line for each run.

        It is empty where none differs.
        """
        called = [visible(label) for label in self.labels]
        if len(self.runs) == 2 and self.params:
            lines = [f"--- {called[0]}", f"+++ {called[1]}"]
        else:
            lines = []
        for name, values in self.params.items():
            if len(self.runs) > 2:
                lines.append(visible(name))
                marks = [f"  {label}: " for label in called]
            else:
                marks = [f"{sign} {visible(name)}: " for sign in "-+"]
            lines += [
                f"{mark}{exact(value)}"
                for mark, value in zip(marks, values, strict=True)
                if value is not MISSING
            ]
        return "\n".join(lines)

    def text(self, width: int | None = None) -> str:
        """The table that is printed.

        Args:
            width: Columns of a terminal that a line takes at most: runs that do not fit side by side stand below. None for
                those of this terminal, or 80 where there is none.
        """
        columns = get_terminal_size().columns if width is None else width
        return table(self.labels, self._sections(), columns)

    def dataframe(self) -> "pd.DataFrame":
        """One row a field, one column a run by its label, of objects: the values as they are, `pandas.NA` for `MISSING`.

        The rows are called as the columns of `Runs.dataframe` are.

        Raises:
            MissingExtra: pandas is not installed.
        """
        pd = pandas()
        rows: dict[str, Sequence[Any]] = dict(self.attributes)
        for group, fields in (
            ("params", self.params),
            ("tags", self.tags),
            ("metrics", self.metrics),
        ):
            rows |= {f"{group}.{name}": values for name, values in fields.items()}
        columns = {
            number: pd.Series(
                [
                    pd.NA if values[number] is MISSING else values[number]
                    for values in rows.values()
                ],
                dtype=object,
            )
            for number in range(len(self.runs))
        }
        frame = pd.DataFrame(columns)
        frame.index = pd.Index(list(rows), dtype=object)
        frame.columns = pd.Index(self.labels, dtype=object)
        return frame

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return page(self.labels, self._sections())

    def _sections(self) -> list[Section]:
        return sections(
            self.attributes, self.params, self.tags, self.metrics, len(self.same_params)
        )


def compare(*runs: RunRecord) -> Comparison:
    """Runs side by side, the first as that from which the others differ.

    They may be of any experiments and places, and one of them may be another's mirror, or there twice: nothing differs then.
    Values are compared as what they are: 0.001 and 1e-3 are the same, 1 and 1.0 are, and NaN is NaN; True is not 1, and
    None is not the same as nothing.

    Raises:
        TooFewRuns: there are fewer than two.
        NotARun: one of them is something else.
    """
    for run in runs:
        if not isinstance(run, RunRecord):
            raise NotARun(run)
    if len(runs) < 2:
        raise TooFewRuns(len(runs))
    facts = _side_by_side([attributes(run) for run in runs])
    params = _side_by_side([leaves(run.params) for run in runs])
    tags = _side_by_side([run.tags for run in runs])
    return Comparison(
        runs=runs,
        labels=labels(runs),
        attributes={name: facts[name] for name in _ATTRIBUTES if differ(facts[name])},
        params={name: values for name, values in params.items() if differ(values)},
        same_params={name: values[0] for name, values in params.items() if not differ(values)},
        tags={name: values for name, values in tags.items() if differ(values)},
        metrics=_side_by_side([run.metrics for run in runs]),
    )


def _side_by_side(mappings: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """By name, sorted, what each has."""
    names = sorted({name for mapping in mappings for name in mapping})
    return {name: tuple(mapping.get(name, MISSING) for mapping in mappings) for name in names}


def _functions(run: RunRecord) -> dict[str, Function]:
    if not run.functions:
        return {}
    return {entry.name: entry for entry in run.reader.entries(run) if isinstance(entry, Function)}


def _code(function: Function | NotThere) -> Any:
    if function is MISSING:
        return MISSING
    return [function.qualified_name, function.sha256]
