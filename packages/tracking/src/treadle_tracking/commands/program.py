"""The program that runs are looked at, moved and looked after with.

Exit codes: 0 where all is well, 1 where something went wrong or is left, 2 where the call is wrong.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path

from treadle_tracking.commands import (
    artifacts,
    compare,
    copy,
    doctor,
    export,
    listing,
    plot,
    show,
    sync,
)
from treadle_tracking.commands.answer import ReadEnough, finish
from treadle_tracking.commands.calling import LEFT, WRONG, Parser, WrongCall
from treadle_tracking.doctor.visit import reason
from treadle_tracking.errors import (
    InvalidTarget,
    TrackingError,
    UnknownMetric,
    UnknownRun,
    suggestion,
)
from treadle_tracking.notices import say
from treadle_tracking.reading import UnknownArtifact
from treadle_tracking.searching import SearchError
from treadle_tracking.terminal import visible

__all__ = ["main"]

# Of what was typed: nothing else has gone wrong.
_MISNAMED = (InvalidTarget, SearchError, UnknownArtifact, UnknownMetric, UnknownRun)
_INTERRUPTED = 130  # as a shell gives it for Ctrl-C
_COMMANDS = (listing, show, compare, plot, artifacts, export, copy, sync, doctor)


def _parser(program: str) -> tuple[Parser, Mapping[str, Parser]]:
    """It, and those of the commands by their names."""
    parser = Parser(prog=program, description="Look at runs, move them, and look after them.")
    parser.add_argument(
        "--version", action="version", version=f"treadle-tracking {version('treadle-tracking')}"
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=Parser
    )
    for command in _COMMANDS:
        command.add(commands)
    return parser, commands.choices


def main(arguments: Sequence[str], *, program: str = "python -m treadle_tracking") -> int:
    """Do what the command line says.

    Args:
        arguments: Without the program's name.
        program: How it was called, for its help and its messages.

    Returns:
        The exit code.
    """
    interrupted = None
    try:
        _let_all_texts_be_written()
        given = _parsed(program, arguments)
        interrupted = given.interrupted
        with warnings.catch_warnings():
            # What libraries tell their developers is nothing that a user of this program can see to.
            warnings.simplefilter("ignore")
            code: int = given.do(given)
        finish()
    except KeyboardInterrupt:
        say("; ".join(filter(None, ["interrupted", interrupted])))
        return _INTERRUPTED
    except (WrongCall, *_MISNAMED) as error:
        say(_on_lines(str(error)))
        return WRONG
    except ReadEnough:
        _let_go()
        return LEFT
    except (TrackingError, OSError) as error:
        say(_on_lines(reason(error)))
        try:
            sys.stdout.flush()
        except OSError:
            _let_go()
        return LEFT
    except Exception as error:  # noqa: BLE001  # a page of code tells nobody at a terminal what to do
        say(_on_lines(_unforeseen(error)))
        return LEFT
    return code


def _parsed(program: str, arguments: Sequence[str]) -> argparse.Namespace:
    parser, commands = _parser(program)
    word = next(iter(arguments), "-")
    if not word.startswith("-") and word not in commands:
        raise WrongCall(
            f"there is no command {word!r}. {suggestion(word, commands)} {program} --help says what each does"
        )
    try:
        if word in commands:
            # Options may stand between the others, also before what may be left out.
            return commands[word].parse_intermixed_args(arguments[1:])
        return parser.parse_args(arguments)
    finally:
        finish()  # the help, which ends the program


def _let_go() -> None:
    """Forget what cannot be written, so that it does not fail once more as the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _on_lines(text: str) -> str:
    """A message with nothing in it that acts, whatever names it has."""
    return "\n".join(map(visible, text.split("\n")))


def _let_all_texts_be_written() -> None:
    """Of characters that a terminal has no bytes for, their escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _unforeseen(error: Exception) -> str:
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = (
        f" ({Path(place.tb_frame.f_code.co_filename).name}, line {place.tb_lineno})"
        if place
        else ""
    )
    return f"something unforeseen went wrong: {reason(error)}{where}. Please report it"
