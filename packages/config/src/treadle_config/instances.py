"""Instances as trees: in full, or as the sparse difference from their class's defaults."""

from collections.abc import Callable
from typing import Any

from attrs import NOTHING

from treadle_config.fields import Field, is_class
from treadle_config.leaves import is_ambiguous
from treadle_config.plans import Choice, Dictionary, Plan
from treadle_config.schema import Schema
from treadle_config.tags import TAG_KEY
from treadle_config.tree import DEEPEST, DEFAULT, Computed, Node, Source, nodes_of, too_deep


def value_tree(
    schema: Schema, plan: Plan, value: Any, source: Source, levels: int = 0, *, sparse: bool = False
) -> Node:
    """A value of a planned type as a tree; what is no container stays as it is.

    Where it is `sparse`, an instance says only what differs from its class's defaults. A field
    that a link or a decorated default computes, and that has just that value, is left out,
    so that it goes on following.

    Raises:
        ConfigError: It is nested deeper than any config may be.
    """
    if levels > DEEPEST:
        raise too_deep(source)
    below = levels + 1
    if isinstance(plan.mapping, Choice) and is_class(type(value)):
        tag = plan.mapping.tag_key
        content = {} if tag is None else {tag: Node(type(value), source)}
        for field in schema.fields_in(plan.mapping, type(value)).values():
            inner = getattr(value, field.name)
            if not (sparse and (inner is field.default or is_default(field, value))):
                content[field.key] = value_tree(
                    schema, field.plan, inner, source, below, sparse=sparse
                )
        return Node(content, source, replaces=True)
    if isinstance(plan.mapping, Dictionary) and isinstance(value, dict):
        inside = plan.mapping.value
        return Node(
            {
                key: value_tree(schema, inside, child, source, below, sparse=sparse)
                for key, child in value.items()
            },
            source,
        )
    if plan.sequence is not None and isinstance(value, list | tuple | set | frozenset):
        return Node(
            [
                value_tree(schema, plan.sequence.plan_at(at), item, source, below, sparse=sparse)
                for at, item in enumerate(value)
            ],
            source,
        )
    if type(value) in (dict, list):
        return nodes_of(value, source, levels)
    # A text of an instance is text, whatever a file would mean by it.
    return Node(Computed(value) if is_ambiguous(plan, value) else value, source)


def default_tree(schema: Schema, field: Field) -> Node | None:
    """The default of a class-typed field, sparse, so that others can be merged over it.

    `None` where the default is no instance, or is computed from other fields.
    """
    choice = field.plan.mapping
    if not isinstance(choice, Choice):
        return None
    if field.linked is not None:
        # A class with such a field of its own is not chosen, but the only one.
        chosen = {TAG_KEY: Node(field.linked.cls, DEFAULT)} if choice.tag_key else {}
        return Node(chosen, DEFAULT, replaces=True)
    if field.computed:
        return None
    if field.default_node is not None:
        return field.default_node
    instance = field.default_in(None)
    if not isinstance(instance, choice.classes):
        return None
    node = value_tree(schema, field.plan, instance, DEFAULT, sparse=True)
    if field.factory is None:
        # The same each time; a factory may make another instance at the next.
        field.default_node = node
    return node


def is_default(field: Field, instance: Any) -> bool:
    """Whether a field of an instance has the value that its default gives."""
    return gives(field.default_in, instance, field, instance)


def gives(default: Callable[[Any], Any], seen: Any, field: Field, instance: Any) -> bool:
    """Whether a default that looks at one object gives the value that a field of another has."""
    try:
        made = default(seen)
        if made is NOTHING:
            return False
        value = getattr(instance, field.name)
        return value is made or bool(value == field.converted(made, instance))
    except Exception:  # noqa: BLE001  # an odd __eq__ or factory of the user's: then it does not
        return False
