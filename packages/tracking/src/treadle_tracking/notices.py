"""What the library tells the user on its own account."""

import sys

__all__ = ["say"]


def say(sentence: str) -> None:
    """Tell the user one sentence, on stderr if there is one."""
    if sys.stderr is not None:
        sys.stderr.write(f"treadle: {sentence}\n")
