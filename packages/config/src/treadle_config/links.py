"""`link` and `linked`: fields whose default follows other fields."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, overload

from attrs import Factory, field

from treadle_config.errors import LinkError
from treadle_config.tree import Node
from treadle_config.value import Value

T = TypeVar("T")

_LINK_KEY = "treadle_config.link"
_LINKED_KEY = "treadle_config.linked"
_DECLARATION = type(field())


class Link(Value):
    """A function of other fields; called with an instance, it is an attrs default."""

    __match_args__ = ("compute", "paths", "field_arguments")

    compute: Callable[..., Any]
    paths: tuple[str, ...]
    field_arguments: tuple[str, ...]

    def __init__(
        self,
        compute: Callable[..., Any],
        paths: tuple[str, ...],
        field_arguments: tuple[str, ...] = (),
    ) -> None:
        self.__dict__.update(compute=compute, paths=paths, field_arguments=field_arguments)

    def __call__(self, instance: Any) -> Any:
        """Compute the value from the fields that the instance has so far."""
        return self.compute(*(self._read(instance, path) for path in self.paths))

    @staticmethod
    def _read(instance: Any, path: str) -> Any:
        value = instance
        for name in path.split("."):
            try:
                value = getattr(value, name)
            except AttributeError:
                raise LinkError(
                    f"a link of {type(instance).__name__} reads {path!r}, but "
                    f"{type(value).__name__} has no value for {name!r} at that point; "
                    "a link reads fields declared before it, so declare it after them"
                    " (a subclass that redeclares such a field must redeclare the link)"
                ) from None
        return value


class Linked(Value):
    """A class with some of its fields linked from outside; an attrs default, too."""

    __match_args__ = ("cls", "links")

    cls: Callable[..., Any]
    links: Mapping[str, Link]

    def __init__(self, cls: Callable[..., Any], links: Mapping[str, Link]) -> None:
        self.__dict__.update(cls=cls, links=links)

    def __call__(self, instance: Any) -> Any:
        """Make the class with what its links give now."""
        return self.cls(**{name: link(instance) for name, link in self.links.items()})


class LayerLink:
    """A link that stands for a value in a layer of code."""

    __slots__ = ("link",)

    def __init__(self, link: Link) -> None:
        self.link = link

    def __repr__(self) -> str:
        return "a link"


@overload
def link(fn: Callable[[Any], T], a: str, /, **field_kwargs: Any) -> T: ...
@overload
def link(fn: Callable[[Any, Any], T], a: str, b: str, /, **field_kwargs: Any) -> T: ...
@overload
def link(fn: Callable[[Any, Any, Any], T], a: str, b: str, c: str, /, **field_kwargs: Any) -> T: ...
def link(fn: Callable[..., Any], /, *paths: str, **field_kwargs: Any) -> Any:
    """Declare an attrs field whose default follows other fields.

    ```python
    @frozen
    class Config:
        batch_size: int = 32
        warmup: int = link(lambda batch_size: 3_200 // batch_size, "batch_size")
    ```

    `Config()` computes it, `load` computes it after all layers, and a value that is given
    anywhere wins over it. `attrs.evolve` and assignment leave it as it was: change a config
    with `Resolution.replace`.

    It may also stand for any value in a mapping that is given to `load` or `layer`; then its
    paths start at the root of the config, and may name fields declared later:

    ```python
    load(Config, {"data": {"workers": link(lambda size: size // 8, "batch_size")}})
    ```

    Args:
        fn: A function of the values at the paths, in their order.
        *paths: One to three dotted paths of fields declared earlier in the same class, or of
            fields within those; to follow more, link to the object that holds them.
        **field_kwargs: Anything else that `attrs.field` takes, such as `validator` or
            `metadata`; not in a mapping.

    Raises:
        TypeError: A default was given as well, or the function and the paths are swapped.
        LinkError: When an instance is made without `load` and a path has no value yet.
    """
    if not callable(fn) or not all(isinstance(path, str) for path in paths):
        raise TypeError("link takes a function, then the paths that it reads: link(fn, *paths)")
    if clash := {"default", "factory"} & field_kwargs.keys():
        raise TypeError(f"a link is the field's default; remove {clash.pop()}=")
    found = Link(fn, paths, tuple(field_kwargs))
    metadata = {**field_kwargs.pop("metadata", {}), _LINK_KEY: found}
    return field(default=Factory(found, takes_self=True), metadata=metadata, **field_kwargs)


def linked(cls: Callable[..., T], /, **links: Any) -> T:
    """Declare an attrs field whose default is a class with some of its fields linked.

    The paths start at the declaring class, the common ancestor of both ends:

    ```python
    optim: Adam | SGD = linked(Adam, lr=link(lambda bs: 1e-3 * bs / 32, "data.batch_size"))
    ```

    The links hold while `cls` is the chosen class, even if other fields of it are given.

    Args:
        cls: The class to make by default.
        **links: A `link` for each field that follows others.

    Raises:
        TypeError: Something other than a bare `link(fn, path, ...)` was given for a field.
    """
    if not callable(cls):
        raise TypeError(f"linked({cls!r}): give a class, then a link for each field that follows")
    found = {}
    for name, declared in links.items():
        one = link_of(getattr(declared, "metadata", {}))
        if one is None:
            raise TypeError(f"linked({name}=...) takes a link(...), not {declared!r}")
        if one.field_arguments:
            raise TypeError(
                f"linked({name}=link(...)) takes no field arguments such as "
                f"{one.field_arguments[0]}=; give them to the field in {cls!r}"
            )
        found[name] = one
    whole = Linked(cls, found)
    declared_field: T = field(
        default=Factory(whole, takes_self=True), metadata={_LINKED_KEY: whole}
    )
    return declared_field


def declares(value: Any) -> bool:
    """Whether a value is a field declaration, as `link` gives; there is nothing else to see."""
    return type(value) is _DECLARATION


def holds_links(nodes: Iterable[Node]) -> bool:
    """Whether a link stands for a value in layers of code; files and argv cannot say one."""
    # An instance of the schema, which replaces what is weaker, holds none.
    of_code = (one for one in nodes if one.source.kind in ("code", "layer") and not one.replaces)
    return any(map(_holds_link, of_code))


def _holds_link(node: Node) -> bool:
    content = node.content
    if isinstance(content, dict):
        return any(map(_holds_link, content.values()))
    if isinstance(content, list):
        return any(map(_holds_link, content))
    if isinstance(content, tuple):
        return any(map(declares, content))
    return declares(content) or isinstance(content, LayerLink)


def link_of(metadata: Mapping[Any, Any]) -> Link | None:
    """Read what `link` left in a field's metadata."""
    found = metadata.get(_LINK_KEY)
    return found if isinstance(found, Link) else None


def linked_of(metadata: Mapping[Any, Any]) -> Linked | None:
    """Read what `linked` left in a field's metadata."""
    found = metadata.get(_LINKED_KEY)
    return found if isinstance(found, Linked) else None
