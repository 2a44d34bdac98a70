"""What links in layers read, before all is built.

Nothing is read but what a link asks for, so that one field of an object may follow another.
"""

from typing import TYPE_CHECKING, Any

from treadle_config.fields import Field, is_class
from treadle_config.link_places import Place, Places, Unknown, is_over_computed
from treadle_config.links import Link
from treadle_config.plans import Choice
from treadle_config.tags import TAG_KEY
from treadle_config.tree import BAD, DEFAULT, LINK, Computed, Node

if TYPE_CHECKING:
    from treadle_config.build import Build


class Unreadable(Exception):
    """A value that cannot be read; the problem with it is found when all is built."""


class Inputs:
    """Reads what links ask for.

    Args:
        build: What is being built.
        places: The places of its merged tree.
    """

    def __init__(self, build: "Build", places: Places) -> None:
        self._build = build
        self._schema = build.schema
        self._places = places

    def value(self, place: Place) -> Any:
        """The value of a place that follows no pending link.

        Raises:
            Unreadable: It has none; when all is built, that is a problem.
            Unknown: The object that it is a field of has no such field after all.
        """
        field, owner = place.field, place.owner
        if self._places.holds_link(place):
            raise Unreadable  # a link that has failed
        if owner is None or field is None:
            return self._attribute(place)
        if place.node is not None:
            node = self._completed(place, place.node)
            value = self._build.early(field, node, place.path)
            if value is BAD:
                raise Unreadable
        elif found := self._places.link_of(place):
            value = self._computed(*found)
        else:
            value = self._default(place, field)
        return self._checked(place, field, value)

    def _attribute(self, place: Place) -> Any:
        """A field of an object whose class is known only when there is one."""
        assert place.owner is not None, "a path has at least one part"
        whole = self.value(place.owner)
        if is_class(type(whole)):
            fields = self._schema.fields_of(type(whole))
            if place.key in fields:
                return getattr(whole, fields[place.key].name)
        raise Unknown(place.path, f"{place.owner.path} is {type(whole).__name__} there")

    def _computed(self, link: Link, base: Place) -> Any:
        values = [self.value(self._places.named(base, target)) for target in link.paths]
        try:
            return link.compute(*values)
        except Exception:  # noqa: BLE001  # the user's function; reported when all is built
            raise Unreadable from None

    def _completed(self, place: Place, node: Node) -> Node:
        """What was given for an object, over what `linked` or a decorated default say of it."""
        field = place.field
        if field is None or not isinstance(node.content, dict):
            return node
        if links := self._places.links_into(place):
            assert field.linked is not None
            assert place.owner is not None
            content = dict(node.content)
            choice = field.plan.mapping
            if isinstance(choice, Choice) and choice.tag_key is not None:
                content = {TAG_KEY: Node(field.linked.cls, DEFAULT), **content}
            for key, link in links.items():
                content[key] = Node(Computed(self._computed(link, place.owner)), LINK)
            return Node(content, node.source)
        if is_over_computed(place):
            return self._build.defaults.over_computed(
                field, node, self._instance(place), place.path
            )
        return node

    def _default(self, place: Place, field: Field) -> Any:
        if field.required:
            raise Unreadable
        instance = self._instance(place) if field.computed else None
        try:
            return field.default_in(instance)
        except Exception:  # noqa: BLE001  # the user's factory; reported when all is built
            raise Unreadable from None

    def _instance(self, place: Place) -> Any:
        """An instance of the class that a field is of, with the earlier fields set."""
        assert place.owner is not None
        fields = self._places.fields(place.owner)
        assert fields is not None
        instance: Any = object.__new__(fields.cls)
        for one in self._places.earlier(place):
            assert one.field is not None
            object.__setattr__(instance, one.field.name, self.value(one))
        return instance

    def _checked(self, place: Place, field: Field, value: Any) -> Any:
        """A value as the object would have it.

        Raises:
            Unreadable: The converter or the validator refuses it.
        """
        assert place.owner is not None
        fields = self._places.fields(place.owner)
        assert fields is not None
        instance: Any = object.__new__(fields.cls)
        try:
            value = field.converted(value, instance)
            if field.attribute is not None and field.attribute.validator is not None:
                object.__setattr__(instance, field.name, value)
                field.attribute.validator(instance, field.attribute, value)
        except AttributeError:
            return value  # it looks at other fields, which will be there when all is built
        except Exception:  # noqa: BLE001  # the user's; reported when all is built
            raise Unreadable from None
        return value
