"""Values and tables as text, for people."""

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from treadle_config.build import Build
from treadle_config.dump_header import DumpLayer
from treadle_config.errors import UnknownPath
from treadle_config.layers import ORDERS
from treadle_config.plans import Choice
from treadle_config.resolution_dump import is_said
from treadle_config.tree import Node, Source, join, printable

_WIDEST_VALUE = 40


def as_text(value: Any) -> str:
    """A value as one would write it on the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, str):
        return value if value and value.isprintable() and " " not in value else repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_text, value))}]"
    if isinstance(value, set | frozenset):
        return f"[{', '.join(sorted(map(as_text, value)))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{as_text(key)}: {as_text(one)}' for key, one in value.items())}}}"
    return printable(str(value))


def explanation(
    build: Build,
    precedence: str,
    values: Mapping[str, Any],
    source_of: Callable[[str], Source],
) -> str:
    """The order of the layers, then each value and where it came from.

    Args:
        build: What was built.
        precedence: The policy.
        values: What there is to explain, by path.
        source_of: Gives the source of a path.

    Returns:
        A row for each value. It says what a link reads, and from where; and which weaker
        layers said something of a value that came from another.
    """
    said: dict[str, list[Source]] = {}
    for layer in build.nodes:
        for path, source in _sources_in(layer, ""):
            said.setdefault(path, []).append(source)
    added = set(_added_to(build, build.made, ""))
    dropped, gone = _dropped(build, values)
    rows = []
    for path, value in values.items():
        source = source_of(path)
        notes = []
        if is_said(source) and path not in added:
            # Layers have a number each; of those that said something, the winner is the last.
            weaker = [
                str(one)
                for one in _sources_of(said, path, value)
                if one.order[0] != source.order[0]
            ]
            notes += [f"over {', '.join(dict.fromkeys(reversed(weaker)))}"] if weaker else []
        elif path in dropped:
            notes.append(f"instead of {dropped[path]}")
        if path in gone:
            notes.append(f"drops {gone[path]}")
        if path in build.defaults.overridden and source.kind != "link":
            notes.append("instead of its link")
        reads = _inputs(build, path, source_of) if source.kind == "link" else ""
        note = f" ({'; '.join(notes)})" if notes else ""
        rows.append((printable(path), as_text(value), f"{source}{reads}{note}"))
    return explained(_title(build, precedence), rows)


def explained(title: str, rows: Sequence[tuple[str, str, str]]) -> str:
    """A title over rows of path, value and source, in columns."""
    first = max((len(path) for path, _, _ in rows), default=0)
    # A longer value is longer in its own line only.
    lengths = (len(value) for _, value, _ in rows)
    second = max((one for one in lengths if one <= _WIDEST_VALUE), default=0)
    lines = [f"{path:<{first}}  {value:<{second}}  {said}" for path, value, said in rows]
    return "\n".join([title, "", *lines]) + "\n"


def _title(build: Build, precedence: str) -> str:
    """The policy, with the layers that the user named in their place."""
    order = []
    for kind in ORDERS[precedence]:
        own = [one.source for one in build.nodes if one.source.kind == "layer"]
        order += [kind, *(source.name for source in own if source.at == kind)]
    lines = [f"precedence {precedence}: {' < '.join(order)}"]
    for node in build.nodes:
        recorded = node.header.precedence if isinstance(node, DumpLayer) else ""
        if recorded and recorded != precedence:
            name = node.source.name if node.source.kind == "file" else str(node.source)
            lines.append(f"{name} was written under {recorded}")
    return "\n".join(lines)


def _inputs(build: Build, path: str, source_of: Callable[[str], Source]) -> str:
    """What a link reads, and where that came from, if it is one value."""
    inputs: tuple[str, ...] = ()
    while path and not inputs:
        # A link that gives an object gives all that is below it.
        inputs, path = build.defaults.inputs.get(path, ()), path.rpartition(".")[0]
    texts = []
    for one in inputs:
        try:
            texts.append(f"{one} ({source_of(one)})")
        except UnknownPath:
            texts.append(one)
    return f" from {', '.join(texts)}" if texts else ""


def _sources_of(said: Mapping[str, Sequence[Source]], path: str, value: Any) -> Sequence[Source]:
    """What layers said of a value, the weakest first; of a mapping, what they said within."""
    if not isinstance(value, dict):
        return said.get(path, ())
    inside = [
        one
        for below, sources in said.items()
        for one in sources
        if below == path or below.startswith(f"{path}.")
    ]
    return sorted(inside, key=lambda one: one.order)


def _dropped(build: Build, values: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """What layers said in vain, since others chose another class.

    By path, for each value that has another source now; and by the path of the tag, for all that
    the chosen class has no field for.
    """
    found: dict[str, str] = {}
    gone: dict[str, list[str]] = {}
    for path, one in build.dropped.items():
        said = f"{build.said(path, one.node)} of {one.node.source}"
        if path in values:
            found[path] = said
        else:
            gone.setdefault(one.tag_path, []).append(f"{path} = {said}")
    return found, {path: ", ".join(said) for path, said in gone.items()}


def _sources_in(node: Node, path: str) -> Iterator[tuple[str, Source]]:
    """The path and source of every value of a layer; a dotted key is a path by itself."""
    if isinstance(node.content, dict):
        for key, child in node.content.items():
            yield from _sources_in(child, join(path, key))
    else:
        yield path, node.source


def _added_to(build: Build, value: Any, path: str) -> Iterator[str]:
    """The paths of lists that every layer adds to."""
    for key, field in build.schema.fields_of(type(value)).items():
        inner, below = getattr(value, field.name), join(path, key)
        if field.setting.merge == "append":
            yield below
        elif isinstance(field.plan.mapping, Choice) and field.plan.mapping.accepts(inner):
            yield from _added_to(build, inner, below)
