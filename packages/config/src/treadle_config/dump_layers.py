"""Layers that are dumps: what stands in the header of one is put to effect when it is read."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from attrs import NOTHING

from treadle_config.build import Build
from treadle_config.dump_header import HEADER, DumpLayer, read_header
from treadle_config.errors import Problem
from treadle_config.flatten import flat, same
from treadle_config.paths import locate
from treadle_config.plans import Choice, Plan
from treadle_config.schema import Schema
from treadle_config.tree import Computed, Node, join


def read_dumps(
    schema: Schema, root: Plan, nodes: Sequence[Node], problems: list[Problem]
) -> list[Node]:
    """Put the headers of layers to effect, where they have one."""
    found = list(nodes)
    for at, node in enumerate(nodes):
        if isinstance(node.content, dict) and HEADER in node.content:
            read = found[at] = _read(schema, root, node, nodes, problems)
            if isinstance(read, DumpLayer) and read.header.secret:
                found[:at] = _given_whole(schema, root, found[:at], read.header.secret)
    return found


def _read(
    schema: Schema, root: Plan, node: Node, layers: Sequence[Node], problems: list[Problem]
) -> Node:
    content = {key: child for key, child in node.content.items() if key != HEADER}
    header = read_header(node.content[HEADER], problems)
    whole = Node(content, node.source)
    if header.whole:
        whole = _completed(whole, "", header.whole)
    if header.text:
        whole = _as_text(whole, "", header.text)
    given: list[Node] = []
    if header.secret:
        # Imported here: few dumps leave anything out.
        from treadle_config.secret_dumps import given_elsewhere, withholding

        where = node.content[HEADER].content["secret"].source
        whole = withholding(whole, header.secret, where)
        given = given_elsewhere([one for one in layers if one is not node], header.secret)
    if header.linked and not node.source.must_win:
        whole = _without(whole, "", _still_linked(schema, root, whole, given, header.linked))
    return DumpLayer(whole.content, whole.source, header)


def _given_whole(
    schema: Schema, root: Plan, layers: Sequence[Node], secret: Iterable[str]
) -> list[Node]:
    """Weaker layers, of which the first to give a dict or a list again gives the whole of it."""
    # Imported here: few dumps leave anything out.
    from treadle_config.secret_dumps import given_elsewhere

    found = list(layers)
    for path in secret:
        place = locate(schema, root, path.split("."), str)
        if place is None or any(isinstance(plan.mapping, Choice) for plan in place.plans):
            continue
        for at, node in enumerate(found):
            if given_elsewhere([node], [path]):
                made = _completed(node, "", [path])
                if isinstance(node, DumpLayer):
                    made = DumpLayer(made.content, made.source, node.header)
                found[at] = made
                break
    return found


def _still_linked(
    schema: Schema, root: Plan, node: Node, given: Sequence[Node], linked: Iterable[str]
) -> set[str]:
    """Those of the linked values that are as links give them from what else stands in the dump.

    The secrets that it leaves out are as other layers give them.
    So a dump that is read alone gives just what stands in it, also where it was changed.
    """
    as_read = Build(schema, root, [node, *given], [], trace=True)
    still = {path for path in linked if _value(as_read, path) is not NOTHING}
    while still:
        as_linked = Build(schema, root, [_without(node, "", still), *given], [], trace=True)
        changed = {
            path for path in still if not same(_value(as_read, path), _value(as_linked, path))
        }
        if not changed:
            break
        still -= changed
    return still


def _value(build: Build, path: str) -> Any:
    """What was built at a path: a value, or those below it; `NOTHING` where nothing was."""
    if path in build.values or build.problems:
        return build.values.get(path, NOTHING)
    below = dict(flat(build.schema, build.root, build.made, ""))
    return {
        one: value for one, value in below.items() if one.startswith((f"{path}.", f"{path}["))
    } or NOTHING


def _without(node: Node, path: str, paths: Collection[str]) -> Node:
    """A tree without the values at some paths."""
    content = node.content
    if isinstance(content, dict):
        entries = ((key, join(path, key), child) for key, child in content.items())
        kept = {
            key: _without(child, below, paths)
            for key, below, child in entries
            if below not in paths
        }
        return Node(kept, node.source, replaces=node.replaces)
    if isinstance(content, list):
        items = [_without(child, f"{path}[{index}]", paths) for index, child in enumerate(content)]
        return Node(items, node.source, replaces=node.replaces)
    return node


def _as_text(node: Node, path: str, texts: Collection[str]) -> Node:
    """A tree in which some texts are taken as they are."""
    content = node.content
    if isinstance(content, dict):
        content = {key: _as_text(child, join(path, key), texts) for key, child in content.items()}
    elif isinstance(content, list):
        content = [
            _as_text(child, f"{path}[{index}]", texts) for index, child in enumerate(content)
        ]
    elif isinstance(content, str) and path in texts:
        content = Computed(str(content))
    else:
        return node
    return Node(content, node.source, replaces=node.replaces)


def _completed(node: Node, path: str, whole: Collection[str]) -> Node:
    """A tree in which some dicts and lists replace what is weaker."""
    content = node.content
    if isinstance(content, dict):
        content = {key: _completed(child, join(path, key), whole) for key, child in content.items()}
    elif isinstance(content, list):
        content = [
            _completed(child, f"{path}[{index}]", whole) for index, child in enumerate(content)
        ]
    elif path not in whole:
        return node
    return Node(content, node.source, replaces=node.replaces or path in whole)
