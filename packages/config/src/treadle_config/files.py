"""Reading one file as a tree; whatever is wrong with it is one `Unreadable`."""

import os
import stat
from collections.abc import Callable

from treadle_config.file_text import text_of
from treadle_config.suggestions import did_you_mean, nearest
from treadle_config.tree import Node, Source, Unreadable, is_null
from treadle_config.yaml_reader import read_yaml

JSON_SUFFIXES = frozenset({".json"})
TOML_SUFFIXES = frozenset({".toml"})
YAML_SUFFIXES = frozenset({".yaml", ".yml"})
_KNOWN_SUFFIXES = JSON_SUFFIXES | TOML_SUFFIXES | YAML_SUFFIXES

_LARGEST = 10_000_000
"""Bytes."""
_USUAL = 65_536
"""Bytes to ask for first, since python sets aside as many as it is asked for."""


class NoSuchFile(Unreadable):
    """There is nothing to read: what is wrong is the path, not what stands in the file."""


def read_document(
    name: str, source_at: Callable[[int], Source], written: str | None = None
) -> Node | None:
    """Read a JSON, TOML or YAML file, by its suffix.

    Args:
        name: The path of the file.
        source_at: Makes the source of what begins on a line, counted from 1.
        written: The path as it was written, if that is from another place; for suggestions.

    Returns:
        Its mapping; `None` if nothing stands there.

    Raises:
        MissingExtra: It is a YAML file and PyYAML is not installed.
        NoSuchFile: It is missing, no regular file, or of a suffix that is not known.
        Unreadable: Something is wrong with what stands there.
    """
    data = _bytes(name, name if written is None else written)
    suffix = _suffix(name).lower()
    kind = "YAML" if suffix in YAML_SUFFIXES else suffix[1:].upper()
    try:
        node = _parsed(data, kind, name, source_at)
    except Unreadable as error:
        error.expected = error.expected or kind
        raise
    if node is None or is_null(node.content):
        return None
    if isinstance(node.content, dict):
        return node
    got = "a list" if isinstance(node.content, list) else "a scalar"
    wanted = "a mapping of field names to values"
    raise Unreadable("", node.source.line, got=got, expected=wanted)


def _parsed(data: bytes, kind: str, name: str, source_at: Callable[[int], Source]) -> Node | None:
    text = text_of(data, utf_16=kind == "YAML")
    if kind == "YAML":
        return read_yaml(text, name, source_at)
    if not text.strip():
        return None
    # Each reader is imported where it is needed.
    if kind == "JSON":
        from treadle_config.json_reader import read_json

        return read_json(text, source_at)
    from treadle_config.toml_reader import read_toml

    return read_toml(text, source_at)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1]  # noqa: PTH122  # a path object takes as long as opening it


def _bytes(name: str, written: str) -> bytes:
    readable = "a readable file"
    try:
        mode = os.stat(name).st_mode  # noqa: PTH116
        if stat.S_ISDIR(mode):
            raise NoSuchFile("", got="a directory", expected=readable)
        if not stat.S_ISREG(mode):
            # Opening a pipe would wait for its other end.
            got = "a pipe, a socket or a device"
            raise NoSuchFile("save it to a file first", got=got, expected="a regular file")
        suffix = _suffix(name)
        if suffix.lower() not in _KNOWN_SUFFIXES:
            got = f"the suffix {suffix!r}" if suffix else "no suffix"
            raise NoSuchFile("", got=got, expected="a .json, .toml, .yaml or .yml file")
        with open(name, "rb") as file:  # noqa: PTH123
            data = file.read(_USUAL)
            if len(data) == _USUAL:
                data += file.read(_LARGEST + 1 - _USUAL)
    except (OSError, ValueError) as error:
        # What python says of a NUL differs from version to version.
        said = getattr(error, "strerror", None) or "a path that no file can have"
        got = said[0].lower() + said[1:]
        raise NoSuchFile(_similar(name, written), got=got, expected=readable) from None
    if len(data) > _LARGEST:
        wanted = f"at most {_LARGEST} bytes"
        raise NoSuchFile("is it a config?", got="a larger file", expected=wanted)
    return data


def _similar(name: str, written: str) -> str:
    from pathlib import Path

    path = Path(name)
    try:
        if path.exists():
            return ""
        beside = [one.name for one in path.parent.iterdir()]
    except (OSError, ValueError):
        return ""
    # The suffix alone makes names alike, and a link to itself is there and is not.
    best = nearest(path.name, [one for one in beside if one != path.name], cutoff=0.8)
    return did_you_mean(os.path.join(os.path.dirname(written), best) if best else None)  # noqa: PTH118, PTH120
