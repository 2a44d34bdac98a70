"""What the entries of a log come to: one run, without its histories."""

from collections.abc import Iterable
from math import isnan, nan
from typing import Any, Self

from attrs import asdict, astuple, define, field

from treadle_tracking.clock import milliseconds
from treadle_tracking.entries import (
    Artifact,
    Ended,
    Entry,
    Function,
    Histogram,
    Image,
    Params,
    ParamValue,
    Scalars,
    Started,
    Table,
    Tags,
    Text,
)
from treadle_tracking.params import joined
from treadle_tracking.reading.record import Contents

__all__ = ["Latest", "Summary"]

_KINDS = {"images": "images", "text": "texts", "histograms": "histograms"}  # by plugin
_NAMES = ("artifacts", "images", "texts", "histograms", "tables")


@define
class Latest:
    """The last point of a metric and its extremes, NaN aside."""

    step: int
    time: int  # milliseconds since the epoch
    value: float
    least: float = nan
    greatest: float = nan

    def add(self, step: int, time: int, value: float) -> None:
        """Take one more point into account."""
        if step > self.step or (step == self.step and self._is_later(time, value)):
            self.step, self.time, self.value = step, time, value
        if not self.least <= value:
            self.least = value if not isnan(value) else self.least
        if not self.greatest >= value:
            self.greatest = value if not isnan(value) else self.greatest

    def _is_later(self, time: int, value: float) -> bool:
        # As `Points` orders them.
        mine = 0.0 if isnan(self.value) else self.value
        return (time, 0.0 if isnan(value) else value) > (self.time, mine)


@define
class Summary:
    """A run's log, summed up so far."""

    started: Started | None = None
    ended: Ended | None = None
    params: dict[str, ParamValue] = field(factory=dict)
    tags: dict[str, str] = field(factory=dict)
    metrics: dict[str, Latest] = field(factory=dict)
    artifacts: dict[str, None] = field(factory=dict)
    images: dict[str, None] = field(factory=dict)
    texts: dict[str, None] = field(factory=dict)
    histograms: dict[str, None] = field(factory=dict)
    tables: dict[str, None] = field(factory=dict)
    functions: dict[str, str] = field(factory=dict)

    def add(self, entry: Entry) -> None:
        """Take the next entry into account."""
        match entry:
            case Scalars():
                time = milliseconds(entry.wall_time)
                self.add_points(entry.step, time, entry.values.items())
            case Image():
                self.images[entry.name] = None
            case Text():
                self.texts[entry.name] = None
            case Histogram():
                self.histograms[entry.name] = None
            case Table():
                self.tables[entry.name] = None
            case Function():
                self.functions[entry.name] = entry.qualified_name
            case Artifact():
                self.artifacts[entry.path] = None
            case Params():
                self.params = joined(self.params, entry.values)
            case Tags():
                self.tags.update(entry.values)
            case Started():
                self.started = self.started or entry
                self.ended = None
            case Ended():
                self.ended = entry
            case _:
                pass  # where an attempt goes on, and what is final: the log is as that left it

    def add_name(self, kind: str, name: str) -> None:
        """Take an image or the like into account, of which no more than the name is known, by its plugin."""
        if kind in _KINDS:
            getattr(self, _KINDS[kind])[name] = None

    def add_points(self, step: int, time: int, values: Iterable[tuple[str, float]]) -> None:
        """Take values by name of one step into account; `time` is in milliseconds since the epoch."""
        metrics = self.metrics
        for name, value in values:
            latest = metrics.get(name)
            if latest is None:
                metrics[name] = Latest(step, time, value, value, value)
            elif step > latest.step and latest.least <= value <= latest.greatest:
                # What nearly every point comes to, without a call.
                latest.step, latest.time, latest.value = step, time, value
            else:
                latest.add(step, time, value)

    @property
    def contents(self) -> Contents:
        """What it has beside numbers, by name."""
        return Contents(
            artifacts=tuple(sorted(self.artifacts)),
            images=tuple(sorted(self.images)),
            texts=tuple(sorted(self.texts)),
            histograms=tuple(sorted(self.histograms)),
            tables=tuple(sorted(self.tables)),
            functions=dict(sorted(self.functions.items())),
        )

    def as_json(self) -> dict[str, Any]:
        """As JSON can hold it, to go on from later."""
        return {
            "started": None if self.started is None else asdict(self.started),
            "ended": None if self.ended is None else asdict(self.ended),
            "params": self.params,
            "tags": self.tags,
            "metrics": {name: astuple(latest) for name, latest in self.metrics.items()},
            **{kind: list(getattr(self, kind)) for kind in _NAMES},
            "functions": self.functions,
        }

    @classmethod
    def of_json(cls, found: dict[str, Any]) -> Self:
        """What `as_json` was made of."""
        started, ended = found["started"], found["ended"]
        return cls(
            started=None if started is None else Started(**started),
            ended=None if ended is None else Ended(**ended),
            params=found["params"],
            tags=found["tags"],
            metrics={name: Latest(*latest) for name, latest in found["metrics"].items()},
            functions=found["functions"],
            **{kind: dict.fromkeys(found[kind]) for kind in _NAMES},
        )
