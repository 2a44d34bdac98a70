"""Reading a file as one layer; whatever is wrong with it is a problem, not a traceback."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from treadle_config.errors import Problem
from treadle_config.json_reader import read_json
from treadle_config.suggestions import did_you_mean, nearest
from treadle_config.tree import Node, Source, Unreadable, is_null
from treadle_config.yaml_reader import read_yaml

JSON_SUFFIXES = frozenset({".json"})
YAML_SUFFIXES = frozenset({".yaml", ".yml"})

_LARGEST = 10_000_000
"""Bytes."""


def read_file(path: str | os.PathLike[str], rank: int, problems: list[Problem]) -> Node | None:
    """Read a JSON or YAML file, by its suffix.

    Args:
        path: The file; it is named in messages as it is given here.
        rank: The layer's place in the precedence.
        problems: Where to put what is wrong.

    Returns:
        The tree, empty for an empty file; `None` if there was a problem.

    Raises:
        MissingExtra: A YAML file was given and PyYAML is not installed.
    """
    name = os.fspath(path)
    made: dict[int, Source] = {}

    def source_at(line: int) -> Source:
        # Many values share a line, and a frozen object is slow to make.
        if line not in made:
            made[line] = Source("file", name, line, order=(rank, line))
        return made[line]

    try:
        node = _read(name, source_at)
    except Unreadable as error:
        source, got = source_at(error.line), error.got or "something else"
        problems.append(Problem(error.path, source, got, error.expected, error.hint))
        return None
    return Node({}, source_at(0)) if node is None or is_null(node.content) else node


def _read(name: str, source_at: Callable[[int], Source]) -> Node | None:
    suffix = Path(name).suffix.lower()
    if suffix not in JSON_SUFFIXES | YAML_SUFFIXES:
        got = f"the suffix {suffix!r}" if suffix else "no suffix"
        raise Unreadable("", got=got, expected="a .json, .yaml or .yml file")
    data = _bytes(Path(name))
    kind = "JSON" if suffix in JSON_SUFFIXES else "YAML"
    try:
        node = _json(data, source_at) if kind == "JSON" else read_yaml(data, name, source_at)
    except Unreadable as error:
        error.expected = error.expected or kind
        raise
    if node is None or is_null(node.content) or isinstance(node.content, dict):
        return node
    got = "a list" if isinstance(node.content, list) else "a scalar"
    wanted = "a mapping of field names to values"
    raise Unreadable("", node.source.line, got=got, expected=wanted)


def _bytes(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            # Opening a pipe would wait for its other end.
            raise Unreadable("", got="a pipe, a socket or a device", expected="a regular file")
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        got = "a directory" if isinstance(error, IsADirectoryError) else said[0].lower() + said[1:]
        raise Unreadable(_similar(path), got=got, expected="a readable file") from None
    if len(data) > _LARGEST:
        wanted = f"at most {_LARGEST} bytes"
        raise Unreadable("is it a config?", got="a larger file", expected=wanted)
    return data


def _json(data: bytes, source_at: Callable[[int], Source]) -> Node | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable("", line, got="bytes that are not", expected="UTF-8 text") from None
    return read_json(text, source_at) if text.strip() else None


def _similar(path: Path) -> str:
    try:
        if path.exists():
            return ""
        beside = [one.name for one in path.parent.iterdir()]
    except (OSError, ValueError):
        return ""
    # The suffix alone makes names alike, and a link to itself is there and is not.
    best = nearest(path.name, [one for one in beside if one != path.name], cutoff=0.8)
    return did_you_mean(str(path.parent / best) if best else None)
