"""`--help`: every setting with its type, its value as it would be now, where from, and what for."""

from collections.abc import Iterator
from typing import NamedTuple

from treadle_config.arguments import flag_of
from treadle_config.build import Build
from treadle_config.explanation import as_text
from treadle_config.field_docs import FieldDocs
from treadle_config.fields import Field
from treadle_config.plans import Choice, Plan
from treadle_config.tags import tag_of
from treadle_config.tree import DEFAULT, join

_WIDEST_FLAG = 32


class _Row(NamedTuple):
    flag: str
    type: str
    value: str
    doc: str


def help_page(build: Build, prog: str, doc: str) -> str:
    """Write the page, for the subtypes that are chosen.

    Args:
        build: The pass over what was given; it may have failed in part.
        prog: What the program is called.
        doc: What the program does, in a line; may be empty.
    """
    rows = list(_Page(build).rows(build.root, "", ()))
    rows += [
        _Row("--config", "FILE", "", "read settings from this file; may be given again"),
        _Row("--print-config", "", "", "print the config and stop; =source, =provenance"),
        _Row("--help", "", "", "print this and stop"),
    ]
    width = min(max(len(row.flag) + 1 + len(row.type) for row in rows), _WIDEST_FLAG)
    lines = [f"usage: {prog} [--SETTING VALUE ...] [--config FILE ...]", ""]
    lines += [doc, ""] if doc else []
    for row in rows:
        first = f"{row.flag} {row.type}".rstrip()
        about = "  ".join(filter(None, [row.value, row.doc]))
        if len(first) > width:
            lines += [f"  {first}", f"  {'':<{width}}  {about}"]
        else:
            lines.append(f"  {first:<{width}}  {about}")
    return "\n".join(lines) + "\n"


class _Page:
    def __init__(self, build: Build) -> None:
        self._build = build
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
            doc = field.setting.help or self._docs.of(cls, field.name)
            inner = field.plan.mapping
            if isinstance(inner, Choice):
                tags = schema.alternatives(inner)
                if len(tags) > 1:
                    tag_path = join(below, inner.tag_key)
                    yield _Row(
                        flag_of(tag_path), "|".join(tags), self._tag(inner, field, tag_path), doc
                    )
                if values.get(below, True) is not None:
                    yield from self.rows(field.plan, below, (*within, cls))
                    continue
            yield _Row(flag_of(below), _type(field.plan), self._value(field, below), doc)

    def _tag(self, choice: Choice, field: Field, path: str) -> str:
        chosen = self._build.values.get(path)
        if chosen is None and not field.computed and not field.required:
            default = field.default_in(None)
            chosen = tag_of(type(default)) if choice.accepts(default) else None
        source = self._build.sources.get(path, DEFAULT)
        return f"= {chosen} ({source})" if chosen else "required"

    def _value(self, field: Field, path: str) -> str:
        source = self._build.sources.get(path)
        if path in self._build.values:
            return f"= {as_text(self._build.values[path])} ({source})"
        if source is not None:
            return f"not right ({source})"
        return "required" if field.required else "default"


def _type(plan: Plan) -> str:
    """What a setting takes; a list in words, whatever python makes of it."""
    items = plan.sequence
    if items is None or items.fixed or plan.leaves or plan.mapping is not None:
        return plan.expected
    return f"list of {_type(items.plans[0])}{' | null' if plan.optional else ''}"
