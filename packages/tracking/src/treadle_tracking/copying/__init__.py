"""Runs brought from one place to another."""

from treadle_tracking.copying.copied import Copied
from treadle_tracking.copying.errors import CopyIncomplete, NotCopyable, SamePlace, TargetIsRun
from treadle_tracking.copying.runs import copy_runs

__all__ = ["Copied", "CopyIncomplete", "NotCopyable", "SamePlace", "TargetIsRun", "copy_runs"]
