"""Every condition that this package reports, one class each."""

import re
from collections.abc import Iterable
from typing import Any

from treadle_config.tree import Source, printable
from treadle_config.value import Value

_MOST_SHOWN = 100
"""Problems that are worth printing: nobody reads on, and a terminal forgets how they began."""
_INDEX = re.compile(r"\[(-?[0-9]{1,9})\]")


class TreadleConfigError(Exception):
    """The base of every error that this package raises by itself."""

    def __reduce__(self) -> tuple[Any, ...]:
        # In another process it says the same: an exception's own way is to make one of its message.
        return type(self).__new__, (type(self), *self.args), self.__dict__


class SchemaError(TreadleConfigError):
    """A class cannot serve as a schema: found when it is first seen, before any value is read."""


class LinkError(TreadleConfigError):
    """A link read a field that has no value yet, in a class made without `load`."""


class MissingExtra(TreadleConfigError):
    """An optional part is not installed; the message names the extra to install."""


class DumpError(TreadleConfigError):
    """A config cannot be written as was asked: not there, or not in that form."""


class UnknownPath(TreadleConfigError, KeyError):
    """A dotted path that names no value of the config."""

    def __str__(self) -> str:
        return str(self.args[0])


class Problem(Value):
    """One thing that is wrong with what was given.

    Attributes:
        path: The dotted path, empty for a file or an argument as a whole.
        source: Where it was written; `None` where nothing was.
        got: What was seen there, in one short line; empty where a file is not what it should be.
        expected: What would be right.
        hint: What to do about it, or the reason; may be empty.
    """

    __match_args__ = ("path", "source", "got", "expected", "hint")

    path: str
    source: Source | None
    got: str
    expected: str
    hint: str

    def __init__(
        self, path: str, source: Source | None, got: str, expected: str, hint: str = ""
    ) -> None:
        self.__dict__.update(path=path, source=source, got=got, expected=expected, hint=hint)

    def __str__(self) -> str:
        if self.path and self.source is not None:
            where = f"{self.path} ({self.source})"
        else:
            where = self.path or str(self.source)
        if not self.got:
            return printable(f"{where}: is not valid {self.expected}: {self.hint}")
        said = f"{where}: expected {self.expected}, got {self.got}"
        return printable(f"{said}; {self.hint}" if self.hint else said)


class ConfigError(TreadleConfigError):
    """Everything that is wrong with what was given, at once.

    Attributes:
        problems: Ordered by layer (the weakest first), then by line or position, then by path. As
            text, the first hundred of them are told.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(dict.fromkeys(problems), key=_place))
        super().__init__(*self.problems)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems[:_MOST_SHOWN]]
        if len(lines) == 1:
            return lines[0]
        more = [f"and {untold} more"] if (untold := len(self.problems) - len(lines)) else []
        return "\n  ".join([f"{len(self.problems)} problems in the configuration:", *lines, *more])


def by_index(path: str) -> list[Any]:
    """A key to sort paths by: as text, save that `[10]` comes behind `[9]`."""
    parts: list[Any] = _INDEX.split(path)
    parts[1::2] = map(int, parts[1::2])
    return parts


def _place(problem: Problem) -> tuple[tuple[int, int], list[Any]]:
    order = (0, 0) if problem.source is None else problem.source.order
    return order, by_index(problem.path)
