"""What layers said of a config, before converters and `__post_init__` made something of it."""

from collections.abc import Container
from typing import Any

from treadle_config.build import Build
from treadle_config.encode import encoded
from treadle_config.fields import Field
from treadle_config.plans import Choice, Dictionary, Plan
from treadle_config.schema import Schema
from treadle_config.tree import join


def as_said(
    build: Build, said: Container[str], plan: Plan, value: Any, written: Any, *, path: str = ""
) -> Any:
    """What is written of a value, with what layers said as they said it.

    Args:
        build: What was built, with the values that were given to constructors.
        said: The paths of values that layers said.
        plan: What the value is.
        value: The value.
        written: What is written of it.
        path: Where it stands.
    """
    mapping, sequence = plan.mapping, plan.sequence
    if isinstance(mapping, Choice) and isinstance(written, dict) and mapping.accepts(value):
        found = dict(written)
        for key, field in build.schema.fields_in(mapping, type(value)).items():
            below = join(path, key)
            if key not in found:
                continue  # a secret
            if below in said and below in build.values and not _holds_object(field.given):
                found[key] = given_for(build.schema, field, build.values[below], found[key])
            else:
                inner = getattr(value, field.name)
                found[key] = as_said(build, said, field.plan, inner, found[key], path=below)
        return found
    if isinstance(mapping, Dictionary) and isinstance(value, dict) and isinstance(written, dict):
        named = ((str(mapping.key.encode(key)), one) for key, one in value.items())
        return {
            key: as_said(build, said, mapping.value, one, written[key], path=join(path, key))
            for key, one in named
        }
    if sequence is not None and isinstance(value, list | tuple) and isinstance(written, list):
        return [
            as_said(build, said, sequence.plan_at(at), one, text, path=f"{path}[{at}]")
            for at, (one, text) in enumerate(zip(value, written, strict=True))
        ]
    return written


def given_for(schema: Schema, field: Field, given: Any, written: Any) -> Any:
    """What a constructor was given for a field, written; where it cannot be, what came of it."""
    if field.given.accepts(given):
        return encoded(schema, field.given, given)
    plain = given is None or isinstance(given, str | int | float | bool)
    return given if plain else written


def _holds_object(plan: Plan) -> bool:
    if isinstance(plan.mapping, Choice):
        return True
    if plan.mapping is not None and _holds_object(plan.mapping.value):
        return True
    return plan.sequence is not None and any(map(_holds_object, plan.sequence.plans))
