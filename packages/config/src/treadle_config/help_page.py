"""`--help`: every setting with its type, its value as it would be now, where from, and what for."""

from collections.abc import Iterator

from attrs import frozen

from treadle_config.arguments import flag_of
from treadle_config.build import Build
from treadle_config.declared_fields import FieldPlan, default_value
from treadle_config.explanation import as_text
from treadle_config.field_docs import FieldDocs
from treadle_config.plans import Choice, mapping_of
from treadle_config.schema import Schema
from treadle_config.settings import tag_of
from treadle_config.tree import join

_WIDEST_FLAG = 32


@frozen
class _Row:
    flag: str
    type: str
    value: str
    doc: str


def help_page(build: Build, root: Choice, prog: str, doc: str) -> str:
    """Write the page, for the subtypes that are chosen.

    Args:
        build: The pass over what was given; it may have failed in part.
        root: The plan of the config.
        prog: What the program is called.
        doc: What the program does, in a line; may be empty.
    """
    rows = list(_Page(build).rows(root, "", ()))
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
        self._schema: Schema = build.schema
        self._docs = FieldDocs()

    def rows(self, choice: Choice, path: str, within: tuple[type, ...]) -> Iterator[_Row]:
        """The rows of the class that is chosen here."""
        cls = self._chosen(choice, path)
        if cls is None or cls in within:
            return
        for key, field in self._schema.of_class(cls).fields.items():
            below = join(path, key)
            doc = field.setting.help or self._docs.of(cls, field.name)
            inner = mapping_of(field.plan)
            if not isinstance(inner, Choice):
                yield _Row(flag_of(below), field.plan.expected, self._value(field, below), doc)
                continue
            tags = self._schema.alternatives(inner)
            if len(tags) > 1 and inner.tag_key is not None:
                tag_path = join(below, inner.tag_key)
                chosen = self._build.values.get(tag_path)
                chosen = chosen or self._default_tag(inner, field)
                source = self._build.sources.get(tag_path, "default")
                value = f"= {chosen} ({source})" if chosen else "required"
                yield _Row(flag_of(tag_path), "|".join(tags), value, doc)
            if self._build.values.get(below, True) is None:
                yield _Row(flag_of(below), field.plan.expected, self._value(field, below), doc)
                continue
            yield from self.rows(inner, below, (*within, cls))

    def _chosen(self, choice: Choice, path: str) -> type | None:
        tag = self._build.values.get(join(path, choice.tag_key)) if choice.tag_key else None
        found = self._schema.alternatives(choice).get(tag, []) if tag else []
        return found[0] if found else self._schema.only_class(choice)

    def _default_tag(self, choice: Choice, field: FieldPlan) -> str | None:
        if field.declared.factory_takes_self or field.required:
            return None
        default = default_value(field, None)
        return tag_of(type(default)) if isinstance(default, choice.classes) else None

    def _value(self, field: FieldPlan, path: str) -> str:
        source = self._build.sources.get(path)
        if path in self._build.values:
            return f"= {as_text(self._build.values[path])} ({source})"
        if source is not None:
            return f"not right ({source})"
        return "required" if field.required else "default"
