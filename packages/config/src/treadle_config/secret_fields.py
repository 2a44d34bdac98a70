"""Whether a secret field keeps its value to itself when the config is printed."""

from typing import Any

from treadle_config.errors import SchemaError
from treadle_config.fields import Field
from treadle_config.leaves import STR
from treadle_config.plans import Plan


def check_secret(field: Field, cls: type, path: str) -> None:
    """Check a secret field.

    Args:
        field: The field, with its plan.
        cls: The class that has it.
        path: Where it stands, for messages.

    Raises:
        SchemaError: The class prints it, and it holds more than text, which alone can hide itself.
    """
    if _is_printed(field, cls) and not _is_text(field.plan):
        raise SchemaError(
            f"{path}: a secret of type {field.plan.expected} would be shown where the config is "
            "printed, since only text hides itself there; declare the field with repr=False"
        )


def _is_printed(field: Field, cls: type) -> bool:
    """Whether the class prints the value as it is; a `repr` of the user's own is trusted."""
    of_cls: Any = cls
    attribute: Any = field.attribute or of_cls.__dataclass_fields__[field.name]
    return attribute.repr is True


def _is_text(plan: Plan) -> bool:
    inside = () if plan.sequence is None else plan.sequence.plans
    return (
        plan.mapping is None
        and all(leaf is STR for leaf in plan.leaves)
        and all(map(_is_text, inside))
    )
