"""What is wrong with an object that its class refuses, field by field.

attrs stops at the first validator that objects, and runs none where a value is missing; so
each field's converter and validator is asked alone, on an instance made aside.
"""

from collections.abc import Collection, Mapping
from typing import Any

from treadle_config.errors import LinkError, Problem
from treadle_config.fields import Field, Fields, partial_instance
from treadle_config.leaves import reason
from treadle_config.tree import DEFAULT, LINK, Node, Source, join, shown


def diagnose(
    fields: Fields,
    node: Node,
    path: str,
    given: Mapping[str, Any],
    bad: Collection[str],
    *,
    error: Exception | None = None,
) -> list[Problem]:
    """Ask every field of a class that could not be made.

    Args:
        fields: The fields of the class.
        node: What was written for it.
        path: Where it stands.
        given: The values that could be decoded, by key.
        bad: The keys of those that could not; their problems are reported already.
        error: What the constructor raised, if it was called.
    """
    instance, failed = partial_instance(fields, given, without=bad)
    problems = []
    for field in fields.values():
        if field.key in bad:
            continue
        below = join(path, field.key)
        source = _source(node, field)
        if field.key in failed:
            cause = failed[field.key]
            if not (bad and isinstance(cause, AttributeError | LinkError)):
                problems.append(_not_made(field, cause, node, below, source))
            continue
        objection = _objection(field, instance)
        # It looked at a field that has a problem of its own.
        if objection is None or (bad and isinstance(objection, AttributeError)):
            continue
        given_as = node.content.get(field.key)
        got = shown(getattr(instance, field.name) if given_as is None else given_as.content)
        wanted = "a value that its validator takes"
        problems.append(Problem(below, source, got, wanted, reason(objection)))
    if error is not None and not problems:
        # __attrs_post_init__, __post_init__, or a constructor of the user's own.
        name = fields.cls.__name__
        where = node.source if path else None
        wanted = f"a valid {name}"
        problems.append(
            Problem(path or name, where, "values that it refuses", wanted, reason(error))
        )
    return problems


def link_failed(path: str, error: Exception, source: Source = LINK) -> Problem:
    """A link or a default that raised."""
    expected = f"a value from its {source.kind}"
    return Problem(path, source, type(error).__name__, expected, reason(error))


def _source(node: Node, field: Field) -> Source:
    if field.key in node.content:
        found: Source = node.content[field.key].source
        return found
    return LINK if field.link is not None else DEFAULT


def _not_made(field: Field, cause: Exception, node: Node, path: str, source: Source) -> Problem:
    if field.key not in node.content:
        return link_failed(path, cause, source)
    got = shown(node.content[field.key].content)
    return Problem(path, source, got, field.plan.expected, reason(cause))


def _objection(field: Field, instance: Any) -> Exception | None:
    attribute = field.attribute
    if attribute is None or attribute.validator is None or not hasattr(instance, field.name):
        return None
    try:
        attribute.validator(instance, attribute, getattr(instance, field.name))
    except Exception as error:  # noqa: BLE001  # the user's validator
        return error
    return None
