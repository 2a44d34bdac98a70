"""Reading a file as one layer; whatever is wrong with it is a problem, not a traceback."""

import os
from collections.abc import Callable
from pathlib import Path

from treadle_config.errors import Problem
from treadle_config.json_reader import NotJson, read_json
from treadle_config.limits import LARGEST_FILE
from treadle_config.suggestions import did_you_mean, nearest
from treadle_config.tree import Node, Source
from treadle_config.yaml_reader import DuplicateKey, NotYaml, read_yaml

JSON_SUFFIXES = frozenset({".json"})
YAML_SUFFIXES = frozenset({".yaml", ".yml"})


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

    whole = source_at(0)
    suffix = Path(name).suffix.lower()
    if suffix not in JSON_SUFFIXES | YAML_SUFFIXES:
        got = f"the suffix {suffix!r}"
        problems.append(Problem("", whole, got, "a .json, .yaml or .yml file"))
        return None
    data = _bytes(name, whole, problems)
    if data is None:
        return None
    read = _read_json if suffix in JSON_SUFFIXES else _read_yaml
    node = read(data, name, source_at, problems)
    if node is None or isinstance(node.content, dict):
        return node
    if node.content is None:
        return Node({}, whole)
    got = "a list" if isinstance(node.content, list) else "a scalar"
    problems.append(Problem("", node.source, got, "a mapping of field names to values"))
    return None


def _bytes(name: str, source: Source, problems: list[Problem]) -> bytes | None:
    path = Path(name)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        problems.append(
            Problem("", source, said[0].lower() + said[1:], "a readable file", _similar(path))
        )
        return None
    if len(data) > LARGEST_FILE:
        wanted = f"at most {LARGEST_FILE} bytes"
        problems.append(Problem("", source, "a larger file", wanted, "is it a config?"))
        return None
    return data


def _similar(path: Path) -> str:
    try:
        if path.exists():
            return ""
        beside = [one.name for one in path.parent.iterdir()]
    except OSError:
        return ""
    best = nearest(path.name, beside)
    return did_you_mean(str(path.parent / best) if best else None)


def _read_json(
    data: bytes, _name: str, source_at: Callable[[int], Source], problems: list[Problem]
) -> Node | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.append(Problem("", source_at(line), "bytes that are not", "UTF-8 text"))
        return None
    if not text.strip():
        return Node({}, source_at(0))
    try:
        return read_json(text, source_at)
    except NotJson as error:
        problems.append(Problem("", source_at(error.line), "something else", "JSON", error.reason))
        return None


def _read_yaml(
    data: bytes, name: str, source_at: Callable[[int], Source], problems: list[Problem]
) -> Node | None:
    try:
        node = read_yaml(data, name, source_at)
    except DuplicateKey as error:
        problems.append(
            Problem(error.path, source_at(error.line), "a second", "one value", error.reason)
        )
        return None
    except NotYaml as error:
        problems.append(Problem("", source_at(error.line), "something else", "YAML", error.reason))
        return None
    if node is None or (isinstance(node.content, str) and not node.content.strip()):
        return Node({}, source_at(0))
    return node
