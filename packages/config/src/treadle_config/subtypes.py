"""Which class layers choose together, and what of their values goes with another choice."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from treadle_config.errors import Problem
from treadle_config.fields import Field, Fields, owner_of
from treadle_config.layering import layers_of
from treadle_config.list_edits import ListEdits
from treadle_config.must_win import MustWin, values_in
from treadle_config.plans import Choice
from treadle_config.schema import Schema
from treadle_config.tags import tag_of
from treadle_config.tree import Node, join


class Dropped(NamedTuple):
    """What a layer said of a class that is chosen no more.

    Attributes:
        node: What it said.
        tag: What chose another class.
        tag_path: Where that stands.
    """

    node: Node
    tag: Node
    tag_path: str


class Subtypes:
    """Finds the class that all layers choose together, and what they say of its fields.

    Args:
        schema: Where classes are planned.
        must_win: Told of what takes the place of what.
        problems: Where to put what is wrong.
        dropped: Where to put what was said of other classes, by path.
    """

    def __init__(
        self,
        schema: Schema,
        must_win: MustWin,
        problems: list[Problem],
        dropped: dict[str, Dropped],
    ) -> None:
        self._schema = schema
        self._must_win = must_win
        self._problems = problems
        self._dropped = dropped

    def class_in(self, choice: Choice, entries: Mapping[str, Node]) -> type | None:
        """The class that a mapping's tag chooses, or the only one there is."""
        tagged = entries.get(choice.tag_key) if choice.tag_key else None
        return self._schema.class_of(choice, None if tagged is None else tagged.content)

    def chosen(self, choice: Choice, run: Sequence[Node], below: Node | None) -> type | None:
        """The class that the strongest tag chooses, the default's where there is none.

        Args:
            choice: The classes that may stand there.
            run: Mappings, the weakest first.
            below: The default, if it may show through.
        """
        for node in reversed(run):
            if choice.tag_key is not None and choice.tag_key in node.content:
                return self.class_in(choice, node.content)
        return self.class_in(choice, {} if below is None else below.content)

    def by_key(
        self,
        choice: Choice,
        run: Sequence[Node],
        default: Mapping[str, Node],
        fields: Fields,
        path: str,
    ) -> tuple[Mapping[str, Node], dict[str, list[Node]]]:
        """What a default, and what layers say of each field, the weakest first.

        Where a layer chooses another class, the default of the former one says nothing, and what
        weaker layers said of its fields is dropped, save of those that both inherit.

        Args:
            choice: The classes that may stand there.
            run: Mappings, the weakest first.
            default: What the default says.
            fields: Those of the class that is chosen in the end.
            path: Where they stand.
        """
        if len(run) == 1 and not default:
            return default, {
                key: [child] for key, child in _nested(run[0], fields, path, self._problems)
            }
        said: dict[str, list[Node]] = {}
        tag, cls = choice.tag_key, self.class_in(choice, default)
        for layer in layers_of(run):
            tagged = [node.content for node in layer if tag is not None and tag in node.content]
            if tagged:
                chosen = self.class_in(choice, tagged[-1])
                if chosen is not None and cls is not None and chosen is not cls:
                    assert tag is not None
                    default = {}
                    self._drop(said, (cls, chosen), tagged[-1][tag], join(path, tag))
                cls = chosen
            for node in layer:
                for key, child in _nested(node, fields, path, self._problems):
                    said.setdefault(key, []).append(child)
        return default, said

    def _drop(
        self, said: dict[str, list[Node]], classes: tuple[type, type], tag: Node, tag_path: str
    ) -> None:
        before, after = map(self._schema.fields_of, classes)
        path, _, tag_key = tag_path.rpartition(".")
        # Then the problem is the tag, and not all that goes with it.
        pinned = any(node.source.must_win for node in said.get(tag_key, ()))
        for key in [key for key in said if key in before and not _is_shared(before, after, key)]:
            for node in said.pop(key):
                where = join(path, key)
                if not pinned:
                    self._must_win.dropped(node, tag, where, tag_of(after.cls))
                for one, value in values_in(node, where):
                    changes = isinstance(value.content, ListEdits) and one in self._dropped
                    if not (changes or isinstance(value.content, type)):
                        self._dropped[one] = Dropped(value, tag, tag_path)


def _is_shared(before: Fields, after: Fields, key: str) -> bool:
    """Whether two classes inherit a field from one that declares it; then it is one field."""
    one, other = before[key], after.get(key)
    return other is not None and owner_of(one, before.cls) is owner_of(other, after.cls)


def _nested(
    node: Node, fields: Mapping[str, Field], path: str, problems: list[Problem]
) -> Iterable[tuple[str, Node]]:
    """The entries of a mapping; `{"data.root": …}` in code is `{"data": {"root": …}}`."""
    entries: dict[str, Node] = node.content
    if node.source.kind not in ("code", "layer"):
        return entries.items()
    if not any("." in str(key) and key not in fields for key in node.content):
        return entries.items()
    # Imported here: most keys are not dotted.
    from treadle_config.dotted_keys import nested

    return nested(node, fields, path, problems).items()
