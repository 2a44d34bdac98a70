"""Tags: which class a mapping's `type:` chooses, subclasses defined later included."""

import inspect
from collections.abc import Iterable

from treadle_config.fields import is_class
from treadle_config.generics import bare
from treadle_config.settings import TAG_ATTRIBUTE

TAG_KEY = "type"


def tag_of(cls: type) -> str:
    """The tag that chooses a class; it is not inherited by subclasses."""
    # Of the class itself: a subclass that is not named takes its own class name.
    cls = bare(cls)
    return str(cls.__dict__.get(TAG_ATTRIBUTE, cls.__name__.lower()))


def subclasses(classes: Iterable[type]) -> dict[str, list[type]]:
    """The classes and all their live subclasses, by tag, in order of definition.

    Abstract ones are left out. More than one class for a tag is an error only once that tag
    is chosen.
    """
    found: dict[str, list[type]] = {}
    waiting = list(classes)
    seen: set[type] = set()
    while waiting:
        cls = waiting.pop(0)
        if cls in seen:
            continue
        seen.add(cls)
        live = [one for one in _subclasses(cls) if not _is_twin(one)]
        waiting.extend(live)
        if is_class(cls) and not inspect.isabstract(cls):
            others = found.setdefault(tag_of(cls), [])
            # Run again, a cell of a notebook defines its classes again, and means the newer ones.
            others[:] = [*(one for one in others if not _is_named_as(one, cls)), cls]
    return found


def _is_named_as(one: type, other: type) -> bool:
    return one.__module__ == other.__module__ and one.__qualname__ == other.__qualname__


def _is_twin(cls: type) -> bool:
    """Whether a class is what a decorator with slots left behind when it made a new one.

    Such a class lives on in `__subclasses__()` until the garbage collector comes by.
    """
    if "__attrs_attrs__" in cls.__dict__ or "__slots__" in cls.__dict__:
        return False
    return any(
        other is not cls and _is_named_as(other, cls) and "__slots__" in other.__dict__
        for base in cls.__bases__
        for other in _subclasses(base)
    )


def _subclasses(cls: type) -> list[type]:
    # Through the metaclass, so that for `type` itself it does not fail.
    return type.__subclasses__(cls)
