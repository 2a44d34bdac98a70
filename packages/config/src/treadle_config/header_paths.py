"""The paths that the header of a dump names: what follows links, is complete, or is text."""

from collections.abc import Iterator
from typing import Any

from treadle_config.generics import bare
from treadle_config.instances import gives, is_default
from treadle_config.leaves import is_ambiguous
from treadle_config.merge import Merge
from treadle_config.plans import Choice, Dictionary, Plan
from treadle_config.schema import Schema
from treadle_config.settings import Merge as MergeRule
from treadle_config.tree import Node, Source, join, nodes_of


def following(schema: Schema, plan: Plan, value: Any, path: str) -> Iterator[str]:
    """The paths of fields that are as a link or a decorated default gives them."""
    mapping, sequence = plan.mapping, plan.sequence
    if isinstance(mapping, Choice) and mapping.accepts(value):
        for key, field in schema.fields_in(mapping, type(value)).items():
            inner, below = getattr(value, field.name), join(path, key)
            linked = field.linked
            if linked is None and field.computed and is_default(field, value):
                yield below
                continue
            if linked is not None and isinstance(linked.cls, type):
                made = type(inner) is bare(linked.cls)
                inside = schema.fields_of(linked.cls) if made else {}
                for name, link in linked.links.items():
                    if name in inside and gives(link, value, inside[name], inner):
                        yield join(below, name)
            yield from following(schema, field.plan, inner, below)
    elif isinstance(mapping, Dictionary) and isinstance(value, dict):
        for key, child in value.items():
            below = join(path, mapping.key.encode(key))
            yield from following(schema, mapping.value, child, below)
    elif sequence is not None and isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from following(schema, sequence.plan_at(index), item, f"{path}[{index}]")


def texts_in(schema: Schema, plan: Plan, value: Any, written: Any, path: str = "") -> Iterator[str]:
    """The paths of texts that would be read back as another type of a union, such as a path.

    Args:
        schema: Where classes are planned.
        plan: What the value is.
        value: The value.
        written: What is dumped of it.
        path: Where it stands.
    """
    mapping, sequence = plan.mapping, plan.sequence
    if isinstance(value, str):
        if is_ambiguous(plan, value):
            yield path
    elif isinstance(mapping, Choice) and mapping.accepts(value) and isinstance(written, dict):
        for key, field in schema.fields_in(mapping, type(value)).items():
            if key in written and field.given is field.plan:
                inner, below = getattr(value, field.name), join(path, key)
                yield from texts_in(schema, field.plan, inner, written[key], below)
    elif isinstance(mapping, Dictionary) and isinstance(value, dict) and isinstance(written, dict):
        for name, child in value.items():
            key = str(mapping.key.encode(name))
            if key in written:
                yield from texts_in(schema, mapping.value, child, written[key], join(path, key))
    elif sequence is not None and isinstance(value, list | tuple) and isinstance(written, list):
        for index, (item, inner) in enumerate(zip(value, written, strict=False)):
            yield from texts_in(schema, sequence.plan_at(index), item, inner, f"{path}[{index}]")


def added_to(schema: Schema, root: Plan, written: Any, full: Any) -> Iterator[str]:
    """The paths of dicts and lists to which reading a dump would add entries of the defaults.

    Args:
        schema: Where classes are planned.
        root: The plan of the config.
        written: What is dumped of it.
        full: All that could be.
    """
    reading = _Reading(schema)
    merged = reading.merge.merge(root, [nodes_of(written, Source("file"))], "")
    if merged is not None:
        yield from reading.added(root, merged, full, "")


class _Reading:
    """What comes of a dump when it is read, beside what was dumped."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.merge = Merge(schema, [])

    def added(
        self, plan: Plan, node: Node, full: Any, path: str, rule: MergeRule | None = None
    ) -> Iterator[str]:
        """The paths at or below one of what has more entries than it should."""
        content, mapping, sequence = node.content, plan.mapping, plan.sequence
        if isinstance(content, dict) and isinstance(full, dict) and isinstance(mapping, Choice):
            cls = self.merge.class_in(mapping, content)
            fields = None if cls is None else self._schema.fields_of(cls)
            for key, child in content.items():
                field = None if fields is None else fields.get(key)
                if field is not None and key in full:
                    below, inner = join(path, key), full[key]
                    inside = field.setting.merge
                    yield from self.added(field.given, child, inner, below, inside)
        elif (
            isinstance(content, dict) and isinstance(full, dict) and isinstance(mapping, Dictionary)
        ):
            if not content.keys() <= full.keys():
                yield path
            for key in content.keys() & full.keys():
                below = join(path, key)
                yield from self.added(mapping.value, content[key], full[key], below)
        elif isinstance(content, dict) and isinstance(full, dict) and plan.is_open:
            if not content.keys() <= full.keys():
                yield path
            for key in content.keys() & full.keys():
                yield from self.added(plan, content[key], full[key], join(path, key))
        elif isinstance(content, list) and isinstance(full, list) and sequence is not None:
            more = len(content) - len(full)
            if rule == "append" and more:
                yield path
            for index, (child, inner) in enumerate(
                zip(content[max(more, 0) :], full, strict=False)
            ):
                below = f"{path}[{index}]"
                yield from self.added(sequence.plan_at(index), child, inner, below)
