"""A layer that is said a text at a time: by the flags of argv, or by variables."""

from typing import Any

from treadle_config.errors import Problem
from treadle_config.expansion import expanded
from treadle_config.list_edits import ListEdits
from treadle_config.paths import Located, nested
from treadle_config.schema import Schema
from treadle_config.tree import Node, Source, Verbatim


class TextLayer:
    """What texts say, each of one place, in as few nodes as can be.

    The class that stands at a place may be said later, or by another layer. So where a text says
    more of what another one said, neither is looked at: both wait for all layers to be merged.

    Attributes:
        nodes: All that was said, in order.

    Args:
        schema: Where classes are planned.
        problems: Where to put what is wrong.
    """

    def __init__(self, schema: Schema, problems: list[Problem]) -> None:
        self.nodes: list[Node] = []
        self._schema = schema
        self._problems = problems
        self._open: Node | None = None  # the last of the nodes, while more may be put into it

    def say(self, found: Located, content: Any, source: Source, *, exactly: bool = False) -> None:
        """Say something of a place.

        Args:
            found: The place.
            content: What is said: a text, or what was made of one.
            source: Where it was said.
            exactly: Whether nothing that is weaker may show through.
        """
        node: Node | None = Node(content, source, replaces=exactly)
        plan = found.plans[0]
        # Whether it is known to be no mapping.
        settled = all(one.is_scalar for one in found.plans) if len(found.plans) > 1 else True
        if settled and not plan.is_scalar and isinstance(content, Verbatim):
            node = expanded(self._schema, plan, Node(content, source), found.path, self._problems)
        if node is None:
            return
        settled = settled or not isinstance(content, Verbatim)
        whole = exactly or isinstance(node.content, dict)
        if whole or not self.put(found, node, settled=settled):
            self._open = None
            self.nodes.append(nested(found.keys, node))

    def put(self, found: Located, node: Node, *, settled: bool = True) -> bool:
        """Put a node into the last one, if nothing has to be merged for it.

        Args:
            found: The place that it is for.
            node: What is no mapping.
            settled: Whether that is known.
        """
        here = self._open
        if here is None:
            here = self._open = Node({}, node.source)
            self.nodes.append(here)
        keys = found.keys
        if found.in_list:
            indices = [at for at, key in enumerate(keys) if not isinstance(key, str)]
            first = min(indices, default=len(keys))
            keys, node = keys[:first], nested(keys[first:], node)
        for key in keys[:-1]:
            if key not in here.content:
                here.content[key] = Node({}, node.source)
            here = here.content[key]
            if type(here.content) is not dict:
                return False
        last = keys[-1]
        known = here.content.get(last)
        if known is not None:
            edits = isinstance(node.content, ListEdits)
            if edits and isinstance(known.content, ListEdits):
                node = Node(ListEdits(known.content.changes + node.content.changes), node.source)
            elif edits or not settled or isinstance(known.content, dict):
                return False
        here.content[last] = node
        return True
