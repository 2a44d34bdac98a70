"""Names and short texts, as a log can hold them."""

from collections.abc import Mapping

from treadle_tracking.errors import InvalidName

__all__ = ["checked_name", "checked_tags"]


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
    return str(name)


def checked_tags(values: Mapping[str, str]) -> dict[str, str]:
    """Tags, if they are texts by name; a text may be empty. Raises `InvalidName`."""
    for name, value in values.items():
        checked_name("the name of a tag", name)
        if value != "":
            checked_name(f"the value of tag {name!r}", value)
    return dict(values)
