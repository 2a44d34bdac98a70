"""Pictures of many runs at once, as pages that need nothing but a browser."""

from treadle_tracking.plots.errors import (
    AmbiguousAxis,
    InvalidBounds,
    NoPage,
    NothingToDraw,
    ScaleUnfit,
    UnknownAxis,
)
from treadle_tracking.plots.page import Page
from treadle_tracking.plots.parallel import parallel_coordinates

__all__ = [
    "AmbiguousAxis",
    "InvalidBounds",
    "NoPage",
    "NothingToDraw",
    "Page",
    "ScaleUnfit",
    "UnknownAxis",
    "parallel_coordinates",
]
