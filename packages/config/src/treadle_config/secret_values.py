"""Secret values: what is shown in their place, and text that hides itself."""

import copy
from collections.abc import Mapping
from typing import Any

from treadle_config.fields import declared_by, is_class
from treadle_config.plans import Choice, Dictionary, Plan
from treadle_config.schema import Schema
from treadle_config.tree import MASK


class SecretText(str):
    """A text that is not shown where objects are printed; in all else it is the text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)


class Hidden:
    """A secret value where values are listed: shown as stars, save for null, which hides nothing.

    Attributes:
        value: The value itself.
        shown: What stands in its place.
    """

    __slots__ = ("shown", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.shown = None if value is None else MASK

    def __repr__(self) -> str:
        # A variable that is set to nothing hides nothing, and is a mistake.
        if isinstance(self.value, str) and not self.value:
            return "(empty)"
        return "null" if self.shown is None else MASK


class Withheld:
    """The content of a node for a secret that a dump leaves out: it is to be given again."""

    __slots__ = ()

    def __repr__(self) -> str:
        return MASK


def shown_value(value: Any) -> Any:
    """A value as it may be handed out."""
    return value.shown if isinstance(value, Hidden) else value


def hiding(schema: Schema, plan: Plan, value: Any) -> Any:
    """A value in which the text of every secret hides itself, defaults and links included.

    It is put into objects that are made already, so that converters and validators are given
    plain text; and into copies of them, since a default, a factory or a link may have given an
    object that somebody holds, and goes on using.
    """
    mapping, sequence = plan.mapping, plan.sequence
    if isinstance(mapping, Choice) and mapping.accepts(value):
        changed = {}
        for field in schema.fields_in(mapping, type(value)).values():
            inner = getattr(value, field.name)
            if field.setting.secret:
                made = _hiding(inner)
            else:
                made = inner if field.plan.is_scalar else hiding(schema, field.plan, inner)
            if made is not inner:
                changed[field.name] = made
        return _with(value, changed)
    if isinstance(mapping, Dictionary) and isinstance(value, dict):
        found = {key: hiding(schema, mapping.value, child) for key, child in value.items()}
        return found if any(found[key] is not value[key] for key in found) else value
    if sequence is not None and isinstance(value, list | tuple | set | frozenset):
        before = list(value)
        items = [hiding(schema, sequence.plan_at(index), one) for index, one in enumerate(before)]
        same = all(one is other for one, other in zip(items, before, strict=True))
        return value if same else type(value)(items)
    return value


def _with(instance: Any, changed: Mapping[str, Any]) -> Any:
    """An instance with other values of some attributes; itself where there are none."""
    if not changed:
        return instance
    made = copy.copy(instance)
    for name, value in changed.items():
        object.__setattr__(made, name, value)  # it may be frozen
    return made


def _hiding(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return SecretText(value)
    if kind in (list, tuple, set, frozenset):
        return kind(map(_hiding, value))
    if kind is dict:
        return {key: _hiding(child) for key, child in value.items()}
    if is_class(kind):
        inside = {
            one.name: getattr(value, one.name)
            for one in declared_by(kind)
            if hasattr(value, one.name)
        }
        made = {name: _hiding(one) for name, one in inside.items()}
        return _with(value, {name: made[name] for name in made if made[name] is not inside[name]})
    return value
