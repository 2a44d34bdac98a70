"""Places in the merged tree: where links stand, what they read, and what that follows in turn."""

from collections.abc import Iterable, Iterator, Mapping

from treadle_config.fields import Field, Fields
from treadle_config.instances import default_tree
from treadle_config.links import LayerLink, Link
from treadle_config.merge import Merge
from treadle_config.paths import known_paths
from treadle_config.plans import Choice, Dictionary, Plan
from treadle_config.schema import Schema
from treadle_config.settings import Merge as MergeRule
from treadle_config.suggestions import did_you_mean, nearest_path
from treadle_config.tags import TAG_KEY, tag_of
from treadle_config.tree import Node, join


class Unknown(Exception):
    """A path of a link that leads nowhere, and what to do about it."""

    def __init__(self, path: str, hint: str) -> None:
        super().__init__(path)
        self.path = path
        self.hint = hint


class Pending:
    """A link of a layer that has not been computed.

    Attributes:
        path: Where it stands in the merged tree.
        node: It, as its layer has it.
        plan: What its value is; `None` where a link cannot stand.
        whole: The path of the value that it lies below or, where it cannot stand, within.
    """

    __slots__ = ("node", "path", "plan", "whole")

    def __init__(self, path: str, node: Node, plan: Plan | None, whole: str = "") -> None:
        self.path = path
        self.node = node
        self.plan = plan
        self.whole = whole

    @property
    def link(self) -> Link:
        """What it computes."""
        found: Link = self.node.content.link
        return found


class Place:
    """A place in the merged tree.

    Attributes:
        path: Its dotted path.
        owner: The object that it is a field of; `None` at the root.
        field: The field; `None` at the root, and where the object's class is not known yet.
        plan: What its value is, if that is known.
        node: What was given there, or the default of an object.
        is_given: Whether a layer says anything of it.
    """

    __slots__ = ("field", "is_given", "node", "owner", "path", "plan")

    def __init__(
        self,
        path: str,
        owner: "Place | None",
        field: Field | None,
        plan: Plan | None,
        node: Node | None = None,
        *,
        is_given: bool = False,
    ) -> None:
        self.path = path
        self.owner = owner
        self.field = field
        self.plan = plan
        self.node = node
        self.is_given = is_given

    @property
    def key(self) -> str:
        """The last part of its path."""
        return self.path.rpartition(".")[2]


