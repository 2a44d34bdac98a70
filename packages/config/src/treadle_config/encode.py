"""From values to what a file can hold, by the plan that reads them back."""

from typing import Any

from treadle_config.plans import (
    Alternatives,
    Choice,
    Dictionary,
    Items,
    Leaf,
    Plan,
    Tuple,
)
from treadle_config.schema import Schema
from treadle_config.settings import tag_of
from treadle_config.tags import TAG_KEY


def encoded(schema: Schema, plan: Plan, value: Any) -> Any:
    """Write a value as dicts, lists, text, numbers, bools and None."""
    if isinstance(plan, Choice):
        return _object(schema, plan, value)
    if isinstance(plan, Items | Tuple):
        items = [encoded(schema, plan.plan_at(index), item) for index, item in enumerate(value)]
        # A set has no order of its own; the file of a config should.
        return sorted(items, key=repr) if isinstance(value, set | frozenset) else items
    if isinstance(plan, Dictionary):
        return {
            str(plan.key.encode(key)): encoded(schema, plan.value, child)
            for key, child in value.items()
        }
    if isinstance(plan, Alternatives):
        if value is None:
            return None
        for member in plan:
            if member.accepts(value):
                return encoded(schema, member, value)
        return value
    return _scalar(plan, value)


def _scalar(plan: Leaf, value: Any) -> Any:
    written = plan.encode(value) if plan.accepts(value) else value
    if isinstance(written, str) and type(written) is not str:
        return str(written)
    return written


def _object(schema: Schema, choice: Choice, value: Any) -> Any:
    if not isinstance(value, choice.classes):
        return value  # put there by a validator-free constructor: shown as it is
    cls = type(value)
    written: dict[str, Any] = {}
    if is_tagged(schema, choice, value):
        written[TAG_KEY] = tag_of(cls)
    for key, field in schema.of_class(cls).fields.items():
        written[key] = encoded(schema, field.plan, getattr(value, field.name))
    return written


def is_tagged(schema: Schema, choice: Choice, value: Any) -> bool:
    """Whether a tag has to be written for a value to be read back as its class."""
    if choice.tag_key is None:
        return False
    return type(value) is not schema.only_class(choice) or len(schema.alternatives(choice)) > 1
