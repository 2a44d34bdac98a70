"""What a command answers, on stdout: lines for people, or JSON for programs."""

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from treadle_tracking.clock import milliseconds

__all__ = ["ReadEnough", "as_json", "finish", "instant", "instant_of", "tell", "tell_json"]


class ReadEnough(Exception):
    """Whoever reads stdout, such as `head`, has closed it."""


def tell(lines: Iterable[str]) -> None:
    """Write lines.

    Raises:
        ReadEnough: nobody reads them.
    """
    for line in lines:
        # Apart from what makes a line, which may be a connection that breaks.
        try:
            sys.stdout.write(f"{line}\n")
        except BrokenPipeError:
            raise ReadEnough from None


def finish() -> None:
    """Let everything be written. Raises likewise."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReadEnough from None


def as_json(value: Any) -> str:
    """JSON of ASCII alone, so that it arrives whatever a terminal or a pipe takes it for."""
    return json.dumps(value, indent=2, allow_nan=False)


def tell_json(value: Any) -> None:
    """Write it."""
    tell([as_json(value)])


def instant(seconds: float | None) -> str | None:
    """A time as in ISO 8601, UTC, in whole milliseconds: `2026-11-22T09:00:00.000Z`."""
    return None if seconds is None else instant_of(milliseconds(seconds))


def instant_of(since_epoch: int) -> str:
    """The same of milliseconds."""
    whole, rest = divmod(since_epoch, 1000)
    try:
        return f"{datetime.fromtimestamp(whole, UTC).isoformat()[:19]}.{rest:03}Z"
    except (OverflowError, ValueError, OSError):
        return f"{whole}.{rest:03}"  # beyond every calendar
