"""Dotted paths of a schema: finding one by a loosely written name, and listing them all."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from treadle_config.fields import Fields
from treadle_config.leaves import STR
from treadle_config.plans import Choice, Dictionary, Plan
from treadle_config.schema import Schema
from treadle_config.tree import Node, Source, join

_TAG = Plan("a tag", leaves=(STR,))


class Located(NamedTuple):
    """A place in a schema: its keys as the schema writes them, and the plans it may have.

    There is more than one plan where a union's classes have a field of the same name.
    """

    keys: tuple[str, ...]
    plans: tuple[Plan, ...]

    @property
    def path(self) -> str:
        """The dotted path."""
        return ".".join(self.keys)

    @property
    def expected(self) -> str:
        """What may stand there, for messages."""
        return " or ".join(dict.fromkeys(plan.expected for plan in self.plans))

    def node(self, content: Any, source: Source) -> Node:
        """A layer that says just this one value."""
        node = Node(content, source)
        for key in reversed(self.keys):
            node = Node({key: node}, source)
        return node


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
    keys: tuple[str, ...] = ()
    plans: tuple[Plan, ...] = (root,)
    for position, name in enumerate(names):
        found = _below(schema, plans, name, normal)
        if found is not None:
            keys, plans = (*keys, found[0]), found[1]
            continue
        inside = [plan.mapping for plan in plans if isinstance(plan.mapping, Dictionary)]
        if not inside:
            return None
        value = inside[0].value
        if value.mapping is None:
            # Nothing lies below such a value, so the dots are the key's own.
            return Located((*keys, inside[0].key_text(".".join(names[position:]))), (value,))
        keys, plans = (*keys, inside[0].key_text(name)), (value,)
    return Located(keys, plans)


def known_paths(schema: Schema, root: Plan) -> list[str]:
    """Every dotted path of a schema, for suggestions; a class within itself is cut short."""
    return list(_paths(schema, root, "", ()))


def _below(
    schema: Schema, plans: tuple[Plan, ...], name: str, normal: Callable[[str], str]
) -> tuple[str, tuple[Plan, ...]] | None:
    key, wanted = "", normal(name)
    found: list[Plan] = []
    for choice in (plan.mapping for plan in plans):
        if not isinstance(choice, Choice):
            continue
        for fields in schema.planned_classes(choice):
            like = wanted if wanted in fields else _spelled(fields, wanted, normal)
            if like is not None:
                key = like
                found.append(fields[like].given)
        if choice.tag_key is not None and normal(choice.tag_key) == wanted:
            key = choice.tag_key
            found.append(_TAG)
    return (key, tuple(found)) if found else None


def _spelled(fields: Fields, wanted: str, normal: Callable[[str], str]) -> str | None:
    return next((key for key in fields if normal(key) == wanted), None)


def _paths(schema: Schema, plan: Plan, path: str, within: tuple[type, ...]) -> Iterator[str]:
    if isinstance(plan.mapping, Choice):
        for fields in schema.planned_classes(plan.mapping):
            if fields.cls not in within:
                for key, field in fields.items():
                    below = join(path, key)
                    yield below
                    yield from _paths(schema, field.plan, below, (*within, fields.cls))
