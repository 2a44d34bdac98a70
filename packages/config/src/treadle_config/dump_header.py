"""What a dump says beside the values: the policy, what links gave, what is complete or secret.

It stands under a key with a hyphen, which no field can have.
"""

from collections.abc import Sequence
from typing import Any

from treadle_config.errors import Problem
from treadle_config.plans import Plan
from treadle_config.schema import Schema
from treadle_config.suggestions import did_you_mean, nearest
from treadle_config.tree import Node, Source, is_null, join, shown

HEADER = "treadle-config"
PRECEDENCES = ("code_over_file", "file_over_code")

_KEYS = ("precedence", "linked", "whole", "text", "secret")


class Header:
    """What a dump says beside the values.

    Attributes:
        precedence: The policy under which it was resolved; empty where that is not known.
        linked: The paths of values that links gave. Where a link gives the same when the dump
            is read, it follows on; otherwise somebody changed the value, and it is kept.
        whole: The paths of dicts and lists that are complete, so that nothing weaker is added.
        text: The paths of texts that would be read as another type of a union, such as a path.
        secret: The paths of secrets that are left out, and have to be given again.
    """

    __slots__ = ("linked", "precedence", "secret", "text", "whole")

    def __init__(
        self,
        precedence: str = "",
        linked: Sequence[str] = (),
        whole: Sequence[str] = (),
        secret: Sequence[str] = (),
        text: Sequence[str] = (),
    ) -> None:
        self.precedence = precedence
        self.linked = linked
        self.whole = whole
        self.text = text
        self.secret = secret

    def written(self) -> dict[str, Any]:
        """What stands in the dump for it; nothing where there is nothing to say."""
        said: dict[str, Any] = {"precedence": self.precedence} if self.precedence else {}
        said |= {"linked": list(self.linked)} if self.linked else {}
        said |= {"whole": list(self.whole)} if self.whole else {}
        said |= {"text": list(self.text)} if self.text else {}
        said |= {"secret": list(self.secret)} if self.secret else {}
        return {HEADER: said} if said else {}


class DumpLayer(Node):
    """A layer that says how it was resolved."""

    __slots__ = ("header",)

    def __init__(self, content: Any, source: Source, header: Header) -> None:
        super().__init__(content, source)
        self.header = header


def effective(schema: Schema, root: Plan, nodes: list[Node], problems: list[Problem]) -> list[Node]:
    """Layers with the headers of those that are dumps put to effect."""
    if not any(isinstance(node.content, dict) and HEADER in node.content for node in nodes):
        return nodes
    # Imported here: few layers are dumps.
    from treadle_config.dump_layers import read_dumps

    return read_dumps(schema, root, nodes, problems)


def read_header(node: Node, problems: list[Problem]) -> Header:
    """Read what stands in a dump; whatever is wrong with it is a problem and left out."""
    if not isinstance(node.content, dict):
        wanted = f"a mapping of {', '.join(_KEYS)}"
        problems.append(Problem(HEADER, node.source, shown(node.content), wanted))
        return Header()
    said: dict[str, Any] = {}
    for key, child in node.content.items():
        path, content = join(HEADER, key), child.content
        if key not in _KEYS:
            hint = did_you_mean(nearest(str(key), _KEYS))
            wanted = f"one of {', '.join(_KEYS)}"
            problems.append(Problem(path, child.source, repr(str(key)), wanted, hint))
        elif key == "precedence":
            if isinstance(content, str) and content in PRECEDENCES:
                said[key] = str(content)
                continue
            wanted = f"one of {', '.join(PRECEDENCES)}"
            problems.append(Problem(path, child.source, shown(content), wanted))
        elif isinstance(content, list) and all(_is_text(item.content) for item in content):
            said[key] = tuple(str(item.content) for item in content)
        else:
            wanted = "a list of paths"
            problems.append(Problem(path, child.source, shown(content), wanted))
    return Header(**said)


def _is_text(content: Any) -> bool:
    return isinstance(content, str) and not is_null(content)
