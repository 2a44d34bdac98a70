"""Secret values: what is shown in their place, and text that hides itself."""

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
        return "null" if self.shown is None else MASK


class Withheld:
    """The content of a node for a secret that a dump leaves out: it is to be given again."""

    __slots__ = ()

    def __repr__(self) -> str:
        return MASK


def shown_value(value: Any) -> Any:
    """A value as it may be handed out."""
    return value.shown if isinstance(value, Hidden) else value


def hide(schema: Schema, plan: Plan, value: Any) -> None:
    """Let the text of every secret of a value hide itself, defaults and links included.

    It is put into objects that are made already, so that converters and validators are given
    plain text, and in place: a default instance that configs share hides its own, too.
    """
    mapping, sequence = plan.mapping, plan.sequence
    if isinstance(mapping, Choice) and mapping.accepts(value):
        for field in schema.fields_in(mapping, type(value)).values():
            inner = getattr(value, field.name)
            if field.setting.secret:
                _put(value, field.name, inner)
            elif not field.plan.is_scalar:
                hide(schema, field.plan, inner)
    elif isinstance(mapping, Dictionary) and isinstance(value, dict):
        for child in value.values():
            hide(schema, mapping.value, child)
    elif sequence is not None and isinstance(value, list | tuple):
        for index, item in enumerate(value):
            hide(schema, sequence.plan_at(index), item)


def _put(instance: Any, name: str, value: Any) -> None:
    hiding = _hiding(value)
    if hiding is not value:
        object.__setattr__(instance, name, hiding)  # it may be frozen


def _hiding(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return SecretText(value)
    if kind in (list, tuple, set, frozenset):
        return kind(map(_hiding, value))
    if kind is dict:
        return {key: _hiding(child) for key, child in value.items()}
    if is_class(kind):
        for one in declared_by(kind):
            if hasattr(value, one.name):
                _put(value, one.name, getattr(value, one.name))
    return value
