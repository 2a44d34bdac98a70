"""Whether the default of a field can be every config's."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from treadle_config.errors import SchemaError
from treadle_config.fields import Field, is_class, is_frozen
from treadle_config.plans import Choice, Dictionary, Plan
from treadle_config.settings import is_setting
from treadle_config.tags import TAG_KEY
from treadle_config.tree import MASK, shown
from treadle_config.type_plans import check_tag_key

_CHANGEABLE = (list, dict, set, bytearray)


def check_default(field: Field, cls: type, path: str) -> None:
    """Check a default that is a value.

    Args:
        field: The field, with its plan.
        cls: The class that declares it.
        path: Where it stands, for messages.

    Raises:
        SchemaError: It could be changed, and every config would share it; or it is not of the
            declared type, so that what is written of it could not be read back.
    """
    default: Any = field.default
    kind, plan = type(default), field.plan
    simple = plan.is_scalar and len(plan.leaves) == 1 and kind not in _CHANGEABLE
    if simple and plan.leaves[0].accepts(default):
        return  # as most are, and this is for nothing but time
    if is_setting(default):
        raise SchemaError(
            f"{path}: setting(...) is metadata of a field; write "
            "field(default=..., metadata=setting(...))"
        )
    if hasattr(kind, "validator") and hasattr(kind, "metadata") and field.attribute is not None:
        raise SchemaError(
            f"{path}: the default is a field; a link already is one, as in "
            f"`{field.name}: ... = link(fn, path, metadata=...)`"
        )
    if hasattr(kind, "validator") and hasattr(kind, "metadata"):
        raise SchemaError(
            f"{path}: {cls.__name__} is a dataclass, where an attrs field or a link has "
            "no effect; make it an attrs class"
        )
    if field.converter is not None:
        return  # which makes something new of it, each time
    if is_class(kind) and not is_frozen(kind):
        raise SchemaError(
            f"{path}: the default is an instance of {kind.__name__}, which can be changed, and "
            f"every config would share it; use factory={kind.__name__}, or freeze the class"
        )
    if isinstance(default, _CHANGEABLE):
        way = f"factory=lambda: {_written(field)}" if default else f"factory={kind.__name__}"
        raise SchemaError(
            f"{path}: the default is a {kind.__name__}, which can be changed, and "
            f"every config would share it; use {way}"
        )
    choice = plan.mapping if isinstance(plan.mapping, Choice) else None
    if choice is not None and choice.tag_key and is_class(kind) and kind is not choice.only:
        check_tag_key(kind, path)
    if not plan.accepts(default):
        expected = plan.expected
        if choice is not None and isinstance(default, choice.classes):
            raise SchemaError(
                f"{path}: the default is a {kind.__name__}, but {expected} has a field named "
                f"{TAG_KEY}, the key that would choose a subclass; rename the field"
            )
        way = f"declare {expected} | None" if default is None else "write it as one"
        raise SchemaError(
            f"{path}: the default is {_written(field)}, which is no {expected}; {way}"
        )


def check_made(field: Field, cls: type, value: Any, path: str) -> None:
    """Check what the factory of a field has made.

    The arguments are those of `check_default`, with the value.

    Raises:
        SchemaError: It is not of the declared type.
    """
    if not fits(field.plan, value):
        said = MASK if field.setting.secret else shown(value)
        raise SchemaError(
            f"{path}: the factory of {cls.__name__}.{field.name} gives {said}, which is no "
            f"{field.plan.expected}"
        )


def fits(plan: Plan, value: Any) -> bool:
    """Whether a value that a program made is of a type, as far as python programs ask for it.

    A list is a `Sequence` to them, and any mapping a `Mapping`, whatever is read for one.
    """
    if plan.accepts(value):
        return True
    items, mapping = plan.sequence, plan.mapping
    if items is not None and not items.fixed and isinstance(value, list | tuple | AbstractSet):
        return all(fits(items.plan_at(0), one) for one in value)
    return (
        isinstance(mapping, Dictionary)
        and isinstance(value, Mapping)
        and all(mapping.key.accepts(key) and fits(mapping.value, value[key]) for key in value)
    )


def _written(field: Field) -> str:
    return MASK if field.setting.secret else repr(field.default)
