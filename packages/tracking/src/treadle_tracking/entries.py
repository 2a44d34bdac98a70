"""What a run can record: the entries of its log, as values.

The run directory's event file holds these in order, and nothing else. A mirror is fed from them, a reader folds
them into a run. They know nothing of how they are written.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

from attrs import field, frozen

EndStatus: TypeAlias = Literal["FINISHED", "FAILED", "KILLED"]
RunStatus: TypeAlias = Literal["RUNNING", EndStatus]
ENDS: tuple[EndStatus, ...] = get_args(EndStatus)
Direction: TypeAlias = Literal["min", "max"]
ParamValue: TypeAlias = "str | int | float | bool | list[ParamValue] | dict[str, ParamValue] | None"


@frozen(kw_only=True)
class Started:
    """The first entry of every attempt: who this run is. `uid` is the one identity; names may repeat."""

    wall_time: float  # seconds since the epoch, as in every entry
    uid: str
    experiment: str
    name: str
    group: str | None = None
    named: bool = True  # whether by the user; else the name is made of the time
    attempt: int = 0  # 0 is the first; a resume is the next
    best: Mapping[str, Direction] = field(factory=dict)  # metrics of which the best value is kept


@frozen(kw_only=True)
class Rewound:
    """Where a resumed run goes on: what earlier attempts recorded beyond that was cut out of the log.

    A point that somebody has already was cut if it is from before `began` and, with `after`, its time is later than
    that; without, its step is `step` or beyond. What this attempt recorded before is never concerned.
    """

    wall_time: float
    began: float  # as its attempt's `Started` has it, in a later millisecond than all that was cut
    step: int  # that of the first point to come, as far as that is known
    after: float | None = None  # the time of the last entry that was kept; 0.0 where none was


@frozen(kw_only=True)
class Params:
    """Parameters by name, exact and typed; nested mappings are kept nested. Later ones join earlier ones."""

    wall_time: float
    values: Mapping[str, ParamValue] = field(factory=dict)


@frozen(kw_only=True)
class Tags:
    """Tags to set; a later value replaces an earlier one."""

    wall_time: float
    values: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class Scalars:
    """One `log` call: exact doubles by metric name, at one step."""

    wall_time: float
    step: int
    values: Mapping[str, float] = field(factory=dict)


@frozen(kw_only=True)
class Image:
    """A PNG (`run.image` and `run.figure` alike), `width` and `height` in pixels."""

    wall_time: float
    step: int
    name: str
    png: bytes = field(repr=False)
    width: int
    height: int


@frozen(kw_only=True)
class Text:
    """A Markdown text."""

    wall_time: float
    step: int
    name: str
    text: str


@frozen(kw_only=True)
class Histogram:
    """How many values lay where: buckets of (left, right, count), from left to right."""

    wall_time: float
    step: int
    name: str
    buckets: tuple[tuple[float, float, float], ...] = field(repr=False)


@frozen(kw_only=True)
class Artifact:
    """A file now complete in the run directory: `path` is relative to `artifacts/`, with `/` between its parts."""

    wall_time: float
    path: str
    size: int  # bytes
    sha256: str


@frozen(kw_only=True)
class Table:
    """A table, kept as the artifact `path` and described by the entry for it; `preview` is Markdown of its first rows."""

    wall_time: float
    step: int | None  # None where it was recorded without one; TensorBoard shows it at 0
    name: str
    path: str
    preview: str = field(repr=False)


@frozen(kw_only=True)
class Function:
    """A function, its source kept as the artifact `path`, described by the entry for it; None where it has no source."""

    wall_time: float
    name: str
    qualified_name: str  # `module:name`
    sha256: str | None  # of the source
    path: str | None
    source: str = field(repr=False, default="")  # to look at


@frozen(kw_only=True)
class Committed:
    """Everything before this is final: a checkpoint of this step is saved, and a resume goes back to it at most."""

    wall_time: float
    step: int


@frozen(kw_only=True)
class Ended:
    """The last entry of an attempt that had the time to write one. A resume cuts it out again."""

    wall_time: float
    status: RunStatus


Entry: TypeAlias = (
    Started
    | Rewound
    | Params
    | Tags
    | Scalars
    | Image
    | Text
    | Histogram
    | Artifact
    | Table
    | Function
    | Committed
    | Ended
)
