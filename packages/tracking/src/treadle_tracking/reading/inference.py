"""Values of parameters that a place has as texts alone."""

from treadle_tracking.entries import ParamValue

__all__ = ["inferred"]

_WORDS: dict[str, bool | None] = {"True": True, "False": False, "None": None}
_LONGEST = 400  # characters; `repr` of a double has 24, and longer integers are no settings


def inferred(text: str) -> ParamValue:
    """What `text` is the `repr` of, exactly: an int, a float, True, False or None; else `text` itself.

    So `0.1` and `1e-05` are floats and `16` is an int, while `0.10`, `1e-5` and `016` stay texts, which nobody can tell
    from a version or a name.
    """
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST or not text.isascii():
        return text
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if repr(value) == text:
            return value
    return text
