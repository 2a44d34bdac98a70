"""Parameters as a run keeps them: plain typed values, nested as they were given."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from treadle_tracking.entries import ParamValue
from treadle_tracking.errors import InvalidMapping, UnsupportedParam, seen

__all__ = ["flatten", "plain", "plain_params"]


def plain(value: Any, path: str, kind: str = "parameter") -> ParamValue:
    """`value` as the plain Python value that it stands for.

    A tuple is a list, a path is its text, a numpy or zero-dimensional tensor scalar is its number, an array is nested
    lists. `path` is its dotted name and `kind` what it is, for messages.

    Raises:
        UnsupportedParam: it has no exact form in JSON.
    """
    try:
        return _plain(value, path, kind)
    except RecursionError:
        raise UnsupportedParam(
            kind,
            path,
            "holds itself, or is nested hundreds of levels deep",
            "Give a tree of a few levels",
        ) from None


def _plain(value: Any, path: str, kind: str) -> ParamValue:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(
            value
        )  # the text itself, where `str` of a member of an enumeration is another
    if isinstance(value, int):
        try:
            str(value)
        except ValueError:
            raise UnsupportedParam(
                kind,
                path,
                f"is an integer of {value.bit_length()} bits, more than Python writes in decimal",
                "Give it as a text in a base of your choice",
            ) from None
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {
            _key(key, path, kind): _plain(item, f"{path}.{key}" if path else str(key), kind)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}[{index}]", kind) for index, item in enumerate(value)]
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if callable(getattr(value, "tolist", None)):  # numpy's and torch's scalars and arrays
        plainer = value.tolist()
        if type(plainer) is not type(value):
            return _plain(plainer, path, kind)
    raise UnsupportedParam(
        kind,
        path,
        f"is {seen(value)}",
        "Expected None, bool, int, float, str, a path, or lists and mappings of these: give str(...) of it",
    )


def _key(key: Any, path: str, kind: str = "parameter") -> str:
    if not isinstance(key, str) or not key:
        raise UnsupportedParam(kind, path, f"has the key {seen(key)}", "Keys are non-empty texts")
    return str.__str__(key)


def plain_params(values: Mapping[str, Any]) -> dict[str, ParamValue]:
    """Parameters as a run keeps them.

    Raises:
        UnsupportedParam: one of them has no exact form, or two have one dotted name.
        InvalidMapping: they are no mapping.
    """
    if not isinstance(values, Mapping):
        raise InvalidMapping("params", values, "{'lr': 1e-3}, or attrs.asdict(config) of an object")
    params = {_key(key, ""): plain(item, str(key)) for key, item in values.items()}
    seen: set[str] = set()
    for name, _ in _leaves(params, ""):
        if name in seen:
            raise UnsupportedParam(
                "parameter",
                name,
                "is given twice, nested and with a dot in its key",
                "Give it once: other programs see only its dotted name",
            )
        seen.add(name)
    return params


def _leaves(values: Mapping[str, ParamValue], prefix: str) -> Iterator[tuple[str, ParamValue]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def flatten(values: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
    """Parameters by dotted name: `{"optim": {"lr": 0.1}}` is `{"optim.lr": 0.1}`. A list is one value."""
    return dict(_leaves(values, ""))
