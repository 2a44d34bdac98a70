"""The tree that every layer becomes: nodes that remember where they were written."""

from typing import Any

from attrs import field, frozen


class Plain(str):
    """Text as it stands in a file without quotes: a YAML plain scalar or a JSON number."""

    __slots__ = ()


class Verbatim(str):
    """Text from argv or an environment variable, which has no way to say that it is quoted."""

    __slots__ = ()


NULL_WORDS = frozenset({"", "~", "null", "Null", "NULL"})
"""What a plain YAML scalar may say for null (YAML 1.2 core schema, 10.3.2)."""


@frozen
class Source:
    """Where a value was written.

    `str(source)` is `file train.yaml:3`, `cli --data.batch-size`, `env APP_LR`,
    `code train.py:40`, `default`, `link`, or the name that `layer` was given.

    Attributes:
        kind: `default`, `file`, `env`, `code`, `cli`, `link`, or `layer` for one named by the user.
        name: The file, the variable, the flag, or the layer's name.
        line: The line, counted from 1; 0 where there is none.
        must_win: Whether overriding the value is a problem.
    """

    kind: str
    name: str = ""
    line: int = 0
    must_win: bool = field(default=False, eq=False, repr=False)
    order: tuple[int, int] = field(default=(0, 0), eq=False, repr=False)

    def __str__(self) -> str:
        where = f"{self.name}:{self.line}" if self.line else self.name
        return where if self.kind == "layer" else f"{self.kind} {where}".rstrip()


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


class Computed:
    """What a link computed: it goes to the constructor as it is, undecoded."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def nodes_of(value: Any, source: Source) -> Node:
    """Turn mappings and lists of python values into nodes of one source."""
    if isinstance(value, dict):
        return Node({key: nodes_of(child, source) for key, child in value.items()}, source)
    if type(value) is list:
        return Node([nodes_of(child, source) for child in value], source)
    return Node(value, source)


def plain_value(node: Node) -> Any:
    """Undo `nodes_of`: plain python values, with every kind of text as `str`."""
    content = node.content
    if isinstance(content, dict):
        return {key: plain_value(child) for key, child in content.items()}
    if isinstance(content, list):
        return [plain_value(child) for child in content]
    if isinstance(content, Computed):
        return content.value
    if isinstance(content, Plain) and content in NULL_WORDS:
        return None
    return str(content) if isinstance(content, Plain | Verbatim) else content


def join(path: str, key: object) -> str:
    """Join a dotted path and one more key."""
    return f"{path}.{key}" if path else str(key)


def shown(content: Any, longest: int = 60) -> str:
    """Say a value in one short line, for messages."""
    if isinstance(content, Computed):
        content = content.value
    if isinstance(content, dict):
        return "a mapping"
    if isinstance(content, list):
        return "a list"
    if content is None or (isinstance(content, Plain) and content in NULL_WORDS):
        return "null"
    if isinstance(content, Plain | Verbatim) and content.isprintable() and content.strip():
        text = str(content)
    else:
        text = repr(str(content)) if isinstance(content, str) else repr(content)
    return text if len(text) <= longest else text[: longest - 1] + "…"
