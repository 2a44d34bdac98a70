"""Merging layers, the weaker below the stronger, by the plan of what is merged."""

from collections.abc import Mapping, Sequence
from typing import Any

from treadle_config.errors import Problem
from treadle_config.expansion import expanded
from treadle_config.fields import Field, Fields
from treadle_config.instances import default_tree, value_tree
from treadle_config.layering import shows_through
from treadle_config.links import Linked
from treadle_config.list_edits import ListEdits
from treadle_config.list_merge import ListMerge
from treadle_config.must_win import MustWin
from treadle_config.plans import Choice, Dictionary, Plan
from treadle_config.schema import Schema
from treadle_config.secret_values import Withheld
from treadle_config.settings import Merge as MergeRule
from treadle_config.subtypes import Dropped, Subtypes
from treadle_config.tree import DEFAULT, Node, join, shown

_NO_FIELDS = Fields(object, ())


class Merge:
    """Merges nodes by plan.

    What all layers say of a place is merged at once, so that the class that stands there is known
    before anything below it is merged.

    Attributes:
        dropped: What layers said of classes that are chosen no more, by dotted path.
        must_win: Told of what takes the place of what.
        late: What layers said of fields whose default is made only when all is built, by path.

    Args:
        schema: Where classes are planned.
        problems: Where to put what is wrong.
        root: The plan of the config, if problems are told.
    """

    def __init__(
        self, schema: Schema, problems: list[Problem], *, root: Plan | None = None
    ) -> None:
        self._schema = schema
        self._problems = problems
        self.must_win = MustWin(schema, root, problems)
        self.dropped: dict[str, Dropped] = {}
        self._subtypes = Subtypes(schema, self.must_win, problems, self.dropped)
        self.late: dict[str, Sequence[Node]] = {}
        self._unknown = False  # whether what is merged lies over a default that is not made yet

    def merge(
        self,
        plan: Plan,
        said: Sequence[Node],
        path: str,
        rule: MergeRule | None = None,
        *,
        below: Node | None = None,
        linked: Linked | None = None,
    ) -> Node | None:
        """Lay nodes over one another; a node that cannot be read is reported.

        Args:
            plan: What the value is.
            said: What layers say of it, the weakest first.
            path: Where it stands.
            rule: How the field wants it merged.
            below: The default, which lies below all of it, if it may show through.
            linked: The links into it, if there are any.

        Returns:
            All together; `None` where there is nothing.
        """
        said = self._readable(plan, said, path)
        if not said:
            return below
        last = said[-1]
        sequence, content = plan.sequence, last.content
        if isinstance(content, dict) and (plan.mapping is not None or plan.is_open):
            first = len(said) - 1  # of those that show through
            while first and shows_through(said[first - 1], said[first], rule):
                first -= 1
            if first:
                self.must_win.each(said[: first + 1], path, rule)
            run = said[first:] if first else said
            if first or run[0].replaces or rule == "replace" or not _is_mapping(below):
                below = None
            if isinstance(plan.mapping, Choice):
                return self._merge_class(plan.mapping, run, below, path, linked)
            return self._merge_entries(plan, run, below, path)
        if sequence is not None and isinstance(content, list | ListEdits):
            adds, unknown = rule == "append", self._unknown
            if sequence.are_scalars and len(said) == 1 and below is None and type(content) is list:
                return last
            merging = ListMerge(
                sequence, path, self._problems, self.must_win, adds=adds, unknown=unknown
            )
            return merging.merged(said, below, self.merge)
        if len(said) > 1:
            self.must_win.each(said, path)
        return last

    def class_in(self, choice: Choice, entries: Mapping[str, Node]) -> type | None:
        """The class that a mapping's tag chooses, or the only one there is."""
        return self._subtypes.class_in(choice, entries)

    def _readable(self, plan: Plan, said: Sequence[Node], path: str) -> Sequence[Node]:
        """Nodes, each as what it stands for; the last that a layer says where one is withheld."""
        if len(said) == 1 and (plan.is_scalar or type(said[0].content) is dict):
            return said
        found: list[Node] = []
        for node in said:
            one: Node | None = node
            edits = isinstance(node.content, ListEdits) and plan.sequence is not None
            if not (plan.is_scalar or edits or isinstance(node.content, dict)):
                one = expanded(self._schema, plan, node, path, self._problems)
            if one is None or (found and type(one.content) is Withheld):
                continue  # what is withheld was given again
            if found and type(found[-1].content) is Withheld and not edits:
                found.pop()
            found.append(one)
        return found

    def _merge_class(
        self,
        choice: Choice,
        run: Sequence[Node],
        below: Node | None,
        path: str,
        linked: Linked | None,
    ) -> Node:
        cls = self._subtypes.chosen(choice, run, below)
        fields = _NO_FIELDS if cls is None else self._schema.fields_of(cls)
        plain, last = fields.decoders, run[-1]
        default: Mapping[str, Node] = {} if below is None else below.content
        replaces = any(node.replaces for node in run) or (below is not None and below.replaces)
        if (
            len(run) == 1
            and default.keys() <= {choice.tag_key}
            and last.content.keys() <= plain.keys()
        ):
            # Nothing to merge: the one layer that says something of a class without parts.
            return Node({**default, **last.content}, last.source, replaces=replaces)
        known = self._unknown
        self._unknown = known and not run[0].replaces
        default, said = self._subtypes.by_key(choice, run, default, fields, path)
        entries = dict(default)
        for key, nodes in said.items():
            field, where = fields.get(key), join(path, key)
            if key in plain:
                if len(nodes) > 1:
                    self.must_win.each(nodes, where)
                entries[key] = nodes[-1]  # most are, and this is where time goes
            elif field is None or key == choice.tag_key:
                self.must_win.each(nodes, where)
                entries[key] = _unplanned(nodes)
            else:
                # Of an instance, which says all of itself.
                complete = run[0].replaces and nodes[0] is run[0].content.get(key)
                late = field.computed or (
                    linked is not None and linked.cls is cls and key in linked.links
                )
                merged = self._merge_field(
                    field, nodes, default.get(key), where, complete=complete, late=late
                )
                if merged is not None:
                    entries[key] = merged
        self._unknown = known
        return Node(entries, last.source, replaces=replaces)

    def _merge_field(
        self,
        field: Field,
        said: Sequence[Node],
        below: Node | None,
        path: str,
        *,
        complete: bool,
        late: bool,
    ) -> Node | None:
        """Merge what is said of a field over its default.

        Args:
            field: The field.
            said: What layers say of it.
            below: What the default of the object around it says of it.
            path: Where it stands.
            complete: Whether the weakest of the layers says all of it.
            late: Whether its default is made only after all layers.
        """
        edits = isinstance(said[0].content, ListEdits)
        if type(said[0].content) is Withheld and len(said) > 1:
            # What is given again for a dict or a list is the whole of what was left out.
            edits = isinstance(said[1].content, ListEdits)
            if not edits:
                said, below = said[1:], None
                complete = complete or not isinstance(field.given.mapping, Choice)
        complete = (complete or said[0].replaces) and not edits
        if below is None and not complete:
            below = self._default(field, edits=edits and not late)
        before = self._unknown
        if late and field.linked is None and (below is None or not below.replaces):
            # What is computed after all layers.
            self._unknown = True
            self.late[path] = said
        rule, linked = field.setting.merge, field.linked if late else None
        merged = self.merge(field.given, said, path, rule, below=below, linked=linked)
        self._unknown = before
        return merged

    def _merge_entries(
        self, plan: Plan, run: Sequence[Node], below: Node | None, path: str
    ) -> Node:
        """Merge dicts, and mappings that stand where any value may."""
        keys = plan.mapping if isinstance(plan.mapping, Dictionary) else None
        inside = plan if keys is None else keys.value
        default: Mapping[Any, Node] = {} if below is None else below.content
        said: dict[Any, list[Node]] = {}
        for node in run:
            written: dict[Any, Any] = {}
            for key, child in node.content.items():
                text = key if keys is None else keys.key_text(key)
                if written.setdefault(text, key) is not key:
                    hint = f"{shown(written[text])} and {shown(key)} are one key"
                    problem = Problem(join(path, text), child.source, "a second", "one value", hint)
                    self._problems.append(problem)
                else:
                    said.setdefault(text, []).append(child)
        entries = dict(default)
        for text, nodes in said.items():
            merged = self.merge(inside, nodes, join(path, text), below=default.get(text))
            if merged is not None:
                entries[text] = merged
        replaces = any(node.replaces for node in run) or (below is not None and below.replaces)
        return Node(entries, run[-1].source, replaces=replaces)

    def _default(self, field: Field, *, edits: bool) -> Node | None:
        """What lies below a field of which only a part is given."""
        if field.plan.is_scalar and not field.plan.is_open:
            return None
        dictionary = isinstance(field.plan.mapping, Dictionary) or field.plan.is_open
        adds = field.setting.merge == "append" or dictionary
        known = not (self._unknown or field.required or field.computed)
        if known and (adds or edits):
            return value_tree(self._schema, field.plan, field.default_in(None), DEFAULT)
        return default_tree(self._schema, field)


def _is_mapping(node: Node | None) -> bool:
    return node is not None and isinstance(node.content, dict)


def _unplanned(said: Sequence[Node]) -> Node:
    """Merge what no class says anything of: mappings merge, all else replaces."""
    merged = said[0]
    for high in said[1:]:
        if not (isinstance(merged.content, dict) and isinstance(high.content, dict)):
            merged = high
            continue
        entries = dict(merged.content)
        for key, child in high.content.items():
            entries[key] = _unplanned([entries[key], child]) if key in entries else child
        merged = Node(entries, high.source, replaces=merged.replaces)
    return merged
