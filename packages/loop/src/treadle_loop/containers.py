"""Batches as trees: tensors inside tuples, lists, mappings and classes with fields."""

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from types import MemberDescriptorType
from typing import Any, cast

from torch import Tensor

_PLAIN = (str, bytes, int, float, bool, type(None))


def field_names(value: Any) -> tuple[str, ...]:
    """The fields of an instance of a dataclass or of an attrs class; none for anything else."""
    if isinstance(value, type):
        return ()
    # attrs marks its classes with this tuple, so attrs itself need not be there.
    attributes = getattr(type(value), "__attrs_attrs__", None)
    if attributes is not None:
        return tuple(attribute.name for attribute in attributes)
    if dataclasses.is_dataclass(value):
        return tuple(field.name for field in dataclasses.fields(value))
    return ()


def children(value: Any) -> Iterator[Any] | None:
    """What a container holds, or None where `value` is a leaf."""
    if isinstance(value, (tuple, list)):
        return iter(value)
    if isinstance(value, Mapping):
        return iter(value.values())
    names = field_names(value)
    return (getattr(value, name) for name in names) if names else None


def map_tensors(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply `function` to every tensor in `value`, whatever holds it.

    Goes through tuples, named tuples, lists, mappings, dataclasses and attrs classes, frozen and
    slotted ones too, and keeps each container's type. An object that is none of these and has a
    `to` method of its own (a packed sequence, a tokenizer's output) counts as one tensor.
    Where nothing changes, the container itself is returned, not a copy.
    """
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, _PLAIN):
        return value
    # Before its own `to`, which a tokenizer's output has, and which waits for each copy.
    if isinstance(value, Mapping):
        return _map_mapping(function, value)
    if callable(getattr(value, "to", None)):
        return function(value)
    if isinstance(value, (tuple, list)):
        return _map_sequence(function, value)
    return _map_fields(function, value)


def _map_sequence(
    function: Callable[[Any], Any], value: tuple[Any, ...] | list[Any]
) -> tuple[Any, ...] | list[Any]:
    mapped = [map_tensors(function, item) for item in value]
    if all(new is old for new, old in zip(mapped, value, strict=True)):
        return value
    kind = type(value)
    if kind is list:
        return mapped
    if kind is tuple:
        return tuple(mapped)
    if isinstance(value, list):
        duplicate = copy.copy(value)
        duplicate[:] = mapped
        return duplicate
    # Past a __new__ of its own, such as that of a named tuple, which takes fields one by one.
    made: Any = tuple.__new__(cast("type[tuple[Any, ...]]", kind), mapped)
    if hasattr(value, "__dict__"):
        made.__dict__.update(value.__dict__)
    return cast("tuple[Any, ...]", made)


def _map_mapping(function: Callable[[Any], Any], value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    mapped = {key: map_tensors(function, item) for key, item in value.items()}
    if all(mapped[key] is item for key, item in value.items()):
        return value
    if type(value) is dict:
        return mapped
    if isinstance(value, MutableMapping):
        duplicate = _copy_mapping(value)  # a defaultdict keeps its factory
        for key, item in mapped.items():  # not update(), which models' outputs forbid
            duplicate[key] = item
        return duplicate
    make: Callable[[Mapping[Any, Any]], Mapping[Any, Any]] = type(value)
    return make(mapped)


def _copy_mapping(value: MutableMapping[Any, Any]) -> MutableMapping[Any, Any]:
    """A copy with items of its own, which a class may keep in a mapping within."""
    duplicate = copy.copy(value)
    if not isinstance(value, dict):
        attributes = dict(getattr(value, "__dict__", {}))
        for kind in type(value).__mro__:
            for name, each in vars(kind).items():
                if isinstance(each, MemberDescriptorType):  # a slot
                    attributes[name] = getattr(value, name, None)
        for name, inner in attributes.items():
            if isinstance(inner, MutableMapping):
                object.__setattr__(duplicate, name, _copy_mapping(inner))
    return duplicate


def _map_fields(function: Callable[[Any], Any], value: Any) -> Any:
    changed = {}
    for name in field_names(value):
        old = getattr(value, name)
        new = map_tensors(function, old)
        if new is not old:
            changed[name] = new
    if not changed:
        return value
    duplicate = copy.copy(value)
    for name, new in changed.items():
        # Frozen classes refuse setattr, and this copy is ours until it is handed on.
        object.__setattr__(duplicate, name, new)
    return duplicate
