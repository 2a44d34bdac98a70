"""Names and short texts, as a log can hold them."""

from collections.abc import Mapping

from treadle_tracking.errors import InvalidMapping, InvalidName

__all__ = ["checked_name", "checked_tags", "checked_text"]


def checked_name(kind: str, name: object) -> str:
    """`name`, if it can be one; `kind` says in a message what it would have named.

    Raises:
        InvalidName: it is empty, no text, or has a half of a surrogate pair alone.
    """
    if not isinstance(name, str) or not name:
        raise InvalidName(kind, name)
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidName(kind, name) from None
    return str.__str__(
        name
    )  # the text itself, where `str` of a member of an enumeration is another


def checked_text(kind: str, text: object) -> str:
    """`text`, which may be empty, likewise."""
    if not isinstance(text, str):
        raise InvalidName(kind, text, "Give str(…) of it")
    return checked_name(kind, text) if text else ""


def checked_tags(values: Mapping[str, str]) -> dict[str, str]:
    """Tags, if they are texts by name; a text may be empty.

    Raises:
        InvalidName: a name or a text is none.
        InvalidMapping: they are no mapping.
    """
    if not isinstance(values, Mapping):
        raise InvalidMapping("tags", values, "{'dataset': 'v2'}")
    return {
        checked_name("the name of a tag", name): checked_text(f"the value of tag {name!r}", value)
        for name, value in values.items()
    }
