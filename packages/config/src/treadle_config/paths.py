"""Dotted paths of a schema: finding one by a loosely written name, and listing them all."""

from collections.abc import Callable, Iterator, Sequence

from attrs import frozen

from treadle_config.declared_fields import ClassPlan
from treadle_config.errors import SchemaError
from treadle_config.leaves import STR
from treadle_config.plans import Choice, Dictionary, Plan, mapping_of
from treadle_config.schema import Schema
from treadle_config.tree import join


@frozen(eq=False)
class Located:
    """A place in a schema: its keys as the schema writes them, and the plans it may have.

    There is more than one plan where a union's classes have a field of the same name.
    """

    keys: tuple[str, ...]
    plans: tuple[Plan, ...]

    @property
    def path(self) -> str:
        """The dotted path."""
        return ".".join(self.keys)


def class_plans(schema: Schema, choice: Choice) -> list[ClassPlan]:
    """The plans of all classes that may be chosen.

    A subclass that somebody defined badly elsewhere is left out: it is an error only for
    those who choose it.
    """
    found = []
    for classes in schema.alternatives(choice).values():
        for cls in classes:
            try:
                found.append(schema.of_class(cls))
            except SchemaError:
                continue
    return found


def locate(
    schema: Schema, root: Plan, names: Sequence[str], normal: Callable[[str], str]
) -> Located | None:
    """Find the place that names mean; `None` where there is none.

    Args:
        schema: Where classes are planned.
        root: Where to begin.
        names: The parts of the path, as they were written.
        normal: Brings the written and the schema's spelling of a name to one form.
    """
    keys: list[str] = []
    plans: tuple[Plan, ...] = (root,)
    for position, name in enumerate(names):
        found = _below(schema, plans, name, normal)
        if found is not None:
            key, plans = found
            keys.append(key)
            continue
        for plan in plans:
            mapping = mapping_of(plan)
            if isinstance(mapping, Dictionary):
                if mapping_of(mapping.value) is None:
                    # Nothing lies below such a value, so the dots are the key's own.
                    return Located((*keys, ".".join(names[position:])), (mapping.value,))
                keys.append(name)
                plans = (mapping.value,)
                break
        else:
            return None
    return Located(tuple(keys), plans)


def known_paths(schema: Schema, root: Plan) -> list[str]:
    """Every dotted path of a schema, for suggestions; a class within itself is cut short."""
    return list(_paths(schema, root, "", ()))


def _below(
    schema: Schema, plans: tuple[Plan, ...], name: str, normal: Callable[[str], str]
) -> tuple[str, tuple[Plan, ...]] | None:
    key = ""
    found: list[Plan] = []
    for plan in plans:
        choice = mapping_of(plan)
        if not isinstance(choice, Choice):
            continue
        for one in class_plans(schema, choice):
            for field in one.fields.values():
                if normal(field.key) == normal(name):
                    key = field.key
                    found.append(field.given)
        if choice.tag_key is not None and normal(choice.tag_key) == normal(name):
            key = choice.tag_key
            found.append(STR)
    return (key, tuple(found)) if found else None


def _paths(schema: Schema, plan: Plan, path: str, within: tuple[type, ...]) -> Iterator[str]:
    choice = mapping_of(plan)
    if not isinstance(choice, Choice):
        return
    for one in class_plans(schema, choice):
        if one.cls in within:
            continue
        for field in one.fields.values():
            below = join(path, field.key)
            yield below
            yield from _paths(schema, field.plan, below, (*within, one.cls))
