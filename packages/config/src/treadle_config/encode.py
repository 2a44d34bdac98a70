"""From values to what a file can hold, by the plan that reads them back."""

from typing import Any

from treadle_config.plans import Choice, Dictionary, Plan
from treadle_config.schema import Schema
from treadle_config.tags import TAG_KEY, tag_of
from treadle_config.tree import DEEPEST, Source, too_deep


def encoded(schema: Schema, plan: Plan, value: Any, levels: int = 0) -> Any:
    """Write a value as dicts, lists, text, numbers, bools and None.

    Secrets are left out. What is not of its type, put there by a constructor without validators, is left as it is.

    Raises:
        ConfigError: It is nested deeper than any config may be.
    """
    if levels > DEEPEST:
        raise too_deep(Source("code"))
    if value is None:
        return None
    below = levels + 1
    for leaf in plan.leaves:
        if leaf.accepts(value):
            written = leaf.encode(value)
            return str(written) if isinstance(written, str) else written
    sequence, mapping = plan.sequence, plan.mapping
    if sequence is not None and isinstance(value, list | tuple | set | frozenset):
        items = [encoded(schema, sequence.plan_at(at), one, below) for at, one in enumerate(value)]
        # A set has no order of its own; the file of a config should.
        return sorted(items, key=repr) if isinstance(value, set | frozenset) else items
    if isinstance(mapping, Dictionary) and isinstance(value, dict):
        return {
            str(mapping.key.encode(key)): encoded(schema, mapping.value, child, below)
            for key, child in value.items()
        }
    if isinstance(mapping, Choice) and mapping.accepts(value):
        tag = {TAG_KEY: tag_of(type(value))} if is_tagged(schema, mapping, value) else {}
        fields = schema.fields_in(mapping, type(value)).items()
        return tag | {
            key: encoded(schema, field.plan, getattr(value, field.name), below)
            for key, field in fields
            if not field.setting.secret
        }
    return str(value) if isinstance(value, str) else value


def is_tagged(schema: Schema, choice: Choice, value: Any) -> bool:
    """Whether a tag has to be written for a value to be read back as its class."""
    if choice.tag_key is None:
        return False
    only = schema.class_of(choice, type(value)) is schema.class_of(choice, None)
    return not only or len(schema.alternatives(choice)) > 1
