"""Texts as a terminal shows them: with nothing in them that acts, and as wide as they are."""

import shutil
import sys
import unicodedata
from typing import TextIO

__all__ = ["columns", "cut", "padded", "visible", "width"]

_NO_WIDTH = {"Mn", "Me"}  # accents, which are written over what is before them


def visible(text: str) -> str:
    r"""`text` on one line, with escapes such as `\x1b` for all that is no character to look at.

    What moves the cursor, colors, rings, or turns the direction of writing does nothing then.
    """
    if text.isprintable():
        return text
    return "".join(one if _is_shown(one) else _escape(one) for one in text)


def _is_shown(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def width(text: str) -> int:
    """How many columns a visible text takes: two for a character of East Asia or a picture, none for an accent."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.category(character) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, most: int) -> str:
    """A visible text, or as much of it as is `most` columns wide with `…` at its end."""
    if width(text) <= most:
        return text
    left = most - 1
    kept: list[str] = []
    for one in text:
        left -= _width(one)
        if left < 0:
            break
        kept.append(one)
    return "".join(kept) + "…"[:most]


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """A visible text with blanks behind it, or before it, as many as it takes."""
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks


def columns(stream: TextIO | None = None) -> int | None:
    """How many columns the terminal has that a stream, stdout by default, is written to; None where it is none."""
    stream = sys.stdout if stream is None else stream
    if stream is None or not stream.isatty():
        return None
    return shutil.get_terminal_size().columns
