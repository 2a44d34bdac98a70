"""What a run can record: the entries of its log, as values.

The run directory's event file holds these in order, and nothing else. A mirror is fed from them, a reader folds
them into a run. They know nothing of how they are written.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from attrs import field, frozen

RunStatus: TypeAlias = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
ParamValue: TypeAlias = "str | int | float | bool | list[ParamValue] | dict[str, ParamValue] | None"


@frozen(kw_only=True)
class Started:
    """The first entry of every attempt: who this run is. `uid` is the one identity; names may repeat."""

    wall_time: float  # seconds since the epoch, as in every entry
    uid: str
    experiment: str
    name: str
    group: str | None = None
    attempt: int = 0  # 0 is the first; a resume is the next
    step: int | None = None  # steps from here on replace those of earlier attempts; None is all


@frozen(kw_only=True)
class Params:
    """Parameters by name, exact and typed; nested mappings are kept nested."""

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
class Artifact:
    """A file now complete in the run directory: `path` is relative to `artifacts/`, with `/` between its parts."""

    wall_time: float
    path: str
    size: int  # bytes
    sha256: str


@frozen(kw_only=True)
class Ended:
    """The last entry of an attempt that had the time to write one."""

    wall_time: float
    status: RunStatus


Entry: TypeAlias = Started | Params | Tags | Scalars | Image | Text | Artifact | Ended
