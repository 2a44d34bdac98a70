"""Something that is to be said of a run, and perhaps to be mended."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

from attrs import field, frozen

__all__ = ["Finding", "Kind", "bytes_of", "counted"]

Kind: TypeAlias = Literal[
    "in use",
    "empty",
    "unreadable",
    "damaged",
    "torn",
    "params",
    "artifact",
    "clock",
    "leftover",
    "orphan",
    "same uid",
    "mirror",
    "unsent",
    "mlruns",
]


@frozen(kw_only=True)
class Finding:
    """What was found. `mend` does what `remedy` says, and returns what was done; it raises what prevents it."""

    directory: Path
    kind: Kind
    sentence: str
    is_problem: bool = True  # else it is only told
    remedy: str | None = None
    mend: Callable[[], str] | None = field(default=None, eq=False, repr=False)


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """A number and what is counted: `1 entry`, `2,000 entries`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def bytes_of(number: int) -> str:
    """A number of bytes, exactly."""
    return counted(number, "byte")
