"""Reading a plain value of a planned type the short way, as long as nothing is wrong with it.

Values that are decoded by the thousand come from code, one by one, and are right: there are no
layers to merge, and no sources to tell. Whatever is not as simple as that is left to the one pass
over nodes, which also says what is wrong.
"""

from collections.abc import Callable
from typing import Any

from attrs import NOTHING

from treadle_config.fields import Field, Fields
from treadle_config.instances import default_tree
from treadle_config.plans import Choice, Dictionary, Items, Plan
from treadle_config.schema import Schema

Reader = Callable[[Any], Any]


class NotSimple(Exception):
    """The value, or its type, needs the whole pass."""


class Shortcut:
    """Readers of planned types, each made once."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._classes: dict[type, Reader] = {}

    def reader(self, plan: Plan) -> Reader:
        """A function that reads values of a type; it may raise anything where one is not right."""
        if plan.leaves and (plan.sequence is not None or plan.mapping is not None):
            return _not_simple
        if isinstance(plan.mapping, Choice) and plan.sequence is None:
            read = self._class(plan.mapping)
        elif isinstance(plan.mapping, Dictionary) and plan.sequence is None:
            read = self._dictionary(plan.mapping)
        elif plan.sequence is not None and plan.mapping is None:
            read = self._sequence(plan.sequence)
        elif plan.is_scalar:
            read = plan.leaves[0].decode if len(plan.leaves) == 1 else plan.decode
        else:
            return _not_simple
        return _or_none(read) if plan.optional else read

    def _sequence(self, items: Items) -> Reader:
        if items.fixed:
            return _not_simple
        read, make = self.reader(items.plan_at(0)), items.make

        def read_items(value: Any) -> Any:
            if type(value) is not list:
                raise NotSimple
            return make([read(item) for item in value])

        return read_items

    def _dictionary(self, plan: Dictionary) -> Reader:
        read_key, read = plan.key.decode, self.reader(plan.value)

        def read_entries(value: Any) -> Any:
            if type(value) is not dict:
                raise NotSimple
            made = {read_key(key): read(child) for key, child in value.items()}
            if len(made) < len(value):  # 1 and "1" are one key
                raise NotSimple
            return made

        return read_entries

    def _class(self, choice: Choice) -> Reader:
        cls = choice.only
        if cls is None:
            return _not_simple
        found = self._classes.get(cls)
        if found is None:
            # A class may hold itself, and is not there yet.
            self._classes[cls] = lambda value: self._classes[cls](value)  # noqa: PLW0108
            found = self._classes[cls] = self._of_fields(self._schema.fields_of(cls))
        return found

    def _of_fields(self, fields: Fields) -> Reader:
        readers = {key: self._field(one) for key, one in fields.items()}
        cls, links = fields.cls, fields.unconverted_links
        # Their defaults are built anew for each config.
        unshared = frozenset(one.key for one in fields.others if not self._may_be_left_out(one))

        def read_instance(value: Any) -> Any:
            if type(value) is not dict or not unshared <= value.keys():
                raise NotSimple
            made = cls(**{key: readers[key](child) for key, child in value.items()})
            for one in links:
                if not one.plan.accepts(getattr(made, one.name)):
                    raise NotSimple
            return made

        return read_instance

    def _field(self, field: Field) -> Reader:
        if field.is_plain:
            return field.plan.leaves[0].decode
        added = field.setting.merge == "append" or isinstance(field.plan.mapping, Dictionary)
        if field.converter is not None or field.computed:
            return _not_simple
        if added and not field.required and field.default_in(None):
            return _not_simple
        if isinstance(field.plan.mapping, Choice) and not field.required:
            # What a default instance says of itself shines through what is given.
            below = default_tree(self._schema, field)
            if below is None or below.content.keys() - {field.plan.mapping.tag_key}:
                return _not_simple
        return self.reader(field.plan)

    def _may_be_left_out(self, field: Field) -> bool:
        return field.is_shareable or field.factory is not None or field.default is NOTHING


def _or_none(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)


def _not_simple(_value: Any) -> Any:
    raise NotSimple
