"""The parameters of runs that others have written: in an HParams session, and in the file that Lightning puts beside."""

import stat
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from treadle_tracking.entries import ParamValue, RunStatus

__all__ = [
    "STATUSES",
    "can_read_hparams",
    "hparams_in",
    "joined_params",
    "session_params",
]

_LARGEST = 1_000_000  # bytes of such a file
_MOST = 100_000  # values in it, each counted wherever another one refers to it
_DEEPEST = 100
_LONGEST = 10_000  # bits of an integer: a hexadecimal one can be longer than Python writes in decimal digits


class _TooMuch(Exception):
    pass


def session_params(info: Any) -> dict[str, ParamValue]:
    """The parameters of a message `SessionStartInfo`: its numbers are doubles, whatever they were."""
    return {item.key: _plain_message(item.value) for item in info.hparams}


def _plain_message(value: Any) -> ParamValue:
    kind = value.WhichOneof("kind")
    if kind in {None, "null_value"}:
        return None
    if kind == "list_value":
        return [_plain_message(item) for item in value.list_value.values]
    if kind == "struct_value":
        fields = value.struct_value.fields
        return {key: _plain_message(fields[key]) for key in sorted(fields)}
    plain: ParamValue = getattr(value, kind)
    return plain


def can_read_hparams() -> bool:
    """Whether PyYAML is installed."""
    return find_spec("yaml") is not None


def hparams_in(path: Path) -> dict[str, ParamValue]:
    """What Lightning's `hparams.yaml` says: names and types exactly, objects as the text of what they are.

    Nothing in the file is run or imported. A file that is none, or too large to be one, says nothing; nor does any
    where PyYAML is not installed.
    """
    if not can_read_hparams():
        return {}
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Takes what it has no type for as the text or the values that are there."""

    def unknown(loader: Any, suffix: str, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return node.value or suffix.rpartition(":")[2]

    Loader.add_multi_constructor("", unknown)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            return {}
        text = path.read_bytes()
        found = yaml.load(text, Loader)  # noqa: S506 (a safe one, with nothing added that makes objects)
        params = _Plain().plain(found, 0)
    except Exception:  # noqa: BLE001 (whatever a loader makes of it: `!!bool no-bool` is a KeyError)
        return {}
    return params if isinstance(params, dict) else {}


class _Plain:
    def __init__(self) -> None:
        self._count = 0

    def plain(self, value: Any, depth: int) -> ParamValue:
        self._count += 1
        if self._count > _MOST or depth > _DEEPEST:
            raise _TooMuch
        if isinstance(value, int) and value.bit_length() > _LONGEST:
            return hex(value)
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, Mapping):
            return {str(key): self.plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, set):
            return self.plain(sorted(value, key=str), depth)
        if isinstance(value, list | tuple):
            return [self.plain(item, depth + 1) for item in value]
        return str(value)


def _leaf_names(values: Mapping[str, ParamValue], prefix: str = "") -> set[str]:
    names = set()
    for name, value in values.items():
        names.add(prefix + name)
        if isinstance(value, Mapping):
            names |= _leaf_names(value, f"{prefix}{name}/")
    return names


def joined_params(
    session: Mapping[str, ParamValue], file: Mapping[str, ParamValue]
) -> dict[str, ParamValue]:
    """Those of the file, which has the types, and what only the session has; it has `/` between nested names."""
    names = _leaf_names(file)
    return {**file, **{name: value for name, value in session.items() if name not in names}}


STATUSES: dict[int, RunStatus] = {1: "FINISHED", 2: "FAILED"}
"""What the numbers of a session's end mean; another one means that it has not ended."""
