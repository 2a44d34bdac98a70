"""The tree that every layer becomes: nodes that remember where they were written."""

from collections.abc import Callable, Mapping
from typing import Any

from treadle_config.value import Value

MOST_NODES = 200_000
"""Values in a file, aliases counted as often as they are used: far beyond any config, far below
what hurts (composing a million YAML nodes takes nearly half a gigabyte)."""
DEEPEST = 100
"""Levels of nesting, of files, of what code gives, and of configs that are written; libyaml
recurses in C, and 100,000 open brackets end the process."""

BAD: Any = object()
"""Stands for a value that could not be built; its problem is reported already."""

MASK = "***"
"""What is shown of a secret."""

NULL_WORDS = frozenset({"", "~", "null", "Null", "NULL"})
"""What a plain YAML scalar may say for null (YAML 1.2 core schema, 10.3.2)."""


class Plain(str):
    """Text as it stands in a file without quotes: a YAML plain scalar or a JSON number."""

    __slots__ = ()


class Verbatim(str):
    """Text from argv or an environment variable, which has no way to say that it is quoted."""

    __slots__ = ()


class Source(Value):
    """Where a value was written.

    `str(source)` is `file train.yaml:3`, `cli --data.batch-size`, `env APP_LR`,
    `code train.py:40`, `default`, `link`, or the name that `layer` was given.

    Attributes:
        kind: `default`, `file`, `env`, `code`, `cli`, `link`, or `layer` for one named by the user.
        name: The file, the variable, the flag, or the layer's name.
        line: The line, counted from 1; 0 where there is none.
        must_win: Whether overriding the value is a problem.
        order: Its layer and its place there, by which problems are sorted.
        at: For a layer named by the user, the rank that it stands just above.
    """

    __match_args__ = ("kind", "name", "line")

    kind: str
    name: str
    line: int
    must_win: bool
    order: tuple[int, int]
    at: str

    def __init__(
        self,
        kind: str,
        name: str = "",
        line: int = 0,
        *,
        must_win: bool = False,
        order: tuple[int, int] = (0, 0),
        at: str = "",
    ) -> None:
        fields = self.__dict__  # each line of a file has one, and this is the fastest way
        fields["kind"], fields["name"], fields["line"] = kind, name, line
        fields["must_win"], fields["order"], fields["at"] = must_win, order, at

    def __str__(self) -> str:
        where = f"{self.name}:{self.line}" if self.line else self.name
        return printable(where if self.kind == "layer" else f"{self.kind} {where}".rstrip())


DEFAULT = Source("default")
LINK = Source("link")


class Node:
    """One value as it was written, with its source.

    The content is a dict of nodes, a list of nodes, `Plain`, `Verbatim`, `Computed`,
    or any python value (a `str` counts as quoted text).
    A node that `replaces` was an instance in code: nothing below it shines through.
    """

    __slots__ = ("content", "replaces", "source")

    def __init__(self, content: Any, source: Source, *, replaces: bool = False) -> None:
        self.content = content
        self.source = source
        self.replaces = replaces

    def __repr__(self) -> str:
        return f"Node({self.content!r}, {str(self.source)!r})"


class LineNode(Node):
    """A node of a file; its source is made where it is asked for, which a load seldom does."""

    __slots__ = ("_line", "_source_at")

    def __init__(self, content: Any, source_at: Callable[[int], Source], line: int) -> None:
        self.content = content
        self.replaces = False
        self._source_at = source_at
        self._line = line

    @property
    def source(self) -> Source:
        """Where it was written."""
        return self._source_at(self._line)

    @source.setter
    def source(self, source: Source) -> None:
        self._source_at = lambda _line: source


class Computed:
    """What a link computed: it goes to the constructor as it is, undecoded."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __str__(self) -> str:
        return str(self.value)


class Unreadable(Exception):
    """What is wrong with a text: the parts of a problem, and its line, 0 where unknown."""

    def __init__(
        self, hint: str, line: int = 0, path: str = "", *, got: str = "", expected: str = ""
    ) -> None:
        super().__init__(hint)
        self.hint = hint
        self.line = line
        self.path = path
        self.got = got
        self.expected = expected


def nodes_of(value: Any, source: Source, levels: int = 0) -> Node:
    """Turn mappings and lists of python values into nodes of one source.

    Args:
        value: The value.
        source: The source of all that is in it.
        levels: What it lies within already.

    Raises:
        ConfigError: It is nested as deep as no file may be, as a dict that holds itself is.
    """
    if levels > DEEPEST:
        raise too_deep(source, "a mapping or a list")
    if isinstance(value, Mapping):
        below = {key: nodes_of(child, source, levels + 1) for key, child in value.items()}
        return Node(below, source)
    if isinstance(value, list):
        return Node([nodes_of(child, source, levels + 1) for child in value], source)
    return Node(value, source)


def value_of(content: Any, scalar: Callable[[Any], Any]) -> Any:
    """What a node holds with all that is below it, each scalar put through a function."""
    if isinstance(content, dict):
        return {key: value_of(child.content, scalar) for key, child in content.items()}
    if isinstance(content, list):
        return [value_of(child.content, scalar) for child in content]
    return scalar(content.value if isinstance(content, Computed) else content)


def plain_value(node: Node) -> Any:
    """Undo `nodes_of`: plain python values, with every kind of text as `str`."""

    def plain(content: Any) -> Any:
        if is_null(content):
            return None
        return str(content) if isinstance(content, Plain | Verbatim) else content

    return value_of(node.content, plain)


def as_written(node: Node) -> Any:
    """A node's content; a bool or a date of a file as the file has it, not as python has."""
    content = node.content
    if node.source.kind == "file":
        if isinstance(content, bool):
            return Plain("true" if content else "false")
        if hasattr(content, "isoformat"):
            return Plain(content.isoformat())
    return content


def is_null(content: Any) -> bool:
    """Whether a file or code says null; argv has no word for it that is not text as well."""
    return content is None or (isinstance(content, Plain) and content in NULL_WORDS)


def is_quoted(content: Any) -> bool:
    """Whether it is text that says it is text: quoted in a file, or given in code."""
    return isinstance(content, str) and not isinstance(content, Plain | Verbatim)


def join(path: str, key: object) -> str:
    """Join a dotted path and one more key."""
    return f"{path}.{key}" if path else str(key)


def within(path: str, below: str) -> str:
    """Put a path that begins at a value behind the path of the value."""
    return f"{path}{below}" if below[:1] in ("", "[") else join(path, below)


def printable(text: str) -> str:
    """A text with what a terminal would act on, such as an escape, as python writes it."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def shown(content: Any, longest: int = 60) -> str:
    """Say a value in one short line, for messages."""
    if isinstance(content, Computed):
        content = content.value
    if isinstance(content, dict):
        return "a mapping"
    if isinstance(content, list):
        return "a list"
    if is_null(content):
        return "null"
    if isinstance(content, Plain | Verbatim) and content.isprintable() and content.strip():
        text = str(content)
    else:
        text = _represented(str(content) if isinstance(content, str) else content)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _represented(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  # of a class of the user's, or an int of 4301 digits
        return f"<{type(value).__name__}>"


def too_deep(source: Source, what: str = "an object") -> Exception:
    """The error of what is nested deeper than any config may be."""
    # Imported here, since that module needs this one; a program that gives such a thing is wrong.
    from treadle_config.errors import ConfigError, Problem

    hint = f"does {what} hold itself?"
    return ConfigError([Problem("", source, "more", f"at most {DEEPEST} levels", hint)])
