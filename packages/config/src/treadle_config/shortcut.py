"""Reading what is planned the short way, as long as nothing is wrong with it.

Values that are decoded by the thousand come from code, one by one, and are right. Most layers that
are loaded are right as well, and nobody asks where each value came from. Whatever is not as simple
as that is left to the one pass over nodes, which makes the same, and says what is wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from treadle_config.declared_defaults import fits
from treadle_config.dump_header import DumpLayer
from treadle_config.fields import Field, Fields
from treadle_config.fresh import default_anew
from treadle_config.instances import default_tree
from treadle_config.plans import Choice, Dictionary, Items, Plan
from treadle_config.schema import Schema
from treadle_config.tags import TAG_KEY
from treadle_config.tree import Node, is_null

Reader = Callable[[Any], Any]

UNREAD: Any = object()
"""Stands for what needs the whole pass."""


class NotSimple(Exception):
    """The value, or its type, needs the whole pass."""


class Shortcut:
    """Readers of planned types, each made once."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._classes: dict[type, Reader] = {}

    def of_layers(self, plan: Plan, layers: Sequence[Node]) -> Any:
        """What layers say together, the weakest first; `UNREAD` where that is not simple."""
        said: dict[Any, Any] = {}
        try:
            for layer in layers:
                # The header of a dump says more of it.
                if isinstance(layer, DumpLayer) or layer.source.must_win:
                    return UNREAD
                _lay(said, layer)
            return self.reader(plan)(said)
        except Exception:  # noqa: BLE001  # whatever it is, the whole pass says it better
            return UNREAD

    def reader(self, plan: Plan, default: type | None = None) -> Reader:
        """A function that reads values of a type; it may raise anything where one is not right.

        Args:
            plan: The plan of the type.
            default: The class that is meant where the value does not choose one.
        """
        if plan.is_scalar:
            return _scalar(plan)
        if plan.leaves or (plan.sequence is not None and plan.mapping is not None):
            return _not_simple
        if plan.sequence is not None:
            read = self._sequence(plan.sequence)
        elif isinstance(plan.mapping, Dictionary):
            read = self._dictionary(plan.mapping)
        else:
            assert plan.mapping is not None
            read = self._object(plan.mapping, default or plan.mapping.only)
        return (lambda value: None if is_null(value) else read(value)) if plan.optional else read

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

    def _object(self, choice: Choice, default: type | None) -> Reader:
        tag_key, usual = choice.tag_key, self._chosen(choice, default)

        def read_object(value: Any) -> Any:
            if type(value) is not dict:
                raise NotSimple
            if tag_key is None or tag_key not in value:
                return usual(value)
            inside = dict(value)
            cls = self._schema.class_of(choice, inside.pop(tag_key))
            return self._chosen(choice, cls)(inside)

        return read_object

    def _chosen(self, choice: Choice, cls: type | None) -> Reader:
        if cls is None:
            return _not_simple
        fields, found = self._schema.fields_of(cls), self._classes.get(cls)
        if cls is not choice.only and TAG_KEY in fields:
            return _not_simple
        if found is None:
            readers = {key: _scalar(fields[key].plan) for key in fields.decoders}
            found = self._classes[cls] = self._of_fields(fields, readers)
            # Only now, since a class may hold itself.
            readers.update((one.key, self._field(one)) for one in fields.others)
        return found

    def _of_fields(self, fields: Fields, readers: Mapping[str, Reader]) -> Reader:
        cls, computed = fields.cls, fields.computed
        # What their constructor would not make, or would share.
        made_here = [*fields.required, *filter(_is_made_here, fields.others)]

        def read_instance(value: Any) -> Any:
            given = {}  # by a loop, since a comprehension is one more call
            for key, child in value.items():
                given[key] = readers[key](child)
            for one in made_here:
                if one.key not in given and not one.is_shareable:
                    given[one.key] = _default(one, readers[one.key])
            made = cls(**given)
            for one in (*fields.factories, *computed) if fields.factories else computed:
                if one.key not in given and not fits(one.plan, getattr(made, one.name)):
                    raise NotSimple
            if fields.factories:
                fields.seen_without(given)
            return made

        return read_instance

    def _field(self, field: Field) -> Reader:
        plan, mapping = field.given, field.given.mapping
        if plan.is_scalar:
            return _scalar(plan)
        if field.converter is not None or field.computed or field.setting.merge is not None:
            return _not_simple
        # What a default says of itself shines through what is given.
        default: Any = None
        has_none = field.required or field.default is None
        if isinstance(mapping, Dictionary) and not (has_none or field.factory is dict):
            return _not_simple
        if isinstance(mapping, Choice) and not has_none:
            if field.factory is not None and not isinstance(field.factory, type):
                return _not_simple  # it may make another at each time
            below = default_tree(self._schema, field)
            default = None if below is None else below.content.get(mapping.tag_key)
            if below is None or len(below.content) > (default is not None):
                return _not_simple
        return self.reader(plan, None if default is None else default.content)


def _lay(into: dict[Any, Any], layer: Node) -> None:
    """Lay what a layer says over what weaker ones do."""
    if layer.replaces:
        raise NotSimple
    for key, child in layer.content.items():
        content = child.content
        kind = type(content)
        if kind is dict and key in into:
            below = into[key]
            if type(below) is not dict or (below and TAG_KEY in content):
                raise NotSimple  # another class may be chosen, with fields of its own
            _lay(below, child)
        elif child.replaces:
            raise NotSimple
        else:
            into[key] = _alone(child) if kind is dict or kind is list else content


def _alone(node: Node) -> Any:
    """What a node says by itself."""
    content = node.content
    if type(content) is list:
        return [_alone(item) for item in content]
    if type(content) is not dict:
        return content
    said: dict[Any, Any] = {}
    _lay(said, node)
    return said


def _scalar(plan: Plan) -> Reader:
    if not [leaf for leaf in plan.leaves if leaf.is_whole]:
        return plan.read

    def read_whole(value: Any) -> Any:
        if isinstance(value, dict | list):
            raise NotSimple  # whoever reads it expects nodes
        return plan.read(value)

    return read_whole


def _default(field: Field, read: Reader) -> Any:
    """An object that is the default of a field, with lists and dicts of its own."""
    if field.required:
        raise NotSimple
    return default_anew(field) if field.factory is None else read({})


def _is_made_here(field: Field) -> bool:
    """Whether a field without a value needs one, or a default made in the class it is of."""
    is_object = isinstance(field.plan.mapping, Choice) and not field.computed
    return field.required or field.linked is not None or is_object


def _not_simple(_value: Any) -> Any:
    raise NotSimple
