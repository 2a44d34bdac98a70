"""`--help`: every setting with its type, its value as it would be now, where from, and what for."""

from collections.abc import Iterator
from typing import NamedTuple

from treadle_config.build import Build
from treadle_config.explanation import as_text
from treadle_config.field_docs import FieldDocs
from treadle_config.fields import Field
from treadle_config.flags import flag_of
from treadle_config.generics import bare
from treadle_config.plans import Choice, Plan
from treadle_config.schema_page import Declarations, choices_within
from treadle_config.secret_values import Hidden
from treadle_config.tags import tag_of
from treadle_config.tree import DEFAULT, MASK, join

_WIDEST_FLAG = 32


class _Row(NamedTuple):
    flag: str
    type: str = ""
    value: str = ""
    doc: str = ""


def help_page(build: Build, prog: str, doc: str, *, every_subtype: bool) -> str:
    """Write the page.

    Args:
        build: The pass over what was given; it may have failed in part.
        prog: What the program is called.
        doc: What the program does, in a line; may be empty.
        every_subtype: Whether to list the fields of those that are not chosen, too.
    """
    page = _Page(build, every_subtype=every_subtype)
    rows = list(page.rows(build.root, "", ()))
    unseen = {"what is not chosen": page.has_others, "what lists and dicts hold": page.has_held}
    said = " and ".join(one for one, is_there in unseen.items() if is_there)
    more = f"; all: with {said}" if said else ""
    rows += [
        _Row("--config", "FILE", "", "read settings from this file; may be given again"),
        _Row(
            "--print-config", doc="print the config and stop; =source, =provenance, =schema, =argv"
        ),
        _Row("--help", doc=f"print this and stop{more}"),
    ]
    width = min(max(len(row.flag) + 1 + len(row.type) for row in rows if row.flag), _WIDEST_FLAG)
    lines = [f"usage: {prog} [--SETTING VALUE ...] [--config FILE ...]", ""]
    lines += [doc, ""] if doc else []
    for row in rows:
        first = f"{row.flag} {row.type}".rstrip()
        about = "  ".join(filter(None, [row.value, row.doc]))
        if not row.flag:
            lines.append(f"  {about}")
        elif len(first) > width:
            lines += [f"  {first}", f"  {'':<{width}}  {about}"]
        else:
            lines.append(f"  {first:<{width}}  {about}")
    return "\n".join(lines) + "\n"


class _Page:
    def __init__(self, build: Build, *, every_subtype: bool) -> None:
        self.has_others = False
        self.has_held = False
        self._build = build
        self._every_subtype = every_subtype
        self._docs = FieldDocs()

    def rows(self, plan: Plan, path: str, within: tuple[type, ...]) -> Iterator[_Row]:
        """The rows of the class that is chosen here; a class within itself is cut short."""
        schema, values, choice = self._build.schema, self._build.values, plan.mapping
        if not isinstance(choice, Choice):
            return
        tag = values.get(join(path, choice.tag_key)) if choice.tag_key else None
        cls = schema.class_of(choice, tag)
        if cls is None or cls in within:
            return
        for key, field in schema.fields_of(cls).items():
            below = join(path, key)
            doc = field.setting.help or self._docs.of(bare(cls), field.name)
            inner = field.plan.mapping
            if not isinstance(inner, Choice):
                yield _Row(flag_of(below), field.plan.expected, self._value(field, below), doc)
                yield from self._held(field.plan, below, (*within, cls))
                continue
            tags = schema.alternatives(inner)
            absent = values.get(below, True) is None
            if len(tags) > 1:
                tag_path = join(below, inner.tag_key)
                kinds = "|".join(tags)
                value = self._value(field, below) if absent else self._tag(inner, field, tag_path)
                if field.plan.optional and not absent:
                    value += f", null with --no-{flag_of(below)[2:]}"
                yield _Row(flag_of(tag_path), kinds, value, doc)
            elif absent:
                yield _Row(flag_of(below), field.plan.expected, self._value(field, below), doc)
            if not absent:
                yield from self.rows(field.plan, below, (*within, cls))
            if absent or len(tags) > 1:
                yield from self._others(inner, below, (*within, cls), absent=absent)

    def _others(
        self, choice: Choice, path: str, within: tuple[type, ...], *, absent: bool
    ) -> Iterator[_Row]:
        """The rows of the classes that are not chosen, with their own defaults."""
        self.has_others = True
        if not self._every_subtype:
            return
        schema, tag_path = self._build.schema, join(path, choice.tag_key)
        chosen = schema.class_of(choice, self._build.values.get(tag_path))
        declarations = Declarations(schema, self._docs)
        several = len(schema.alternatives(choice)) > 1
        for fields in schema.planned_classes(choice):
            if (fields.cls is chosen and not absent) or fields.cls in within:
                continue
            way = (
                f"{flag_of(tag_path)} {tag_of(fields.cls)}" if several else f"{flag_of(path)} {{}}"
            )
            yield _Row("", value=f"with {way}:")
            secret = self._hides(path)
            for one in declarations.of(fields.cls, path, within=within, secret=secret):
                value = f"= {one.default} (default)" if one.is_value else one.default
                yield _Row(f"  {flag_of(one.path)}", one.type, value, one.doc)

    def _held(self, plan: Plan, path: str, within: tuple[type, ...]) -> Iterator[_Row]:
        """The rows of the objects that a list or a dict holds."""
        declarations = Declarations(self._build.schema, self._docs)
        for below, choice in choices_within(plan, path):
            self.has_held = True
            if self._every_subtype:
                yield _Row("", value=f"each {choice.expected} of {flag_of(path)}:")
                secret = self._hides(path)
                for one in declarations.of_choice(choice, below, within, secret=secret):
                    kind = f"{one.type} [{one.subtype}]" if one.subtype else one.type
                    value = f"= {one.default} (default)" if one.is_value else one.default
                    yield _Row(f"  {flag_of(one.path)}", kind, value, one.doc)

    def _tag(self, choice: Choice, field: Field, path: str) -> str:
        chosen = self._build.values.get(path)
        if chosen is None and not field.computed and not field.required:
            default = field.default_in(None)
            chosen = tag_of(type(default)) if choice.accepts(default) else None
        source = self._build.sources.get(path, DEFAULT)
        said = MASK if self._hides(path) else chosen
        return f"= {said} ({source})" if chosen else "required"

    def _value(self, field: Field, path: str) -> str:
        source = self._build.sources.get(path)
        if path in self._build.values:
            value = self._build.values[path]
            hides = self._hides(path)
            said = as_text(Hidden(value) if hides else value)
            sources = [str(source)]
            if isinstance(value, dict) and not hides:
                # What a stronger layer says of a dict lies over what weaker ones do.
                inside = (self._build.sources.get(join(path, key)) for key in value)
                sources = [*map(str, filter(None, inside))] or sources
            return f"= {said} ({', '.join(dict.fromkeys(sources))})"
        if source is not None:
            return f"not right ({source})"
        return "required" if field.required else "default"

    def _hides(self, path: str) -> bool:
        """Whether what stands at a path is secret, or may have secrets in it."""
        schema = self._build.schema
        if not schema.has_secrets:
            return False
        from treadle_config.secret_places import place_of

        return place_of(schema, self._build.root, path).holds
