"""Values as a table shows them: what differs looks different."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from treadle_tracking.comparing.sameness import identity
from treadle_tracking.declared import reads_as_number
from treadle_tracking.missing import MISSING
from treadle_tracking.terminal import cut, width

__all__ = [
    "NOT_THERE",
    "cut_name",
    "durations",
    "exact",
    "metrics",
    "tag",
    "told_apart",
]

NOT_THERE = "—"
_WORDS = {"None", "True", "False", "nan", "inf", "-inf"}
_CONTEXT = 8  # characters before the first that differs


def exact(value: Any) -> str:
    """A value as it is; a text bare, unless it would be taken for something else or has what cannot be printed."""
    if value is MISSING or not isinstance(value, str):
        return NOT_THERE if value is MISSING else repr(value)
    if value in _WORDS or value[:1] in {"[", "{"} or reads_as_number(value):
        return repr(value)
    return tag(value)


def tag(value: Any) -> str:
    """Likewise, where everything is a text that is there at all."""
    if value is MISSING:
        return NOT_THERE
    is_plain = value.isprintable() and value == value.strip() and value not in {"", NOT_THERE}
    return value if is_plain and value[0] not in "'\"" else repr(value)


def metrics(values: Sequence[Any]) -> list[str]:
    """Six digits, and behind all but the first how far they are from it; exact where six do not tell them apart."""
    brief = [exact(value) if value is MISSING else f"{value:.6g}" for value in values]
    texts = brief if _tell_apart(values, brief) else [exact(value) for value in values]
    first = values[0]
    for number, value in enumerate(values[1:], 1):
        if MISSING not in (first, value) and value != first and isfinite(value - first):
            texts[number] += f" ({value - first:+.3g})"
    return texts


def durations(values: Sequence[Any]) -> list[str]:
    """Hours, minutes and seconds; exact seconds where those do not tell them apart."""
    brief = [_duration(value) for value in values]
    if _tell_apart(values, brief):
        return brief
    return [exact(value) if value is None else f"{value!r} s" for value in values]


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return exact(seconds)
    if abs(seconds) < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _tell_apart(values: Sequence[Any], texts: Sequence[str]) -> bool:
    return len(set(texts)) == len({identity(value) for value in values})


def cut_name(name: str, most: int) -> str:
    """Its beginning and its end, with `…` between them, in as many columns of a terminal."""
    if width(name) <= most:
        return name
    end = cut(name[::-1], most // 2)[-2::-1]
    return cut(name, most - width(end)) + end


def told_apart(texts: Sequence[str], most: int) -> list[str]:
    """Each cut; where that makes some alike that are not, from shortly before the first character that differs."""
    cuts = [cut(text, most) for text in texts]
    alike: dict[str, set[str]] = {}
    for text, short in zip(texts, cuts, strict=True):
        alike.setdefault(short, set()).add(text)
    for number, text in enumerate(texts):
        others = alike[cuts[number]]
        if len(others) > 1:
            start = max(0, _in_common(min(others), max(others)) - _CONTEXT)
            cuts[number] = cut(f"…{text[start:]}", most)
    return cuts


def _in_common(first: str, last: str) -> int:
    """How many characters two texts, and whatever is sorted between them, begin with."""
    pairs = enumerate(zip(first, last, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(last)))
