"""Every condition that this package reports, one class each."""

from collections.abc import Iterable

from treadle_config.tree import Source
from treadle_config.value import Value


class TreadleConfigError(Exception):
    """The base of every error that this package raises by itself."""


class SchemaError(TreadleConfigError):
    """A class cannot serve as a schema: found when it is first seen, before any value is read."""


class LinkError(TreadleConfigError):
    """A link read a field that has no value yet, in a class made without `load`."""


class MissingExtra(TreadleConfigError):
    """An optional part is not installed; the message names the extra to install."""


class UnknownPath(TreadleConfigError, KeyError):
    """A dotted path that names no value of the config."""

    def __str__(self) -> str:
        return str(self.args[0])


class Problem(Value):
    """One thing that is wrong with what was given.

    Attributes:
        path: The dotted path, empty for a file or an argument as a whole.
        source: Where it was written; `None` where nothing was.
        got: What was seen there, in one short line.
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
        said = f"{where}: expected {self.expected}, got {self.got}"
        return f"{said}; {self.hint}" if self.hint else said


class ConfigError(TreadleConfigError):
    """Everything that is wrong with what was given, at once.

    Attributes:
        problems: Ordered by layer (the weakest first), then by line or position, then by path.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(dict.fromkeys(problems), key=_place))
        super().__init__(*self.problems)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems]
        if len(lines) == 1:
            return lines[0]
        return "\n  ".join([f"{len(lines)} problems in the configuration:", *lines])


def _place(problem: Problem) -> tuple[tuple[int, int], str]:
    order = (0, 0) if problem.source is None else problem.source.order
    return order, problem.path
