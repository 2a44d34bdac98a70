"""Everything that a schema declares, whatever is chosen: `--print-config=schema`."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from treadle_config.explanation import as_text
from treadle_config.field_docs import FieldDocs
from treadle_config.fields import Field
from treadle_config.generics import bare
from treadle_config.links import Linked
from treadle_config.plans import Choice, Dictionary, Plan
from treadle_config.schema import Schema
from treadle_config.tags import tag_of
from treadle_config.tree import MASK, join


class Declared(NamedTuple):
    """A setting as it is declared.

    Attributes:
        path: Dotted.
        subtype: The tag of the class that has it, where another could be chosen.
        type: What it takes.
        default: Its default, or what takes its place: `required`, `computed`, `follows lr`.
        is_value: Whether the default is a value.
        doc: What it is for; may be empty.
    """

    path: str
    subtype: str
    type: str
    default: str
    is_value: bool
    doc: str


def schema_page(schema: Schema, root: Plan) -> str:
    """Write every path with its type, default and doc, in columns."""
    assert isinstance(root.mapping, Choice), "a root is a class"
    rows = [
        (f"{one.path} [{one.subtype}]" if one.subtype else one.path, one.type, one.default, one.doc)
        for one in Declarations(schema, FieldDocs()).of(root.mapping.classes[0], "")
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    lines = (
        "  ".join([*(f"{one:<{width}}" for one, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


class Declarations:
    """Walks what classes declare; a class within itself is cut short."""

    def __init__(self, schema: Schema, docs: FieldDocs) -> None:
        self._schema = schema
        self._docs = docs

    def of(
        self,
        cls: type,
        path: str,
        *,
        subtype: str = "",
        within: tuple[type, ...] = (),
        instance: Any = None,
        linked: Linked | None = None,
        secret: bool = False,
    ) -> Iterator[Declared]:
        """What a class declares, and the classes within it.

        Args:
            cls: The class.
            path: Where it stands.
            subtype: Its tag, where another class could stand there.
            within: The classes that it stands within.
            instance: A default instance of it, whose values are the defaults.
            linked: What links fields of it from outside, if anything does.
            secret: Whether all of it is.
        """
        for key, field in self._schema.fields_of(cls).items():
            below = join(path, key)
            default, is_value = _default(field, key, path, instance, linked)
            hides = secret or field.setting.secret
            text = default
            if is_value:
                hidden = hides or (self._schema.has_secrets and self._holds_secret(field))
                text = as_text(default) if default is None or not hidden else MASK
            doc = field.setting.help or self._docs.of(bare(cls), field.name)
            row = Declared(below, subtype, field.plan.expected, text, is_value, doc)
            choice = field.plan.mapping
            if isinstance(choice, Choice):
                yield from self._choice(field, choice, row, default, (*within, cls), secret=hides)
            else:
                yield row
                for held, kinds in choices_within(field.plan, below):
                    yield from self.of_choice(kinds, held, (*within, cls), secret=hides)

    def of_choice(
        self, choice: Choice, path: str, within: tuple[type, ...], *, secret: bool
    ) -> Iterator[Declared]:
        """What the classes of a choice declare, which is not a field of its own.

        Args:
            choice: The classes that may stand there.
            path: Where they stand.
            within: The classes that they stand within.
            secret: Whether all of it is.
        """
        tags = self._schema.alternatives(choice)
        several = len(tags) > 1
        if several:
            yield Declared(join(path, choice.tag_key), "", "|".join(tags), "required", False, "")
        for fields in self._schema.planned_classes(choice):
            if fields.cls not in within:
                subtype = tag_of(fields.cls) if several else ""
                yield from self.of(fields.cls, path, subtype=subtype, within=within, secret=secret)

    def _choice(
        self,
        field: Field,
        choice: Choice,
        row: Declared,
        default: Any,
        within: tuple[type, ...],
        *,
        secret: bool,
    ) -> Iterator[Declared]:
        tags = self._schema.alternatives(choice)
        linked = field.linked
        chosen = None if linked is None else bare(_class(linked))
        if row.is_value and choice.accepts(default):
            chosen = type(default)
        if len(tags) > 1:
            tag = row.default if chosen is None or secret else tag_of(chosen)
            names = "|".join(tags)
            yield row._replace(path=join(row.path, choice.tag_key), type=names, default=tag)
        elif chosen is None:
            yield row
        for fields in self._schema.planned_classes(choice):
            if fields.cls in within:
                continue
            mine = chosen is bare(fields.cls)
            yield from self.of(
                fields.cls,
                row.path,
                subtype=tag_of(fields.cls) if len(tags) > 1 else "",
                within=within,
                instance=default if mine and row.is_value else None,
                linked=linked if mine else None,
                secret=secret,
            )

    def _holds_secret(self, field: Field) -> bool:
        from treadle_config.secret_places import holds_secret

        return holds_secret(self._schema, field.plan)


def choices_within(plan: Plan, path: str) -> Iterator[tuple[str, Choice]]:
    """The objects that lists and dicts hold, each with a path that one of them may have."""
    items, mapping = plan.sequence, plan.mapping
    inside = [] if items is None else [(one, f"{path}[0]") for one in items.plans[:1]]
    if isinstance(mapping, Dictionary):
        inside.append((mapping.value, join(path, "KEY")))
    for one, below in inside:
        if isinstance(one.mapping, Choice):
            yield below, one.mapping
        yield from choices_within(one, below)


def _class(linked: Linked) -> type:
    cls: Any = linked.cls
    found: type = cls
    return found


def _default(
    field: Field, key: str, path: str, instance: Any, linked: Linked | None
) -> tuple[Any, bool]:
    """The default of a field, or what is said in its place; and whether it is the default."""
    if linked is not None and key in linked.links:
        # Its paths begin at the class around this one.
        return _followed(linked.links[key].paths, path.rpartition(".")[0]), False
    if field.link is not None:
        return _followed(field.link.paths, path), False
    if instance is not None:
        return getattr(instance, field.name), True
    if field.required:
        return "required", False
    if field.computed:
        return "computed", False
    return field.default_in(None), True


def _followed(paths: tuple[str, ...], owner: str) -> str:
    return f"follows {', '.join(join(owner, one) for one in paths)}"
