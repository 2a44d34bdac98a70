"""Runs compared with each other."""

from treadle_tracking.comparing.comparison import Comparison, compare
from treadle_tracking.comparing.errors import NotARun, TooFewRuns
from treadle_tracking.missing import MISSING, Missing

__all__ = ["MISSING", "Comparison", "Missing", "NotARun", "TooFewRuns", "compare"]
