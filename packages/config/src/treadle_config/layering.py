"""How nodes of one place lie over one another: which are of one layer, and which show through."""

from collections.abc import Iterator, Sequence

from treadle_config.settings import Merge as MergeRule
from treadle_config.tree import Node


def same_layer(one: Node, other: Node) -> bool:
    """Whether two nodes are of one layer: several flags, or several variables."""
    rank = one.source.order[0]
    return rank == other.source.order[0] and rank > 0


def layers_of(said: Sequence[Node]) -> Iterator[list[Node]]:
    """Nodes of one place, those of one layer together."""
    layer: list[Node] = []
    for node in said:
        if layer and not same_layer(layer[-1], node):
            yield layer
            layer = []
        layer.append(node)
    if layer:
        yield layer


def shows_through(low: Node, high: Node, rule: MergeRule | None) -> bool:
    """Whether a mapping shows through a stronger one, so that both are merged."""
    if high.replaces or not (isinstance(low.content, dict) and isinstance(high.content, dict)):
        return False
    return rule != "replace" or same_layer(low, high)
