"""The one strict pass: from the merged tree to the object, with every problem collected."""

from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field

from treadle_config.class_defaults import BAD, ClassDefaults
from treadle_config.declared_fields import (
    ClassPlan,
    FieldPlan,
    converted,
    partial_instance,
)
from treadle_config.diagnosis import diagnose
from treadle_config.errors import Problem
from treadle_config.leaves import reason
from treadle_config.merge import tag_text
from treadle_config.paths import class_plans
from treadle_config.plans import (
    Alternatives,
    Choice,
    Dictionary,
    Items,
    Leaf,
    Plan,
    Tuple,
    is_optional,
    mapping_of,
    sequence_of,
)
from treadle_config.scalars import Mismatch, decode_anything
from treadle_config.schema import Schema
from treadle_config.settings import tag_of
from treadle_config.suggestions import did_you_mean, nearest, nearest_path
from treadle_config.tags import TAG_KEY
from treadle_config.tree import (
    DEFAULT,
    LINK,
    NULL_WORDS,
    Computed,
    Node,
    Plain,
    Source,
    Verbatim,
    join,
    plain_value,
    shown,
)


@define(eq=False)
class Build:
    """One pass over a tree.

    Afterwards `sources` says where each value came from, by dotted path, `values` holds those
    that could be built, and `problems` what is wrong.

    Attributes:
        known_paths: Lists the schema's paths; only called for a suggestion.
    """

    schema: Schema
    problems: list[Problem]
    known_paths: Callable[[], Iterable[str]]
    defaults: ClassDefaults
    sources: dict[str, Source] = field(factory=dict)
    values: dict[str, Any] = field(factory=dict)

    def value(self, plan: Plan, node: Node, path: str) -> Any:
        """Build one value of a planned type; `BAD` where that cannot be."""
        content = node.content
        mapping, sequence = mapping_of(plan), sequence_of(plan)
        if isinstance(content, dict) and isinstance(mapping, Choice):
            return self._object(mapping, node, path)
        self.sources[path] = node.source
        if isinstance(content, dict) and isinstance(mapping, Dictionary):
            return self._dictionary(mapping, node, path)
        if isinstance(content, list) and sequence is not None:
            return self._sequence(sequence, node, path)
        value = self._scalar(plan, node, path)
        if value is not BAD:
            self.values[path] = value
        return value

    def _scalar(self, plan: Plan, node: Node, path: str) -> Any:
        content = node.content
        if isinstance(content, Computed):
            value = content.value
            return value if plan.accepts(value) else self._bad(path, node, plan.expected)
        if is_optional(plan) and _is_null(content, plan):
            return None
        hint = ""
        if isinstance(plan, Leaf | Alternatives):
            try:
                return plan.decode(_unwritten(node))
            except Mismatch as mismatch:
                hint = mismatch.hint
        if not hint and content == "None" and is_optional(plan):
            hint = "write null for None"
        if not hint and isinstance(mapping_of(plan), Choice) and _is_null(content, plan):
            hint = "leave the key out to keep the default"
        return self._bad(path, node, plan.expected, hint)

    def _sequence(self, plan: Items | Tuple, node: Node, path: str) -> Any:
        items = [
            self.value(plan.plan_at(index), item, f"{path}[{index}]")
            for index, item in enumerate(node.content)
        ]
        if isinstance(plan, Tuple):
            if len(items) != len(plan.items):
                hint = f"it has {_counted(len(items))} instead of {len(plan.items)}"
                return self._bad(path, node, plan.expected, hint)
            return BAD if any(item is BAD for item in items) else tuple(items)
        if any(item is BAD for item in items):
            return BAD
        try:
            return plan.make(items)
        except TypeError as error:  # a set of what cannot be hashed
            return self._bad(path, node, plan.expected, reason(error))

    def _dictionary(self, plan: Dictionary, node: Node, path: str) -> Any:
        made = {}
        bad = False
        for text, child in node.content.items():
            below = join(path, text)
            value = self.value(plan.value, child, below)
            try:
                made[plan.key.decode(text)] = value
            except Mismatch as mismatch:
                wanted = f"a key of type {plan.key.expected}"
                self._bad(below, Node(text, child.source), wanted, mismatch.hint)
                bad = True
            bad = bad or value is BAD
        return BAD if bad else made

    def _object(self, choice: Choice, node: Node, path: str) -> Any:
        cls = self._chosen(choice, node, path)
        if cls is None:
            return BAD
        return self._instance(self.schema.of_class(cls, path), choice, node, path)

    def _chosen(self, choice: Choice, node: Node, path: str) -> type | None:
        alternatives = self.schema.alternatives(choice)
        tags = ", ".join(alternatives)
        below = join(path, TAG_KEY)
        tagged = node.content.get(choice.tag_key) if choice.tag_key else None
        if tagged is None:
            only = self.schema.only_class(choice)
            if only is None:
                hint = f"choose one with {below}: {tags}"
                wanted = choice.expected
                self.problems.append(Problem(path, node.source, "no choice", wanted, hint))
            return only
        self.sources[below] = tagged.source
        if isinstance(tagged.content, type):
            if issubclass(tagged.content, choice.classes):
                self.values[below] = tag_of(tagged.content)
                return tagged.content
            self._bad(below, Node(tag_text(tagged), tagged.source), f"one of {tags}")
            return None
        text = str(tagged.content)
        found = alternatives.get(text, [])
        if len(found) == 1:
            self.values[below] = text
            return found[0]
        if found:
            names = " and ".join(cls.__qualname__ for cls in found)
            hint = f'{names} share it; give one another with @setting(tag="...")'
        else:
            hint = did_you_mean(nearest(text, alternatives))
        self._bad(below, tagged, f"one of {tags}", hint)
        return None

    def _instance(self, plan: ClassPlan, choice: Choice, node: Node, path: str) -> Any:
        for key, child in node.content.items():
            if key not in plan.fields and key != choice.tag_key:
                self._unknown(plan, choice, str(key), child, path)
        given: dict[str, Any] = {}
        for one in plan.fields.values():
            below = join(path, one.key)
            child = self.defaults.completed(plan, one, node.content.get(one.key), given, below)
            if child is None:
                if one.required:
                    self._missing(one, below)
                    given[one.key] = BAD
                continue
            if one.link is not None:
                self.defaults.overridden.add(below)
            given[one.key] = self._given(one, child, below)
        good = {key: value for key, value in given.items() if value is not BAD}
        bad = given.keys() - good.keys()
        made = BAD
        if bad:
            self.problems += diagnose(plan, node, path, good, bad)
        else:
            made = self._made(plan, node, good, path)
        seen = partial_instance(plan, good, without=bad)[0] if made is BAD else made
        self._note_defaults(plan, seen, given, path)
        return made

    def _made(self, plan: ClassPlan, node: Node, given: dict[str, Any], path: str) -> Any:
        try:
            made = plan.cls(**given)
        except Exception as error:  # noqa: BLE001  # validators, converters, __attrs_post_init__
            self.problems += diagnose(plan, node, path, given, (), error=error)
            return BAD
        for one in plan.fields.values():
            if one.link is None or one.key in given or one.converter is not None:
                continue
            value = getattr(made, one.name)
            if not one.plan.accepts(value):
                self._bad(join(path, one.key), Node(value, LINK), one.plan.expected)
                made = BAD
        return made

    def _given(self, one: FieldPlan, child: Node, path: str) -> Any:
        if one.converter is None or one.given is not one.plan:
            return self.value(one.given, child, path)
        if isinstance(child.content, Computed):
            self.sources[path] = child.source
            return child.content.value
        # A converter that does not say what it takes gets the declared type where the value
        # has it, and otherwise what was written.
        known = len(self.problems)
        value = self.value(one.given, child, path)
        if value is not BAD or isinstance(child.content, dict):
            return value
        raw = plain_value(child)
        try:
            converted(one, raw, None)
        except Exception as error:  # noqa: BLE001  # the user's converter
            del self.problems[known:]
            return self._bad(path, child, one.plan.expected, reason(error))
        del self.problems[known:]
        return raw

    def _note_defaults(self, plan: ClassPlan, made: Any, given: dict[str, Any], path: str) -> None:
        for one in plan.fields.values():
            if one.key in given or not hasattr(made, one.name):
                continue
            below = join(path, one.key)
            self.sources[below] = DEFAULT if one.link is None else LINK
            if one.link is not None:
                self.defaults.note(below, one.link, path)
            value = getattr(made, one.name)
            choice = mapping_of(one.plan)
            if not (isinstance(choice, Choice) and isinstance(value, choice.classes)):
                self.values[below] = value

    def _missing(self, one: FieldPlan, path: str) -> None:
        hint = f"it has no default; give it in a file, in code, or as --{path.replace('_', '-')}"
        self.problems.append(Problem(path, None, "nothing", one.plan.expected, hint))

    def _unknown(self, plan: ClassPlan, choice: Choice, key: str, child: Node, path: str) -> None:
        where = join(path, key)
        hint = ""
        for other in class_plans(self.schema, choice):
            if other.cls is not plan.cls and key in other.fields:
                chosen = f"{join(path, TAG_KEY)} = {tag_of(other.cls)}"
                hint = f"{key} is a field of {other.cls.__name__}; choose it with {chosen}"
                break
        hint = hint or did_you_mean(nearest_path(where, self.known_paths()))
        wanted = f"a field of {plan.cls.__name__}"
        self.problems.append(Problem(where, _first_source(child), repr(key), wanted, hint))

    def _bad(self, path: str, node: Node, expected: str, hint: str = "") -> Any:
        self.problems.append(Problem(path, node.source, shown(node.content), expected, hint))
        return BAD


def _is_null(content: Any, plan: Plan) -> bool:
    if content is None:
        return True
    if isinstance(content, Plain):
        return content in NULL_WORDS
    # Text on the command line is text where text is taken; --no-name says None there.
    takes_text = isinstance(plan, Alternatives) and plan.is_text
    return isinstance(content, Verbatim) and content == "null" and not takes_text


def _unwritten(node: Node) -> Any:
    """A scalar as it is; a list or mapping as python has it, for `Any` and registered types."""
    if isinstance(node.content, dict):
        return {key: decode_anything(_unwritten(child)) for key, child in node.content.items()}
    if isinstance(node.content, list):
        return [decode_anything(_unwritten(child)) for child in node.content]
    return node.content


def _counted(items: int) -> str:
    return "1 item" if items == 1 else f"{items} items"


def _first_source(node: Node) -> Source:
    while isinstance(node.content, dict) and node.content:
        node = next(iter(node.content.values()))
    return node.source
