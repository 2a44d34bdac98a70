"""A call of the program: what can be typed, how it is said that it was wrong, and how it ends."""

import argparse
from collections.abc import Sequence
from difflib import get_close_matches
from math import isfinite
from typing import Any, NoReturn, Protocol

__all__ = ["FINE", "LEFT", "WRONG", "Commands", "Parser", "WrongCall", "count", "names", "seconds"]

FINE, LEFT, WRONG = 0, 1, 2

_UNKNOWN = "unrecognized arguments: "  # as argparse has it


class WrongCall(Exception):
    """The call itself is wrong; `args[0]` says how."""


class Parser(argparse.ArgumentParser):
    """Of the program, or of one of its commands.

    Args:
        example: Calls to copy, a line each, with `{prog}` for how the program is called.
    """

    def __init__(self, *, example: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._example = example

    def format_help(self) -> str:
        """The help, its paragraphs broken where the terminal ends, and the examples as they are."""
        text = super().format_help()
        if self._example is not None:
            program = self.prog.rpartition(" ")[0]
            lines = self._example.format(prog=program).splitlines()
            text += "\nexamples:\n" + "".join(f"  {line}\n" for line in lines)
        return text

    def error(self, message: str) -> NoReturn:
        """Say it in one sentence, without the usage of everything."""
        raise WrongCall(
            f"{message}. {self._meant(message)}{self.prog} --help says what can be given"
        )

    def _meant(self, message: str) -> str:
        """A sentence with the option that may have been meant, where there is one that is not known."""
        unknown = message.removeprefix(_UNKNOWN) if message.startswith(_UNKNOWN) else ""
        for word in unknown.split():
            close = get_close_matches(word.partition("=")[0], self._option_string_actions, n=1)
            if word.startswith("--") and close:
                return f"Did you mean {close[0]}? "
        return ""


class Commands(Protocol):
    """What commands are added to: what argparse gives for `add_subparsers`."""

    def add_parser(self, name: str, **options: Any) -> Parser:
        """The parser of one more."""


def seconds(text: str) -> float:
    """A time to wait."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not isfinite(number) or number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return number


def count(text: str) -> int:
    """A number of things, from 0."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer of 0 or more")
    return int(text)


def names(texts: Sequence[str] | None) -> list[str] | None:
    """Names from what was given with commas between them, perhaps several times; None where nothing was."""
    if texts is None:
        return None
    return [name for text in texts for part in text.split(",") if (name := part.strip())]