class Places:
    """The places of a merged tree.

    Attributes:
        pending: The links that the tree holds, and those that lie hidden below it.

    Args:
        schema: Where classes are planned.
        root: The plan of the config.
        tree: Its layers, merged.
        below: Links of layers below which a stronger one says something, by path. Of those to
            an object it may say a part, and to a list it may add.
    """

    def __init__(self, schema: Schema, root: Plan, tree: Node, below: Mapping[str, Node]) -> None:
        self._schema = schema
        self._merge = Merge(schema, [])
        self._root = Place("", None, None, root, tree, is_given=True)
        self._root_plan = root
        self._hidden: set[str] = set()
        self.pending = list(self._links(root, tree, "", below))
        self._by_path = {one.path: one for one in self.pending}

    def at(self, path: str) -> Place:
        """Find a place.

        Raises:
            Unknown: No field of the classes that are chosen is called so.
        """
        place = self._root
        for key in path.split("."):
            place = self._below(place, key, path)
        return place

    def behind(self, places: Iterable[Place]) -> dict[Pending, tuple[str, ...]]:
        """The pending links that places follow, each with the paths that lead to it."""
        found: dict[Pending, tuple[str, ...]] = {}
        seen: set[str] = set()

        def visit(one: Place | Pending, chain: tuple[str, ...]) -> None:
            if isinstance(one, Pending):
                found.setdefault(one, chain)
            elif one.path not in seen:
                seen.add(one.path)
                for other in self._needs(one):
                    visit(other, (*chain, one.path))

        for place in places:
            visit(place, ())
        return found

    def holds_link(self, place: Place) -> bool:
        """Whether a link that is not computed stands at a place, or below it."""
        return place.path in self._by_path

    def fields(self, place: Place) -> Fields | None:
        """The fields of the object at a place, if its class is known."""
        node, choice = place.node, place.plan.mapping if place.plan else None
        if node is None or not isinstance(node.content, dict) or not isinstance(choice, Choice):
            return None
        cls = self._merge.class_in(choice, node.content)
        fits = cls is not None and issubclass(cls, choice.classes)
        return self._schema.fields_of(cls, place.path) if cls is not None and fits else None

    def named(self, base: Place, target: str) -> Place:
        """A place by the attributes that a link of the schema names."""
        place = base
        for name in target.split("."):
            fields: Mapping[str, Field] = self.fields(place) or {}
            keys = (key for key, one in fields.items() if one.name == name)
            place = self._below(place, next(keys, name.lstrip("_")), target)
        return place

    def earlier(self, place: Place) -> Iterator[Place]:
        """The fields that are declared before one."""
        assert place.owner is not None
        for key in self.fields(place.owner) or ():
            if key == place.key:
                break
            yield self._below(place.owner, key, place.path)

    def link_of(self, place: Place) -> tuple[Link, Place] | None:
        """The schema's link for what was not given, and where its paths begin."""
        owner, field = place.owner, place.field
        if owner is not None and owner.owner is not None:
            link = self.links_into(owner).get(place.key)
            if link is not None:
                return link, owner.owner
        if owner is None or field is None or field.link is None:
            return None
        return field.link, owner

    def links_into(self, place: Place) -> dict[str, Link]:
        """The links of `linked` into an object, for the fields of it that were not given."""
        node, choice = place.node, place.plan.mapping if place.plan else None
        linked = None if place.field is None else place.field.linked
        if linked is None or node is None or not isinstance(choice, Choice):
            return {}
        if not isinstance(node.content, dict):
            return {}
        chosen = self._merge.class_in(choice, node.content)
        if TAG_KEY in node.content and chosen is not linked.cls:
            return {}
        return {key: one for key, one in linked.links.items() if key not in node.content}

    def _below(self, place: Place, key: str, whole: str) -> Place:
        path = join(place.path, key)
        if place.plan is None:
            return Place(path, place, None, None)
        choice = place.plan.mapping
        if not isinstance(choice, Choice):
            raise Unknown(whole, f"{place.plan.expected} has no fields; link to the whole value")
        fields = self.fields(place)
        if fields is None or (key not in fields and place.path in self._hidden):
            plans = [one[key].plan for one in self._schema.planned_classes(choice) if key in one]
            if not plans:
                raise Unknown(whole, self._meant(choice, key, whole))
            return Place(path, place, None, plans[0] if len(plans) == 1 else None)
        if key not in fields:
            raise Unknown(whole, self._meant(choice, key, whole))
        field = fields[key]
        assert place.node is not None
        node = place.node.content.get(key)
        if node is not None:
            return Place(path, place, field, field.given, node, is_given=True)
        if place.path in self._hidden or is_over_computed(place):
            return Place(path, place, None, field.plan)
        return Place(path, place, field, field.plan, default_tree(self._schema, field))

    def _meant(self, choice: Choice, key: str, path: str) -> str:
        for fields in self._schema.planned_classes(choice):
            if key in fields and choice.tag_key is not None:
                chosen = f"{join(path.rpartition('.')[0], TAG_KEY)} = {tag_of(fields.cls)}"
                return f"{key} is a field of {fields.cls.__name__}; choose it with {chosen}"
        return did_you_mean(nearest_path(path, known_paths(self._schema, self._root_plan)))

    def _needs(self, place: Place) -> Iterator[Place | Pending]:
        """What a place follows directly."""
        field, owner = place.field, place.owner
        here = self._by_path.get(place.path)
        if here is not None:
            yield here
        if owner is None or isinstance(place.node and place.node.content, LayerLink):
            return
        if field is None:
            yield owner
            return
        if place.is_given:
            inside = f"{place.path}.", f"{place.path}["
            yield from (one for one in self.pending if one.path.startswith(inside))
        if place.node is None and (found := self.link_of(place)):
            link, base = found
            yield from (self.named(base, target) for target in link.paths)
        elif links := self.links_into(place):
            for link in links.values():
                yield from (self.named(owner, target) for target in link.paths)
        elif field.computed and (place.node is None or is_over_computed(place)):
            yield from self.earlier(place)

    def _links(
        self,
        plan: Plan | None,
        node: Node,
        path: str,
        below: Mapping[str, Node],
        rule: MergeRule | None = None,
    ) -> Iterator[Pending]:
        """The links that a tree holds or hides; not those of objects whose class is not known."""
        content = node.content
        if isinstance(content, LayerLink):
            if plan is not None:
                yield Pending(path, node, plan)
            return
        mapping = None if plan is None else plan.mapping
        sequence = None if plan is None else plan.sequence
        is_mapping = isinstance(content, dict) and mapping is not None
        is_list = isinstance(content, list) and sequence is not None
        added = (is_mapping and rule != "replace") or (is_list and rule == "append")
        if path in below and added and not node.replaces:
            self._hidden.add(path)
            yield Pending(path, below[path], plan, path)
        if is_mapping and isinstance(mapping, Choice):
            known = self.fields(Place(path, None, None, plan, node))
            fields: Mapping[str, Field] = known or {}
            for key, child in content.items():
                if (one := fields.get(key)) is not None:
                    inside = join(path, key)
                    yield from self._links(one.given, child, inside, below, one.setting.merge)
        elif is_mapping and isinstance(mapping, Dictionary):
            for key, child in content.items():
                yield from self._links(mapping.value, child, join(path, key), below)
        elif is_list and sequence is not None:
            for index, item in enumerate(content):
                yield from self._links(sequence.plan_at(index), item, f"{path}[{index}]", below)
        elif plan is not None:
            yield from (Pending(one, link, None, path) for one, link in links_within(node, path))


def links_within(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    """The links at or below a node, each with its path."""
    content = node.content
    if isinstance(content, LayerLink):
        yield path, node
    elif isinstance(content, dict):
        for key, child in content.items():
            yield from links_within(child, join(path, key))
    elif isinstance(content, list):
        for index, child in enumerate(content):
            yield from links_within(child, f"{path}[{index}]")


def is_over_computed(place: Place) -> bool:
    """Whether what was given for an object lies over what a decorated default makes."""
    field, node = place.field, place.node
    if field is None or node is None or not isinstance(node.content, dict) or node.replaces:
        return False
    return field.computed and field.link is None and field.linked is None
