"""The command line: `python -m treadle_tracking list runs`, and its other commands."""

from treadle_tracking.commands.program import main

__all__ = ["main"]
