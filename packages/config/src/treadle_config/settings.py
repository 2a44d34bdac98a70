"""`setting`: what a schema says about a field or a class beyond its type."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, NoReturn, TypeVar, overload

_SETTING_KEY = "treadle_config.setting"
TAG_ATTRIBUTE = "__treadle_config_tag__"

Class = TypeVar("Class", bound=type)
Merge = Literal["append", "replace"]


class Setting(NamedTuple):
    """What `setting` said of one field."""

    help: str = ""
    merge: Merge | None = None
    secret: bool = False


@overload
def setting(*, tag: str) -> Callable[[Class], Class]: ...
@overload
def setting(
    *, help: str = ..., merge: Merge | None = ..., secret: bool = ...
) -> dict[str, Any]: ...
def setting(
    *, help: str = "", merge: Merge | None = None, secret: bool = False, tag: str | None = None
) -> Any:
    """Describe a field, as its metadata, or name a class, as its decorator.

    ```python
    root: Path = field(default=Path("data"), metadata=setting(help="where the files are"))
    token: str = field(metadata=setting(secret=True))

    @setting(tag="adam-w")      # instead of the lower-cased class name
    @frozen
    class AdamW: ...
    ```

    Args:
        help: One line for the help page; it goes before the field's docstring.
        merge: How a stronger layer combines with a weaker one. `"append"` (lists only) adds its
            items to the weaker layer's, the default included. `"replace"` (mappings only) drops
            the weaker layer's keys. By default, a list replaces and a mapping merges.
        secret: Whether the value, with everything in it, is shown nowhere: neither where a loaded
            config is printed, nor in messages, the help page, `explain`, `diff` and `flatten`,
            where it is `***`; nor in dumps and command lines, which leave it out. What is not
            text, or lists of text, needs `repr=False` on the field as well.
        tag: What `type:` gives to choose the class; only as a decorator, alone.

    Returns:
        Metadata for `attrs.field` or `dataclasses.field`; with `tag`, a class decorator.

    Raises:
        TypeError: `tag` was given together with the others, or one is of the wrong kind.
        ValueError: `merge` is neither of the two.
    """
    for given, kind, argument in ((help, str, "help"), (secret, bool, "secret"), (tag, str, "tag")):
        if given is not None and not isinstance(given, kind):
            wanted = "text" if kind is str else "True or False"
            raise TypeError(f"setting({argument}={given!r}): give {wanted}")
    if merge not in (None, "append", "replace"):
        raise ValueError(f'setting(merge={merge!r}): give "append" or "replace"')
    if tag is None:
        return _Metadata({_SETTING_KEY: Setting(help, merge, secret)})
    if help or merge or secret:
        raise TypeError("setting(tag=...) decorates a class and takes nothing but the tag")

    def name(cls: Class) -> Class:
        if not isinstance(cls, type):
            raise TypeError(f"setting(tag={tag!r}) decorates a class, not {cls!r}")
        setattr(cls, TAG_ATTRIBUTE, tag)
        return cls

    return name


class _Metadata(dict[str, Any]):
    """Metadata of a field, which is not a decorator of a class."""

    def __call__(self, cls: Any) -> NoReturn:
        name = getattr(cls, "__name__", repr(cls))
        raise TypeError(
            f"help, merge and secret are for fields, as in field(metadata=setting(...)); to name "
            f"{name}, write @setting(tag=...)"
        )


def is_setting(value: Any) -> bool:
    """Whether a value is what `setting` gives for a field."""
    return isinstance(value, _Metadata)


def setting_of(metadata: Mapping[Any, Any]) -> Setting:
    """Read what `setting` left in a field's metadata."""
    found = metadata.get(_SETTING_KEY)
    return found if isinstance(found, Setting) else Setting()
