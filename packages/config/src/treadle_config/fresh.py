"""Default instances made anew, so that no two configs share a list within one."""

import copy
from collections.abc import Callable
from typing import Any

from treadle_config.fields import Field, declared_by, is_class, is_unchangeable


def refresher(value: Any) -> Callable[[], Any]:
    """A function that gives an equal value with lists, dicts and sets of its own.

    What lies within instances was accepted by their constructors once, and is not asked again.
    """
    if is_unchangeable(value):
        return lambda: value
    if is_class(type(value)):
        return _instance(value)
    if isinstance(value, dict):
        entries = {key: refresher(part) for key, part in value.items()}
        return lambda: type(value)({key: part() for key, part in entries.items()})
    items = [refresher(part) for part in value]
    return lambda: type(value)(part() for part in items)


def default_anew(field: Field) -> Any:
    """The default of a field, made anew."""
    if field.refresh is None:
        field.refresh = refresher(field.default)
    return field.refresh()


def _instance(value: Any) -> Callable[[], Any]:
    cls = type(value)
    inner = {one.name: getattr(value, one.name, None) for one in declared_by(cls)}
    parts = [(name, refresher(part)) for name, part in inner.items() if not is_unchangeable(part)]
    slots = {name for base in cls.__mro__ for name in getattr(base, "__slots__", ())}
    all_there = not hasattr(value, "__dict__") and slots <= {*inner, "__weakref__"}
    same = [(name, part) for name, part in inner.items() if is_unchangeable(part)]
    new, put = object.__new__, object.__setattr__

    def make() -> Any:
        if all_there:  # `copy` takes ten times as long
            made = new(cls)
            for name, part in same:
                put(made, name, part)
        else:
            made = copy.copy(value)
        for name, refreshed in parts:
            put(made, name, refreshed())
        return made

    return make
