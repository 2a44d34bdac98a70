"""Instances as trees: in full, or as the sparse difference from their class's defaults."""

from typing import Any

from attrs import NOTHING

from treadle_config.declared_fields import FieldPlan, converted, default_value, is_class
from treadle_config.plans import (
    Choice,
    Dictionary,
    Plan,
    mapping_of,
    sequence_of,
)
from treadle_config.schema import Schema
from treadle_config.tags import TAG_KEY
from treadle_config.tree import Node, Source


def full_tree(schema: Schema, instance: Any, source: Source) -> Node:
    """Every field of an instance, as if each had been written."""
    return _tree(schema, instance, source, sparse=False)


def sparse_tree(schema: Schema, instance: Any, source: Source) -> Node:
    """What an instance says beyond its class's defaults.

    A field that a link or a decorated default computes, and that has just that value, is
    left out, so that it goes on following.
    """
    return _tree(schema, instance, source, sparse=True)


def value_tree(
    schema: Schema, plan: Plan, value: Any, source: Source, *, sparse: bool = False
) -> Node:
    """A value of a planned type as a tree; what is no container stays as it is."""
    mapping = mapping_of(plan)
    if isinstance(mapping, Choice) and is_class(type(value)):
        return _tree(schema, value, source, sparse=sparse)
    if isinstance(mapping, Dictionary) and isinstance(value, dict):
        return Node(
            {
                key: value_tree(schema, mapping.value, child, source, sparse=sparse)
                for key, child in value.items()
            },
            source,
        )
    sequence = sequence_of(plan)
    if sequence is not None and isinstance(value, list | tuple | set | frozenset):
        return Node(
            [
                value_tree(schema, sequence.plan_at(index), item, source, sparse=sparse)
                for index, item in enumerate(value)
            ],
            source,
        )
    return Node(value, source)


def default_tree(schema: Schema, field: FieldPlan, source: Source) -> Node | None:
    """The default of a class-typed field, sparse, so that others can be merged over it.

    `None` where the default is no instance, or is computed from other fields.
    """
    choice = mapping_of(field.plan)
    if not isinstance(choice, Choice):
        return None
    if field.linked is not None:
        return Node({TAG_KEY: Node(field.linked.cls, source)}, source, replaces=True)
    if field.required or field.declared.factory_takes_self:
        return None
    instance = default_value(field, None)
    if not isinstance(instance, choice.classes):
        return None
    return sparse_tree(schema, instance, source)


def _tree(schema: Schema, instance: Any, source: Source, *, sparse: bool) -> Node:
    content = {TAG_KEY: Node(type(instance), source)}
    for field in schema.of_class(type(instance)).fields.values():
        value = getattr(instance, field.name)
        if sparse and _is_default(field, value, instance):
            continue
        content[field.key] = value_tree(schema, field.plan, value, source, sparse=sparse)
    return Node(content, source, replaces=True)


def _is_default(field: FieldPlan, value: Any, instance: Any) -> bool:
    try:
        default = default_value(field, instance)
        if default is NOTHING:
            return False
        return value is default or bool(value == converted(field, default, instance))
    except Exception:  # noqa: BLE001  # an odd __eq__ or factory of the user's: then it is kept
        return False
