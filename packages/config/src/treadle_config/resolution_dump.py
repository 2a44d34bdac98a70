"""The two dumps of a resolution: what layers said, and every value; links are live in both."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from treadle_config.as_said import as_said
from treadle_config.build import Build
from treadle_config.dump_header import Header
from treadle_config.dump_layers import read_dumps
from treadle_config.encode import encoded
from treadle_config.flatten import flat, same
from treadle_config.header_paths import added_to, following, texts_in
from treadle_config.tree import Node, Source, join, nodes_of


def source_dump(build: Build, precedence: str) -> dict[str, Any]:
    """What layers said, so that defaults stay defaults and links are left out."""
    schema, root = build.schema, build.root
    said, known = _said(build), build.sources.keys()
    made: dict[str, Any] = encoded(schema, root, build.made)
    full: dict[str, Any] = as_said(build, said, root, build.made, made)
    part = _said_part(full, known, said)
    whole = [*added_to(schema, root, part, full)]
    text = [*texts_in(schema, root, build.made, part)]
    header = Header(precedence, whole=whole, secret=_left_out(build), text=text).written()
    dumped: dict[str, Any] = part | header
    read = read_dumps(schema, root, [nodes_of(dumped, Source("file"))], [])
    again = Build(schema, root, [*read, *_secrets(build)], [], trace=False)
    if again.problems:
        return dumped
    # An object of which nothing was said but that it is there has no path that says so; and in
    # what is whole, the defaults that are left have to be said.
    there = dict(flat(schema, root, again.made, ""))
    lacking = {
        path
        for path, value in flat(schema, root, build.made, "")
        if path not in there or not same(value, there[path])
    }
    return _said_part(full, known, said | lacking) | header if lacking else dumped


def resolved_dump(build: Build, precedence: str) -> dict[str, Any]:
    """Every value, with which of them links gave."""
    schema, root = build.schema, build.root
    full: dict[str, Any] = encoded(schema, root, build.made)
    linked = [*dict.fromkeys(_linked(build))]
    whole = [*added_to(schema, root, full, full)]
    text = [*texts_in(schema, root, build.made, full)]
    return full | Header(precedence, linked, whole, _left_out(build), text).written()


def is_said(source: Source) -> bool:
    """Whether a layer is where a value came from.

    So is a link that stood in a layer of code: nothing that is dumped could hold it.
    """
    return source.kind != "default" and (source.kind != "link" or bool(source.name))


def _left_out(build: Build) -> list[str]:
    if not build.schema.has_secrets:
        return []
    from treadle_config.secret_dumps import left_out

    return [*left_out(build.schema, build.root, build.made, "")]


def _secrets(build: Build) -> list[Node]:
    """What would have to be given beside a dump."""
    if not build.schema.has_secrets:
        return []
    from treadle_config.secret_dumps import only_secrets

    return only_secrets(build.schema, build.root, build.made)


def _said(build: Build) -> set[str]:
    return {path for path, source in build.sources.items() if is_said(source)}


def _linked(build: Build) -> Iterator[str]:
    """The paths of what links gave, save where a layer said it."""
    said = _said(build)
    for path in following(build.schema, build.root, build.made, ""):
        if not any(one == path or one.startswith((f"{path}.", f"{path}[")) for one in said):
            yield path


def _said_part(written: Any, known: Iterable[str], said: Iterable[str]) -> Any:
    """What is written of a config, without what layers did not say.

    Args:
        written: All of it.
        known: The paths of all values that have one.
        said: Those that layers said.
    """
    return _part(written, "", _prefixes(known), _prefixes(said))


def _prefixes(paths: Iterable[str]) -> set[str]:
    """Paths, and those of all that holds them."""
    found = set(paths)
    for path in list(found):
        found.update(path[: end.start()] for end in re.finditer(r"[.\[]", path))
    return found


def _part(written: Any, path: str, known: set[str], kept: set[str]) -> Any:
    if isinstance(written, list):
        # The items of a list are all there, or it would be another list.
        items = enumerate(written)
        return [_part(one, f"{path}[{index}]", known, kept) for index, one in items]
    if not isinstance(written, dict) or not any(join(path, key) in known for key in written):
        return written
    return {
        key: _part(one, join(path, key), known, kept)
        for key, one in written.items()
        if join(path, key) in kept
    }
