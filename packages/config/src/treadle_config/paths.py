"""Dotted paths of a schema: finding one by a loosely written name, and listing them all."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from treadle_config.fields import Fields
from treadle_config.leaves import STR
from treadle_config.list_edits import ONE_MORE, ListEdits
from treadle_config.plans import Choice, Dictionary, Items, Plan
from treadle_config.schema import Schema
from treadle_config.tags import TAG_KEY
from treadle_config.tree import DEEPEST, Node, Source, join

_TAG = Plan("a tag", leaves=(STR,))
_ITEM = re.compile(r"\[(-?[0-9]{1,9})\]|\+$")
"""An index, which may count from the end, or one item more."""


ChosenAt = Callable[[tuple[str | int | None, ...]], type | None]
"""Knows the class at a place, if it is chosen."""


class Located(NamedTuple):
    """A place in a schema: its keys as the schema writes them, and the plans it may have.

    There is more than one plan where a union's classes have a field of the same name. Within
    lists, which `in_list` says, a key is an index or `ONE_MORE`.
    """

    keys: tuple[str | int | None, ...]
    plans: tuple[Plan, ...]
    in_list: bool = False

    @property
    def path(self) -> str:
        """The dotted path; an item that is added has that of its list."""
        path = ""
        for key in self.keys:
            if isinstance(key, str):
                path = join(path, key)
            elif key is not ONE_MORE:
                path = f"{path}[{key}]"
        return path

    @property
    def adds(self) -> bool:
        """Whether it is one more item of a list."""
        return self.keys[-1:] == (ONE_MORE,)

    @property
    def is_ambiguous(self) -> bool:
        """Whether it is not one thing in all the classes that may stand there."""
        return len({plan.expected for plan in self.plans if plan is not _TAG}) > 1

    @property
    def expected(self) -> str:
        """What may stand there, for messages."""
        return " or ".join(dict.fromkeys(plan.expected for plan in self.plans))

    def one_more(self) -> "Located":
        """The place of one more item of a list that is here."""
        return _item(self, ONE_MORE)


def nested(keys: Sequence[str | int | None], node: Node) -> Node:
    """What says a node at some keys, and nothing else."""
    for key in reversed(keys):
        content = {key: node} if isinstance(key, str) else ListEdits(((key, node),))
        node = Node(content, node.source)
    return node


def locate(
    schema: Schema,
    root: Plan,
    names: Sequence[str],
    normal: Callable[[str], str],
    *,
    here: Located | None = None,
    chosen: ChosenAt | None = None,
) -> Located | None:
    """Find the place that names mean; `None` where there is none.

    Args:
        schema: Where classes are planned.
        root: Where to begin.
        names: The parts of the path, as they were written.
        normal: Brings the written and the schema's spelling of a name to one form.
        here: Where to begin instead of at the root.
        chosen: Knows which class stands at a place; otherwise all that may are looked at.
    """
    keys, plans, in_list = here or ((), (root,), False)
    if len(keys) + len(names) > DEEPEST:
        return None  # in a class within itself there is no end to what could be written
    for position, name in enumerate(names):
        found = _below(schema, plans, name, normal, chosen and chosen(keys))
        if found is not None:
            keys, plans = (*keys, found[0]), found[1]
            continue
        anything = next((plan for plan in plans if plan.is_open), None)
        if anything is not None:
            return Located((*keys, *names[position:]), (anything,), in_list)
        inside = [plan.mapping for plan in plans if isinstance(plan.mapping, Dictionary)]
        if not inside:
            return None
        value = inside[0].value
        if value.mapping is None and not value.is_open:
            # Nothing lies below such a value, so the dots are the key's own.
            text = inside[0].key_text(".".join(names[position:]))
            return Located((*keys, text), (value,), in_list)
        keys, plans = (*keys, inside[0].key_text(name)), (value,)
    return Located(keys, plans, in_list)


def locate_item(
    schema: Schema,
    root: Plan,
    written: str,
    normal: Callable[[str], str],
    chosen: ChosenAt | None = None,
) -> Located | None:
    """Find a place within a list, as in `layers[0].width`, or one beyond its end, as in `layers+`.

    The arguments are those of `locate`, with the whole path as it was written; `None` where
    that names nothing within a list. A set has no order, so that its items have no index.
    """
    here, at = Located((), (root,)), 0
    for item in _ITEM.finditer(written):
        found = _after(schema, here, written[at : item.start()], normal, chosen)
        index = ONE_MORE if item[1] is None else int(item[1])
        if found is None or not all(_may_hold(plan.sequence, index) for plan in found.plans):
            return None
        here, at = _item(found, index), item.end()
    return _after(schema, here, written[at:], normal, chosen) if here.in_list else None


def known_paths(schema: Schema, root: Plan) -> list[str]:
    """Every dotted path of a schema, for suggestions; a class within itself is cut short."""
    return list(_paths(schema, root, "", ()))


def choosing(path: str, tag: str, source: Source) -> str:
    """How to choose a class by its tag, in the words of where something was written."""
    key = join(path, TAG_KEY)
    return f"--{key.replace('_', '-')} {tag}" if source.kind == "cli" else f"{key} = {tag}"


def _after(
    schema: Schema,
    here: Located,
    written: str,
    normal: Callable[[str], str],
    chosen: ChosenAt | None,
) -> Located | None:
    """Find what is written behind a place, which begins with a dot unless nothing stands before."""
    if not written:
        return here if here.keys else None
    if here.keys and not written.startswith("."):
        return None
    names = written.removeprefix(".").split(".")
    return locate(schema, here.plans[0], names, normal, here=here, chosen=chosen)


def _may_hold(items: Items | None, index: int | None) -> bool:
    return items is not None and (index is ONE_MORE or items.make not in (set, frozenset))


def _item(found: Located, index: int | None) -> Located:
    lists = [plan.sequence for plan in found.plans if plan.sequence is not None]
    plans = tuple(items.plan_at(_counted(items, index)) for items in lists)
    return Located((*found.keys, index), plans, in_list=True)


def _counted(items: Items, index: int | None) -> int:
    """The place whose plan an item has; one that is not there has some other's."""
    if index is None or not items.fixed:
        return 0
    return index if index >= 0 else max(index + len(items.plans), 0)


def _below(
    schema: Schema,
    plans: tuple[Plan, ...],
    name: str,
    normal: Callable[[str], str],
    chosen: type | None,
) -> tuple[str, tuple[Plan, ...]] | None:
    key, wanted = "", normal(name)
    only = plans[0].mapping
    if len(plans) == 1 and isinstance(only, Choice) and only.only is not None:
        # Most classes are alone, and most names are written as they are.
        fields = schema.fields_of(only.only)
        if wanted in fields and not type.__subclasses__(only.only):
            return wanted, (fields[wanted].given,)
    if chosen is not None:
        fields = schema.fields_of(chosen)
        like = wanted if wanted in fields else _spelled(fields, wanted, normal)
        if like is not None:
            return like, (fields[like].given,)
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
        if plan.mapping.tag_key is not None and len(schema.alternatives(plan.mapping)) > 1:
            yield join(path, plan.mapping.tag_key)
        for fields in schema.planned_classes(plan.mapping):
            if fields.cls not in within:
                for key, field in fields.items():
                    below = join(path, key)
                    yield below
                    yield from _paths(schema, field.plan, below, (*within, fields.cls))
