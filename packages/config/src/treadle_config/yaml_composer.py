"""PyYAML's composer with a resolver that resolves nothing, and counts.

A module of its own because PyYAML is optional: this one is imported where a YAML file is read.
The resolver of PyYAML guesses types by YAML 1.1 (`no` a bool, `12:30` a number), and takes half
of the time of loading. This one gives the same tag to all that has none of its own. It is also
where depth and size are counted, before the recursion in C goes too deep.
"""

from typing import Any

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from treadle_config.tree import DEEPEST, MOST_NODES, Unreadable

LEFT_ALONE = "?"
"""The tag of what has none of its own; python has each single character but once, so that this one
is made and compared faster than a longer one."""

_SMALL = 4096
"""Characters. So few cannot be nested deeper than libyaml can follow, nor be too many values; what
is read is counted once more, after the aliases."""


class _Resolver:
    # A method of text that ignores what it is given: these run once a node.
    resolve = descend_resolver = ascend_resolver = staticmethod(LEFT_ALONE.format)

    def _count(self) -> None:
        inside: list[None] = []
        begin = inside.append
        nodes = 0

        # A closure and a method of list are a quarter faster than methods and attributes.
        def descend(parent: Any, index: Any) -> None:
            nonlocal nodes
            begin(None)
            nodes += 1
            if len(inside) > DEEPEST + 1:
                raise Unreadable(f"nested more than {DEEPEST} levels deep", _line(index, parent))
            if nodes > MOST_NODES:
                raise Unreadable(f"more than {MOST_NODES} values", _line(index, parent))

        self.descend_resolver = descend  # type: ignore[assignment]  # the caller knows neither
        self.ascend_resolver = inside.pop  # type: ignore[assignment]


class PureComposer(_Resolver, Reader, Scanner, Parser, Composer):
    """What PyYAML has where it was built without libyaml."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        self._count()


fastest: Any = PureComposer

if yaml.__with_libyaml__:
    from yaml._yaml import CParser  # what yaml.cyaml has, too, and its stubs have not

    class LibyamlComposer(_Resolver, CParser):
        """The composer in C; libyaml itself does not limit its recursion."""

        def __init__(self, text: str) -> None:
            super().__init__(text)
            if len(text) > _SMALL:
                self._count()

    fastest = LibyamlComposer


def _line(*candidates: Any) -> int:
    """The line of the first of them that is a node; an item has but an index before it is read."""
    marks = (getattr(one, "start_mark", None) for one in candidates)
    return next((mark.line + 1 for mark in marks if mark is not None), 0)
