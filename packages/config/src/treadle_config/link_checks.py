"""Whether the links of a schema can work, told before any value is read."""

from collections.abc import Callable

from treadle_config.declared_fields import ClassPlan, FieldPlan
from treadle_config.errors import SchemaError
from treadle_config.links import Link
from treadle_config.plans import Choice, Plan, mapping_of
from treadle_config.suggestions import nearest
from treadle_config.tree import join

PlanOf = Callable[[type, str], ClassPlan]


def check_links(plan: ClassPlan, field: FieldPlan, path: str, plan_of: PlanOf) -> None:
    """Check the links of one field.

    Args:
        plan: The class that declares it.
        field: The field; most have no link.
        path: Where it stands, for the message.
        plan_of: Plans a class.

    Raises:
        SchemaError: A path leads nowhere, to a later field, or in a circle.
    """
    if field.link is not None:
        _check_link(plan, field, field.link, path, plan_of)
    if field.linked is None:
        return
    choice = mapping_of(field.plan)
    cls = field.linked.cls
    if not (
        isinstance(choice, Choice) and isinstance(cls, type) and issubclass(cls, choice.classes)
    ):
        name = getattr(cls, "__name__", repr(cls))
        raise SchemaError(f"{path}: linked({name}, ...) is none of {field.plan.expected}")
    inside = plan_of(cls, path)
    for key, link in field.linked.links.items():
        if key not in inside.fields:
            known = ", ".join(inside.fields)
            raise SchemaError(
                f"{path}: {cls.__name__} has no field {key!r} to link; it has {known}"
            )
        _check_link(plan, field, link, join(path, key), plan_of)


def _check_link(plan: ClassPlan, field: FieldPlan, link: Link, path: str, plan_of: PlanOf) -> None:
    by_name = {one.name: one for one in plan.fields.values()}
    names = list(by_name)
    for target in link.paths:
        first, *rest = target.split(".")
        if first not in by_name:
            raise SchemaError(_unknown_target(path, target, first, plan.cls, names))
        if names.index(first) >= names.index(field.name):
            raise SchemaError(_late_target(path, target, field, by_name))
        _check_target(by_name[first].plan, rest, target, path, plan_of)


def _check_target(plan: Plan, rest: list[str], target: str, path: str, plan_of: PlanOf) -> None:
    if not rest:
        return
    choice = mapping_of(plan)
    if not isinstance(choice, Choice):
        raise SchemaError(
            f"{path}: the link reads {target!r}, but {plan.expected} has no fields; "
            "link to the whole value"
        )
    for cls in choice.classes:
        by_name = {one.name: one for one in plan_of(cls, path).fields.values()}
        if rest[0] not in by_name:
            raise SchemaError(_unknown_target(path, target, rest[0], cls, list(by_name)))
        _check_target(by_name[rest[0]].plan, rest[1:], target, path, plan_of)


def _unknown_target(path: str, target: str, name: str, cls: type, names: list[str]) -> str:
    said = f"{path}: the link reads {target!r}, but {cls.__name__} has no field {name!r}"
    best = nearest(name, names)
    return f"{said}; did you mean {best!r}?" if best else f"{said}; it has {', '.join(names)}"


def _late_target(path: str, target: str, field: FieldPlan, by_name: dict[str, FieldPlan]) -> str:
    chain = [field.name]
    following: str | None = target.partition(".")[0]
    while following is not None and following not in chain:
        chain.append(following)
        one = by_name.get(following)
        following = one.link.paths[0].partition(".")[0] if one and one.link else None
    if following is not None:
        cycle = " -> ".join([*chain[chain.index(following) :], following])
        return f"{path}: the links go in a circle: {cycle}; give one of them a value instead"
    return (
        f"{path}: the link reads {target!r}, which is declared later; declare the link after it"
        " (a subclass that declares such a field again declares the link again)"
    )
