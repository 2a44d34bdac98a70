"""Whether the links of a schema can work, told before any value is read."""

import math
from collections.abc import Callable
from inspect import CO_VARARGS
from types import FunctionType

from treadle_config.errors import SchemaError
from treadle_config.fields import Field, Fields
from treadle_config.links import Link
from treadle_config.plans import Choice, Plan
from treadle_config.suggestions import nearest
from treadle_config.tree import join

FieldsOf = Callable[[type, str], Fields]


def check_links(fields: Fields, field: Field, path: str, fields_of: FieldsOf) -> None:
    """Check the links of one field.

    Args:
        fields: The fields of the class that declares it.
        field: The field; most have no link.
        path: Where it stands, for the message.
        fields_of: Plans a class.

    Raises:
        SchemaError: A path leads nowhere, to a later field, or in a circle.
    """
    if field.link is not None:
        _check_link(fields, field, field.link, path, fields_of)
    if field.linked is None:
        return
    made = field.linked.cls
    choice = field.plan.mapping
    if not (
        isinstance(choice, Choice) and isinstance(made, type) and issubclass(made, choice.classes)
    ):
        name = getattr(made, "__name__", repr(made))
        raise SchemaError(f"{path}: linked({name}, ...) does not fit {field.plan.expected}")
    inside = fields_of(made, path)
    for key, link in field.linked.links.items():
        if key not in inside:
            raise SchemaError(
                f"{path}: {made.__name__} has no field {key!r} to link; it has {', '.join(inside)}"
            )
        _check_link(fields, field, link, join(path, key), fields_of)


def _check_link(fields: Fields, field: Field, link: Link, path: str, fields_of: FieldsOf) -> None:
    by_name = {one.name: one for one in fields.values()}
    names = list(by_name)
    code = getattr(link.compute, "__code__", None)
    if code is not None and isinstance(link.compute, FunctionType):
        wanted = code.co_argcount - len(link.compute.__defaults__ or ())
        takes_more = code.co_flags & CO_VARARGS
        if not wanted <= len(link.paths) <= (math.inf if takes_more else code.co_argcount):
            taken = "1 value" if wanted == 1 else f"{wanted} values"
            paths = "1 path" if len(link.paths) == 1 else f"{len(link.paths)} paths"
            raise SchemaError(
                f"{path}: the function of the link takes {taken}, but the link has {paths}; "
                "write link(fn, path, ...), a path for each"
            )
    for target in link.paths:
        first, *rest = target.split(".")
        if first not in by_name:
            raise SchemaError(_unknown_target(path, target, first, fields.cls, names))
        if names.index(first) >= names.index(field.name):
            raise SchemaError(_late_target(path, target, field, by_name))
        _check_target(by_name[first].plan, rest, target, path, fields_of)


def _check_target(plan: Plan, rest: list[str], target: str, path: str, fields_of: FieldsOf) -> None:
    if not rest:
        return
    if not isinstance(plan.mapping, Choice):
        raise SchemaError(
            f"{path}: the link reads {target!r}, but {plan.expected} has no fields; "
            "link to the whole value"
        )
    for cls in plan.mapping.classes:
        by_name = {one.name: one for one in fields_of(cls, path).values()}
        if rest[0] not in by_name:
            raise SchemaError(_unknown_target(path, target, rest[0], cls, list(by_name)))
        _check_target(by_name[rest[0]].plan, rest[1:], target, path, fields_of)


def _unknown_target(path: str, target: str, name: str, cls: type, names: list[str]) -> str:
    said = f"{path}: the link reads {target!r}, but {cls.__name__} has no field {name!r}"
    best = nearest(name, names)
    return f"{said}; did you mean {best!r}?" if best else f"{said}; it has {', '.join(names)}"


def _late_target(path: str, target: str, field: Field, by_name: dict[str, Field]) -> str:
    chain = [field.name]
    following: str | None = target.partition(".")[0]
    while following is not None and following not in chain:
        chain.append(following)
        one = by_name.get(following)
        following = one.link.paths[0].partition(".")[0] if one and one.link else None
    if following is not None:
        cycle = " -> ".join([*chain[chain.index(following) :], following])
        return f"{path}: the links form a circle: {cycle}; give one of them a value instead"
    return (
        f"{path}: the link reads {target!r}, which is declared later; declare the link after it"
        " (a subclass that redeclares such a field must redeclare the link)"
    )
