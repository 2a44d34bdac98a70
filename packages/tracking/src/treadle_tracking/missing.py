"""What a run does not have, beside runs that have it: `None` is a value that a parameter can have."""

from enum import Enum
from typing import Final, Literal, TypeAlias

__all__ = ["MISSING", "Missing", "NotThere"]


class Missing(Enum):
    """The type of `MISSING`."""

    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing.MISSING
NotThere: TypeAlias = Literal[Missing.MISSING]
