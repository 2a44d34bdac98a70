"""Whether the default of a field can be every config's."""

from typing import Any

from treadle_config.errors import SchemaError
from treadle_config.fields import Field, is_class, is_frozen
from treadle_config.tree import MASK

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
    written = MASK if field.setting.secret else repr(default)
    kind, plan = type(default), field.plan
    if plan.is_scalar and kind not in _CHANGEABLE:
        # As most are, and this is for nothing but time.
        if len(plan.leaves) == 1 and plan.leaves[0].accepts(default):
            return
        if default is None and plan.optional:
            return
    if hasattr(kind, "validator") and hasattr(kind, "metadata"):
        raise SchemaError(
            f"{path}: {cls.__name__} is a dataclass, and an attrs field or a link says "
            "nothing there; make it an attrs class"
        )
    if field.converter is not None:
        return  # which makes something new of it, each time
    if is_class(kind) and not is_frozen(kind):
        raise SchemaError(
            f"{path}: the default is an instance of {kind.__name__}, which can be changed, and "
            f"every config would share it; use factory={kind.__name__}, or freeze the class"
        )
    if isinstance(default, _CHANGEABLE):
        way = f"factory=lambda: {written}" if default else f"factory={kind.__name__}"
        raise SchemaError(
            f"{path}: the default is a {kind.__name__}, which can be changed, and "
            f"every config would share it; use {way}"
        )
    if not plan.accepts(default):
        expected = plan.expected
        way = f"declare {expected} | None" if default is None else "write it as one"
        raise SchemaError(f"{path}: the default is {written}, which is no {expected}; {way}")
