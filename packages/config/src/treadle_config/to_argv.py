"""The way back: from a config to a short command line that makes an equal one."""

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from attrs import NOTHING

from treadle_config.arguments import check_names, read_arguments, understood
from treadle_config.as_said import given_for
from treadle_config.build import Build
from treadle_config.encode import encoded, is_tagged
from treadle_config.errors import DumpError
from treadle_config.fields import Field
from treadle_config.flags import flag_of
from treadle_config.flatten import flat
from treadle_config.links import Linked
from treadle_config.paths import locate
from treadle_config.plans import Choice, Dictionary, Plan
from treadle_config.schema import Schema
from treadle_config.secret_values import Hidden
from treadle_config.tags import tag_of
from treadle_config.tree import Verbatim, join, shown


def to_argv(
    schema: Schema, root: Plan, config: Any, given: Mapping[str, Any] = MappingProxyType({})
) -> list[str]:
    """Write a config as the arguments that make an equal one, over the defaults and nothing else.

    What is as its default says, or as its link gives, is left out, and so is every secret.

    Args:
        schema: Where classes are planned.
        root: The plan of the config.
        config: An instance of the schema's class.
        given: What its constructors were given, by path, where that is known: it is written in
            place of what a converter made of it.

    Raises:
        SchemaError: A field has the name of a flag of the command line's own.
        DumpError: It holds what no argument says, such as a value that is not of its
            declared type.
    """
    check_names(schema, root)
    assert isinstance(root.mapping, Choice), "a root is a class"
    words = list(_Writer(schema, root, given).fields(root.mapping, config, ""))
    _check(schema, root, words, config)
    return words


class _Writer:
    def __init__(self, schema: Schema, root: Plan, given: Mapping[str, Any]) -> None:
        self._schema = schema
        self._root = root
        self._given = given

    def fields(
        self,
        choice: Choice,
        value: Any,
        path: str,
        *,
        default: Any = NOTHING,
        linked: Linked | None = None,
        owner: Any = None,
    ) -> Iterator[str]:
        """The flags for the fields of an object.

        Args:
            choice: The classes that may stand there.
            value: The object.
            path: Where it stands.
            default: An instance of the same class that stands there if nothing is said.
            linked: The links to its fields from the object around it, if there are any.
            owner: That object.
        """
        for key, field in self._schema.fields_in(choice, type(value)).items():
            if field.setting.secret:
                continue
            if linked is not None and key in linked.links:
                below = _default(lambda link=linked.links[key]: link(owner))
            else:
                below = self._below(field, value, default)
            inner = getattr(value, field.name)
            if below is NOTHING or not self._same(field.plan, inner, below):
                yield from self._field(field, inner, below, join(path, key), value)

    def _below(self, field: Field, instance: Any, default: Any) -> Any:
        """What a field is if nothing is said of it; a part of a default follows as it does."""
        own = _default(lambda: field.converted(field.default_in(instance), instance))
        if default is NOTHING:
            return own
        inner = getattr(default, field.name)
        there = _default(lambda: field.converted(field.default_in(default), default))
        return own if there is not NOTHING and self._same(field.plan, inner, there) else inner

    def _field(
        self, field: Field, value: Any, default: Any, path: str, owner: Any
    ) -> Iterator[str]:
        choice = field.plan.mapping
        leaf = any(one.accepts(value) for one in field.plan.leaves)
        if not leaf and isinstance(choice, Choice) and choice.accepts(value):
            yield from self._object(field, value, default, path, owner)
        else:
            yield self._word(field, value, default, path)

    def _object(
        self, field: Field, value: Any, default: Any, path: str, owner: Any
    ) -> Iterator[str]:
        choice = field.plan.mapping
        assert isinstance(choice, Choice), "it holds an object"
        if type(default) is type(value):
            linked = field.linked
            yield from self.fields(choice, value, path, default=default, linked=linked, owner=owner)
            return
        words = list(self.fields(choice, value, path))
        if choice.tag_key is not None and is_tagged(self._schema, choice, value):
            yield f"{flag_of(join(path, choice.tag_key))}={tag_of(type(value))}"
        elif not words:
            yield f"{flag_of(path)}={{}}"
        yield from words

    def _word(self, field: Field, value: Any, default: Any, path: str) -> str:
        flag, plan = flag_of(path), field.plan
        written = encoded(self._schema, plan, value)
        if field.converter is not None and path in self._given:
            given = given_for(self._schema, field, self._given[path], written)
            text = _text(given)
            if text is not None and self._reads(field, text, written):
                return f"{flag}={text}"
            if given != written:
                return f"{flag}:={_json(given)}"
        if value is None:
            return self._null(plan, path)
        if isinstance(written, list | dict):
            part = self._part(field, written, default)
            return f"{flag}:={_json(written)}" if part is None else f"{flag}={_json(part)}"
        text = _text(written)
        if text is not None and self._reads(field, text, written):
            return f"{flag}={text}"
        return f"{flag}:={_json(written)}"

    def _null(self, plan: Plan, path: str) -> str:
        name = f"no_{path}"
        free = locate(self._schema, self._root, name.split("."), str) is None
        return (
            f"--no-{flag_of(path)[2:]}"
            if plan.optional and not plan.is_flag and free
            else (f"{flag_of(path)}:=null")
        )

    def _part(self, field: Field, written: Any, default: Any) -> Any:
        """What of a list or dict is to be said, where that says all; otherwise `None`."""
        plan = field.plan
        if field.converter is not None or field.setting.merge is not None:
            return None
        if isinstance(written, list):
            inside = plan.sequence
            plain = inside is not None and all(one.is_scalar for one in inside.plans)
            return written if plain else None
        if not isinstance(plan.mapping, Dictionary):
            return None
        below = {} if default in (None, NOTHING) else encoded(self._schema, plan, default)
        if field.computed or not isinstance(below, dict) or not below.keys() <= written.keys():
            return None
        entry = plan.mapping.value
        if entry.is_open and any(isinstance(one, dict) for one in below.values()):
            return None  # they would show through
        if not entry.is_scalar:
            # As a part, it leaves room for the secrets that are given beside it.
            return written if not below and self._holds_secret(plan) else None
        return {
            key: one
            for key, one in written.items()
            if key not in below or not _equal(one, below[key], strict=True)
        }

    def _holds_secret(self, plan: Plan) -> bool:
        if not self._schema.has_secrets:
            return False
        from treadle_config.secret_places import holds_secret

        return holds_secret(self._schema, plan)

    def _reads(self, field: Field, text: str, written: Any) -> bool:
        """Whether a text, as it stands, is read as what is to be written."""
        given = field.given
        if (text.lstrip()[:1] in ("[", "{") and not given.is_scalar) or (
            text == "null" and given.optional and not given.is_text
        ):
            return False
        try:
            text.encode()
            value = field.converted(given.decode(Verbatim(text)), None)
        except Exception:  # noqa: BLE001  # a converter of the user's may raise anything
            return False
        return "\0" not in text and _equal(
            encoded(self._schema, field.plan, value), written, strict=True
        )

    def _same(self, plan: Plan, one: Any, other: Any) -> bool:
        if one is other:
            return True
        # Where there is but one kind of number, 3 is read as 3.0 anyway.
        before, after = (encoded(self._schema, plan, each) for each in (one, other))
        return _equal(before, after, strict=len(plan.leaves) != 1)


