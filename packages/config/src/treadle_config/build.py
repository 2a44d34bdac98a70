"""The one strict pass: from the merged tree to the object, with every problem collected."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import NOTHING

from treadle_config.class_defaults import ClassDefaults
from treadle_config.declared_defaults import check_made, fits
from treadle_config.diagnosis import diagnose
from treadle_config.environment import variable_of
from treadle_config.errors import Problem
from treadle_config.fields import Field, Fields, partial_instance
from treadle_config.flags import flag_of
from treadle_config.forms import is_none_word, object_form, right_form
from treadle_config.fresh import default_anew
from treadle_config.leaves import reason
from treadle_config.merge import Merge
from treadle_config.plans import Choice, Dictionary, Items, Plan
from treadle_config.scalars import Mismatch
from treadle_config.schema import Schema
from treadle_config.secret_values import Withheld, hiding
from treadle_config.shortcut import UNREAD, Shortcut
from treadle_config.subtypes import Dropped
from treadle_config.suggestions import did_you_mean, may_suggest, nearest
from treadle_config.tags import TAG_KEY, tag_of
from treadle_config.tree import (
    BAD,
    DEFAULT,
    LINK,
    Computed,
    Node,
    Source,
    Verbatim,
    as_written,
    is_null,
    join,
    plain_value,
    shown,
    within,
)
from treadle_config.type_plans import check_tag_key
from treadle_config.unknown_fields import UnknownFields

_ENDS = re.compile(r"[.\[]")
"""What stands behind a key of a path."""


class Build:
    """Layers, merged and built.

    Attributes:
        schema: Where classes are planned.
        root: The plan of what is built.
        nodes: The layers, the weakest first.
        problems: What is wrong, what was found while the layers were read included.
        made: The value; it means nothing where there are problems.
        sources: Where each value came from, by dotted path; only where it is traced.
        values: The values that could be built, scalars and containers of them, by dotted path;
            only where it is traced.
        defaults: What is known of links.
        env: The prefix of environment variables; empty where none are read.

    Args:
        schema: Where classes are planned.
        root: The plan of what to build.
        nodes: The layers, the weakest first.
        problems: What was found wrong while the layers were read; more is added.
        trace: Whether to keep where each value came from; to load without it is faster.
        linking: Whether links stand for values in the layers.
        env: The prefix of environment variables that are read, for messages; empty for none.
        shortcut: Tried first; to decode a value, it was tried already.
    """

    def __init__(
        self,
        schema: Schema,
        root: Plan,
        nodes: Sequence[Node],
        problems: list[Problem],
        *,
        trace: bool,
        linking: bool = False,
        env: str = "",
        shortcut: Shortcut | None = None,
    ) -> None:
        self.schema = schema
        self._trace = trace
        self._linking = linking
        self.root = root
        self.nodes = nodes
        self.problems = problems
        # Such problems are of whole files, of which nobody knows what they would say.
        self._unread = any(one.source is not None and one.source.kind == "file" for one in problems)
        # The paths of the first so many problems: lists of objects can have one an item.
        self._reported: set[str] = set()
        self._looked_at = 0
        self.env = env
        # Of secrets, whose texts no message may quote.
        self._holders: list[tuple[Fields, Any]] = []
        self.sources: dict[str, Source] = {}
        self.values: dict[str, Any] = {}
        self._merge = Merge(schema, problems, root=root)
        self.defaults = ClassDefaults(schema, self._merge, problems)
        plain = shortcut if not (trace or linking or problems) else None
        self.made: Any = UNREAD if plain is None else plain.of_layers(root, nodes)
        if self.made is UNREAD:
            self.made = self._whole_pass()
        if schema.has_secrets:
            self._keep_secrets()

    def _whole_pass(self) -> Any:
        if self._linking:
            # Imported here: most loads have no links but those of the schema.
            from treadle_config.layer_links import LayerLinks

            tree = LayerLinks(self).followed()
        else:
            tree = self.merged(self.nodes)
        made = BAD if tree is None else self._value(self.root, tree, "")
        assert made is not BAD or self.problems, "a value was refused without a problem"
        return made

    def merged(self, nodes: Sequence[Node]) -> Node | None:
        """Merge layers, the weakest first; `None` where nothing can be read."""
        self._merge.dropped.clear()
        return self._merge.merge(self.root, nodes or [Node({}, DEFAULT)], "")

    @property
    def dropped(self) -> Mapping[str, Dropped]:
        """What layers said of classes that other layers chose others for, by dotted path."""
        return self._merge.dropped

    def said(self, path: str, node: Node) -> str:
        """What a node says, for people; stars where that is secret."""
        return self._merge.must_win.said(path, node)

    def _keep_secrets(self) -> None:
        if not self.problems:
            self.made = hiding(self.schema, self.root, self.made)
            return
        # Imported here: it is for mistakes only.
        from treadle_config.secret_problems import concealed, texts_in, texts_of

        texts = set(texts_in(self.schema, self.root, self.nodes))
        for fields, holder in self._holders:
            for one in fields.values():
                if one.setting.secret:
                    texts.update(texts_of(getattr(holder, one.name, None)))
        self.problems[:] = concealed(self.schema, self.root, self.problems, texts)

    def early(self, one: Field, node: Node, path: str) -> Any:
        """The value of a field before all is built; `BAD`, without a problem, if it is wrong."""
        known = len(self.problems)
        value = self._given(one, node, path)
        self._forget(known)
        return value

    def _forget(self, known: int) -> None:
        """Take back all problems but the first so many."""
        del self.problems[known:]
        if self._looked_at > known:
            self._reported, self._looked_at = set(), 0

    def _is_reported(self, path: str) -> bool:
        """Whether there is a problem at a path, or at one within."""
        for one in self.problems[self._looked_at :]:
            self._reported.add(one.path)
            self._reported.update(one.path[: end.start()] for end in _ENDS.finditer(one.path))
        self._looked_at = len(self.problems)
        return path in self._reported

    def _value(self, plan: Plan, node: Node, path: str) -> Any:
        content, mapping = node.content, plan.mapping
        if isinstance(content, dict) and isinstance(mapping, Choice):
            return self._object(plan, mapping, node, path)
        if isinstance(content, dict) and isinstance(mapping, Dictionary):
            value = self._dictionary(mapping, node, path)
        elif isinstance(content, list) and plan.sequence is not None:
            value = self._sequence(plan.sequence, node, path)
        else:
            value = self._scalar(plan, node, path)
        if self._trace:
            self._note(path, node.source, value)
        return value

    def _note(self, path: str, source: Source, value: Any) -> None:
        self.sources[path] = source
        if value is not BAD:
            self.values[path] = value

    def _scalar(self, plan: Plan, node: Node, path: str) -> Any:
        content = node.content
        if isinstance(content, Computed):
            value = content.value
            if value is BAD or plan.accepts(value):
                return value
            return self._bad(path, node, plan.expected)
        null = is_null(content) or (
            # Text on the command line is text where text is taken; --no-name says None there.
            isinstance(content, Verbatim) and content == "null" and not plan.is_text
        )
        if null and plan.optional:
            return None
        hint = ""
        try:
            return plan.decode(content)
        except Mismatch as mismatch:
            if mismatch.within:
                self.problems += [
                    one.replaced(path=within(path, one.path), source=node.source)
                    for one in mismatch.within
                ]
                return BAD
            hint = object_form(plan, content) or mismatch.hint
        if not hint and plan.optional and is_none_word(content):
            hint = "write null for None"
        if null and not plan.is_text and (isinstance(plan.mapping, Choice) or content == ""):
            hint = "leave the key out to keep the default"
        if not hint and not null:
            hint = right_form(self.schema, plan, node, path)
        return self._bad(path, node, plan.expected, hint)

    def _sequence(self, plan: Items, node: Node, path: str) -> Any:
        items = [
            self._value(plan.plan_at(index), item, f"{path}[{index}]")
            for index, item in enumerate(node.content)
        ]
        if plan.fixed and len(items) != len(plan.plans):
            counted = "1 item" if len(items) == 1 else f"{len(items)} items"
            hint = f"it has {counted} instead of {len(plan.plans)}"
            return self._bad(path, node, plan.expected, hint)
        if any(item is BAD for item in items):
            return BAD
        try:
            return plan.make(items)
        except TypeError as error:  # a set of what cannot be hashed
            return self._bad(path, node, plan.expected, reason(error))

    def _dictionary(self, plan: Dictionary, node: Node, path: str) -> Any:
        made = {}
        for text, child in node.content.items():
            below = join(path, text)
            value = self._value(plan.value, child, below)
            key: Any = BAD
            try:
                key = plan.key.decode(text)
            except Mismatch as mismatch:
                wanted = f"a key of type {plan.key.expected}"
                self._bad(below, Node(text, child.source), wanted, mismatch.hint)
            made[key] = value
        return BAD if BAD in made or any(value is BAD for value in made.values()) else made

    def _object(self, plan: Plan, choice: Choice, node: Node, path: str) -> Any:
        cls = self._chosen(choice, node, path, optional=plan.optional)
        return BAD if cls is None else self._instance(cls, choice, node, path)

    def _chosen(
        self, choice: Choice, node: Node, path: str, *, optional: bool = False
    ) -> type | None:
        tagged = node.content.get(choice.tag_key) if choice.tag_key else None
        tag = None if tagged is None else tagged.content
        cls = choice.only if tag is None else self.schema.class_of(choice, tag)
        if cls is not None and cls is choice.only and not self._trace:
            return cls
        below = join(path, TAG_KEY)
        fits = cls is not None and issubclass(cls, choice.classes)
        if tagged is not None and self._trace:
            self._note(below, tagged.source, tag_of(cls) if cls is not None and fits else BAD)
        elif self._trace and cls is not None and choice.tag_key is not None:
            self._note(below, DEFAULT, tag_of(cls))
        if fits:
            if cls is not None and choice.tag_key is not None:
                check_tag_key(cls, path)
            return cls
        alternatives = self.schema.alternatives(choice)
        tags = ", ".join(alternatives)
        if tagged is None:
            hint = f"choose one with {below}: {tags}"
            self.problems.append(Problem(path, node.source, "no choice", choice.expected, hint))
            return None
        text = tag_of(tag) if isinstance(tag, type) else tag
        if not isinstance(text, str):
            if getattr(tag, "value", None) is not BAD:  # the link that stood there is reported
                self._bad(below, tagged, f"one of {tags}")
            return None
        found = alternatives.get(text, [])
        if len(found) > 1:
            names = " and ".join(one.__qualname__ for one in found)
            hint = f'{names} share it; give one its own with @setting(tag="...")'
        elif found:
            hint = f"it is a different class from the declared {found[0].__qualname__}"
        elif optional and is_none_word(text):
            flag = f": --no-{flag_of(path)[2:]}" if tagged.source.kind == "cli" else ""
            hint = f"set the whole to null{flag}"
        else:
            hint = did_you_mean(nearest(text, alternatives))
        self._bad(below, Node(Verbatim(text), tagged.source), f"one of {tags}", hint)
        return None

    def _instance(self, cls: type, choice: Choice, node: Node, path: str) -> Any:
        fields = self.schema.fields_of(cls, path)
        given = self._plain(fields, cls, choice, node, path)
        for one in fields.others:
            child = node.content.get(one.key)
            if child is None and not self._trace:
                if one.is_shareable:
                    continue
                if one.default is not NOTHING and isinstance(one.plan.mapping, Choice):
                    given[one.key] = default_anew(one)
                    continue
            below = join(path, one.key)
            if one.plan.mapping is not None and (child is None or one.computed):
                child = self.defaults.completed(fields, one, child, given, below)
            if child is not None:
                if one.link is not None:
                    self.defaults.overridden.add(below)
                given[one.key] = self._given(one, child, below)
            elif one.required:
                given[one.key] = self._missing(one, below)
        bad: set[str] = set()
        if self.problems or self._linking:
            bad = {key for key, value in given.items() if value is BAD}
        made, good = BAD, given
        if bad:
            good = {key: value for key, value in given.items() if key not in bad}
            self.problems += diagnose(fields, node, path, good, bad)
        else:
            made = self._made(fields, node, good, path)
        if self._trace or fields.has_secrets:
            seen = partial_instance(fields, good, without=bad)[0] if made is BAD else made
            if self._trace:
                self._note_defaults(fields, seen, given, path)
            if fields.has_secrets:
                self._holders.append((fields, seen))
        return made

    def _plain(
        self, fields: Fields, cls: type, choice: Choice, node: Node, path: str
    ) -> dict[str, Any]:
        """The values of the fields that are plain scalars, read with as little ado as can be."""
        given: dict[str, Any] = {}
        decoders = fields.decoders
        for key, child in node.content.items():
            if key not in decoders:
                if key not in fields and (key is None or key != choice.tag_key):
                    suggests = may_suggest(self.problems)
                    unknown = UnknownFields(self.schema, self.root)
                    self.problems.append(
                        unknown.problem(cls, choice, str(key), child, path, suggests=suggests)
                    )
                continue
            try:
                if type(child.content) is Computed:
                    raise Mismatch  # noqa: TRY301  # it is not decoded, but taken as it is
                given[key] = decoders[key](child.content)
            except Mismatch:
                # Once more, to say what is wrong with it.
                given[key] = self._value(fields[key].plan, child, join(path, key))
            else:
                if self._trace:
                    self._note(join(path, key), child.source, given[key])
        for one in fields.required:
            if one.key not in given:
                given[one.key] = self._missing(one, join(path, one.key))
        return given

    def _missing(
        self,
        one: Field,
        path: str,
        source: Source | None = None,
        within: tuple[type, ...] = (),
    ) -> Any:
        """Report that nothing was given, for an object each part of it that is required.

        For a secret that a dump leaves out, it is told with its source.
        """
        if self._unread or self._is_reported(path):
            return BAD  # it may have been given, where there is a problem already
        choice = one.plan.mapping
        secret = one.setting.secret
        alone = not (one.plan.leaves or one.plan.optional or one.converter)
        if isinstance(choice, Choice) and choice.only is not None and alone and not secret:
            parts = self.schema.fields_of(choice.only).values()
            lacking = [part for part in parts if part.required]
            # A class that has to hold itself has no end.
            if lacking and choice.only not in within:
                for part in lacking:
                    self._missing(part, join(path, part.key), source, (*within, choice.only))
                return BAD
        whole, bracket, _ = path.partition("[")
        flag = f"--{whole.replace('_', '-')}"
        # An element of a list has no flag; the list has one, for JSON.
        way = f"within {flag}" if bracket else f"as {flag}"
        variable = f"as {variable_of(self.env, path)}, " if self.env and not bracket else ""
        hint = f"it has no default; give it in a file, in code, {variable}or {way}"
        if isinstance(choice, Choice) and choice.only is None:
            tags = ", ".join(self.schema.alternatives(choice))
            hint = f"it has no default; choose one with {join(path, TAG_KEY)}: {tags}"
        if secret:
            from treadle_config.secret_problems import where_to_give

            hint = where_to_give(path, self.env, left_out=source is not None)
        self.problems.append(Problem(path, source, "nothing", one.plan.expected, hint))
        return BAD

    def _made(self, fields: Fields, node: Node, given: Mapping[str, Any], path: str) -> Any:
        try:
            made = fields.cls(**given)
        except Exception as error:  # noqa: BLE001  # validators, converters, __attrs_post_init__
            self.problems += diagnose(fields, node, path, given, (), error=error)
            return BAD
        for one in fields.factories:
            if one.key not in given:
                check_made(one, fields.cls, getattr(made, one.name), join(path, one.key))
        fields.seen_without(given)
        for one in fields.computed:
            if one.key in given:
                continue
            value = getattr(made, one.name)
            if not fits(one.plan, value):
                source = DEFAULT if one.link is None else LINK
                self._bad(join(path, one.key), Node(value, source), one.plan.expected)
                made = BAD
        return made

    def _given(self, one: Field, child: Node, path: str) -> Any:
        if type(child.content) is Withheld:
            return self._missing(one, path, child.source)
        if one.converter is None or one.given is not one.plan:
            return self._value(one.given, child, path)
        if isinstance(child.content, Computed):
            if self._trace:
                self._note(path, child.source, child.content.value)
            return child.content.value
        # A converter that does not say what it takes gets the declared type where the value
        # has it, and otherwise what was written.
        known = len(self.problems)
        value = self._value(one.given, child, path)
        if value is not BAD or isinstance(child.content, dict):
            return value
        self._forget(known)
        raw = plain_value(child)
        try:
            one.converted(raw, None)
        except Exception as error:  # noqa: BLE001  # the user's converter
            return self._bad(path, child, one.plan.expected, reason(error))
        if self._trace:
            self._note(path, child.source, raw)
        return raw

    def _note_defaults(
        self, fields: Fields, made: Any, given: Mapping[str, Any], path: str
    ) -> None:
        for key, one in fields.items():
            if key in given or not hasattr(made, one.name):
                continue
            below = join(path, key)
            self.sources[below] = DEFAULT if one.link is None else LINK
            if one.link is not None:
                self.defaults.note(below, one.link, path)
            value = getattr(made, one.name)
            if not (isinstance(one.plan.mapping, Choice) and one.plan.mapping.accepts(value)):
                self.values[below] = value

    def _bad(self, path: str, node: Node, expected: str, hint: str = "") -> Any:
        self.problems.append(Problem(path, node.source, shown(as_written(node)), expected, hint))
        return BAD
