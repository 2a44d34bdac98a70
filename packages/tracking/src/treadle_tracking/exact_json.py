"""JSON that gives back exactly what went in: NaN and infinities too, which JSON itself has no words for.

A float that is not finite is `{"$float": "inf"}`. A key of the user's own that begins with `$` gets one more, so that
nothing he writes is mistaken for ours.
"""

import json
from collections.abc import Mapping
from math import isfinite

from treadle_tracking.entries import ParamValue

__all__ = ["dumps", "loads"]


def _encodable(value: "ParamValue | Mapping[str, ParamValue]") -> ParamValue:
    if isinstance(value, float) and not isfinite(value):
        return {"$float": repr(value)}
    if isinstance(value, Mapping):
        return {
            "$" + key if key.startswith("$") else key: _encodable(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    return value


def _decoded(pairs: list[tuple[str, ParamValue]]) -> ParamValue:
    if len(pairs) == 1 and pairs[0][0] == "$float":
        return float(str(pairs[0][1]))
    return {key.removeprefix("$"): value for key, value in pairs}


def dumps(value: "ParamValue | Mapping[str, ParamValue]", *, indent: int | None = None) -> bytes:
    """UTF-8 of `value` as JSON; a lone surrogate, which UTF-8 cannot carry, stays a JSON escape."""
    text = json.dumps(
        _encodable(value),
        ensure_ascii=False,
        allow_nan=False,
        indent=indent,
        separators=(",", ":") if indent is None else None,
    )
    return text.encode("utf-8", "backslashreplace")


def loads(data: bytes) -> dict[str, ParamValue]:
    """The object that `dumps` was given. Raises `ValueError` where it is no JSON, or JSON of something else."""
    value: ParamValue = json.loads(data, object_pairs_hook=_decoded)
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, got {type(value).__name__}")  # noqa: TRY004
    return value
