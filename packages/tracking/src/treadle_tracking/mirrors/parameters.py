"""Parameters for a store that knows only short texts: one text each to look at, and all of them exactly, in pieces."""

import json
from collections.abc import Mapping
from hashlib import sha256

from treadle_tracking import exact_json
from treadle_tracking.entries import ParamValue

__all__ = ["EXACT_TAG", "fitted", "from_pieces", "pieces", "shown"]

EXACT_TAG = "treadle.params"
PIECE_LENGTH = 7_500  # characters; MLflow cuts a tag at 8,000 and says nothing


def shown(value: ParamValue) -> str:
    """A parameter as text: numbers as `repr`, `True`, `False` and `None` as Python and MLflow write them, lists as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | Mapping):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)


def fitted(text: str, limit: int, whole: str) -> str:
    r"""`text` in at most `limit` characters; one that is cut says so, its true length, and where the whole is.

    A lone surrogate, which no database takes, becomes an escape such as `\udc80`.
    """
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= limit:
        return text
    marker = f"… [{len(text)} characters; the whole is in {whole}]"
    return text[: limit - len(marker)] + marker


def pieces(values: Mapping[str, ParamValue]) -> dict[str, str]:
    """Tags that hold `values` exactly: ASCII JSON in pieces `treadle.params.0`, `.1`, …, and their number and digest.

    The number and digest come last, so that whoever finds them finds the pieces. Floats that JSON has no word for are
    written as in `treadle_tracking.exact_json`.
    """
    text = json.dumps(json.loads(exact_json.dumps(values)), separators=(",", ":"))
    parts = [text[start : start + PIECE_LENGTH] for start in range(0, len(text), PIECE_LENGTH)]
    tags = {f"{EXACT_TAG}.{index}": part for index, part in enumerate(parts)}
    digest = sha256(text.encode("ascii")).hexdigest()
    tags[EXACT_TAG] = json.dumps({"n": len(parts), "sha256": digest})
    return tags


def from_pieces(tags: Mapping[str, str]) -> dict[str, ParamValue] | None:
    """What `pieces` was given, or None where its tags are missing, cut or not all of one writing."""
    try:
        head = json.loads(tags[EXACT_TAG])
        text = "".join(tags[f"{EXACT_TAG}.{index}"] for index in range(head["n"]))
        if sha256(text.encode()).hexdigest() == head["sha256"]:
            return exact_json.loads(text.encode())
    except (KeyError, TypeError, ValueError):
        pass
    return None