def _default(made: Any) -> Any:
    try:
        return made()
    except Exception:  # noqa: BLE001  # a factory of the user's: then all is said
        return NOTHING


def _text(written: Any) -> str | None:
    if isinstance(written, bool):
        return "true" if written else "false"
    return str(written) if isinstance(written, str | int | float) else None


def _json(written: Any) -> str:
    text = json.dumps(written, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(written)
    return text


def _equal(one: Any, other: Any, *, strict: bool) -> bool:
    """Whether two written values are equal, in whatever order the keys are; NaN is NaN.

    Strictly, 3 is not 3.0; True is never 1.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            _equal(one[key], other[key], strict=strict) for key in one
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            _equal(mine, its, strict=strict) for mine, its in zip(one, other, strict=True)
        )
    if type(one) is not type(other) and (strict or bool in (type(one), type(other))):
        return False
    return bool(one == other) or (one != one and other != other)  # noqa: PLR0124  # NaN


def _check(schema: Schema, root: Plan, words: list[str], config: Any) -> None:
    """Read the words again: a command line that makes another config is worse than none."""
    arguments = understood(read_arguments(schema, root, words), schema, root, [])
    nodes = arguments.nodes
    if schema.has_secrets:
        from treadle_config.secret_dumps import only_secrets

        nodes += only_secrets(schema, root, config)
    build = Build(schema, root, nodes, arguments.problems, trace=False)
    if build.problems:
        said = str(build.problems[0])
        raise DumpError(f"no command line gives this config: {said}")
    before, after = (dict(flat(schema, root, one, "")) for one in (config, build.made))
    for path, value in before.items():
        if isinstance(value, Hidden):
            continue
        if path not in after or not _equal(value, after[path], strict=False):
            raise DumpError(f"no command line gives this config: {path} is {shown(value)}")
