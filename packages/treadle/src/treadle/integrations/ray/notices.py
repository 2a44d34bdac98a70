"""What a sweep tells the user on its own account."""

import sys
from contextlib import suppress

__all__ = ["say"]


def say(sentence: str) -> None:
    """Tell the user one sentence, on stderr if there is one: whoever has closed it does not want to know."""
    if sys.stderr is not None:
        with suppress(OSError, ValueError):
            sys.stderr.write(f"treadle: {sentence}\n")
