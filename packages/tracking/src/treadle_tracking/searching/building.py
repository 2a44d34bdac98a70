"""What the sentences of the grammar mean."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast, get_args

from treadle_tracking.errors import _cut, suggestion
from treadle_tracking.reading.condition import Condition, Operator
from treadle_tracking.searching import comparing, conditions
from treadle_tracking.searching.conditions import Node, Test
from treadle_tracking.searching.errors import UnfitValue, UnknownField
from treadle_tracking.searching.fields import (
    ATTRIBUTES,
    KINDS,
    WHICH,
    Field,
    attribute_named,
    reader,
    sort_of,
)
from treadle_tracking.searching.literals import (
    Literal,
    Value,
    checked_status,
    fitted,
    number,
    unquoted,
)
from treadle_tracking.searching.misread import Misread

if TYPE_CHECKING:
    from lark import Token

__all__ = ["Builder"]

_KNOWN_TO_STORES = frozenset(get_args(Operator))


class Builder:
    """One method for each rule of the grammar; it is given what the rule's parts have come to.

    The parser calls them while it reads, so that nothing is as deep as the text is nested.
    """

    def filter(self, parts: Sequence[Node]) -> Node | None:
        """A whole filter; None of a text with nothing in it."""
        return parts[0] if parts else None

    def disjunction(self, parts: Sequence[Node]) -> Node:
        """Parts and `or` between them."""
        return conditions.disjunction(parts)

    def conjunction(self, parts: Sequence[Node]) -> Node:
        """Parts and `and` between them."""
        return conditions.conjunction(parts)

    def inverse(self, parts: Sequence[Any]) -> Node:
        """Any number of `not` and a part."""
        *nots, node = parts
        # Twice is as if it were not there, also of what is unknown.
        return conditions.inverse(node) if len(nots) % 2 else node

    def comparison(self, parts: Sequence[Any]) -> Node:
        """A field, a sign and a value."""
        field, sign, literal = parts
        sign = str(sign).replace("==", "=")
        return _compared(field, sign, literal)

    def likeness(self, parts: Sequence[Any]) -> Node:
        """A field, perhaps `not`, `like` or `ilike`, and a text."""
        field, *nots, word, text = parts
        if sort_of(field) not in {"text", "any"}:
            raise Misread(
                word.start_pos,
                f"like is for texts, and {field.name!r} is not one: write =, <, >, in or between",
                UnfitValue,
            )
        name, pattern = word.lower(), unquoted(text)
        test = comparing.likeness(reader(field), pattern, any_case=name == "ilike")
        return _node(field, name, pattern, test, negated=bool(nots))

    def membership(self, parts: Sequence[Any]) -> Node:
        """A field, perhaps `not`, and values."""
        field, *others = parts
        literals = [one for one in others if isinstance(one, Literal)]
        values = tuple(_checked(field, one) for one in literals)
        test = comparing.membership(reader(field), sort_of(field), values)
        return _node(field, "in", values, test, negated=len(others) > len(literals))

    def between(self, parts: Sequence[Any]) -> Node:
        """A field, perhaps `not`, and the least and the greatest value."""
        field, *nots, least, greatest = parts
        node = conditions.conjunction(
            [_compared(field, ">=", least), _compared(field, "<=", greatest)]
        )
        return conditions.inverse(node) if nots else node

    def presence(self, parts: Sequence[Any]) -> Node:
        """A field, perhaps `not`, and `null` or `nan`."""
        field, *nots, word = parts
        name = word.lower()
        test = (comparing.is_null if name == "null" else comparing.is_nan)(reader(field))
        if name == "nan" and sort_of(field) in {"text", "time"}:
            raise Misread(word.start_pos, f"{field.name!r} is never NaN", UnfitValue)
        operator = f"is not {name}" if nots else f"is {name}"
        return _alone(field, operator, None, conditions.negated(test) if nots else test)

    def literal(self, parts: Sequence["Token"]) -> Literal:
        """One value."""
        token = parts[0]
        source, offset = str(token), token.start_pos or 0
        value: Value
        match token.type:
            case "NUMBER":
                value = number(source, offset)
            case "TEXT":
                value = unquoted(source)
            case _:
                value = token.type == "TRUE"
        return Literal(value, source, offset)

    def field(self, parts: Sequence["Token"]) -> Field:
        """A word, and what of a name is behind it."""
        word, *others = parts
        offset = word.start_pos or 0
        if not others:
            return _attribute(str(word), offset)
        kind = KINDS.get(word.lower())
        name = others[0]
        if kind is None:
            raise Misread(
                offset,
                f"{_cut(str(word))!r} is nothing that a run has; expected params, metrics, tags or attributes. "
                + _meant(str(word), str(name)),
                UnknownField,
            )
        bare = name.type == "NAME"
        text = str(name)[1:] if bare else unquoted(str(name))
        if not text:
            raise Misread(name.start_pos or 0, "the name is empty")
        suffix = others[1] if len(others) > 1 else None
        if suffix is not None and (kind != "metric" or suffix[1:].lower() not in WHICH):
            raise Misread(
                suffix.start_pos or 0,
                f"{_cut(str(suffix))!r} is unknown behind a name in quotes; expected, of a metric, .last, .min or .max. "
                f"Quote a name with dots as a whole",
                UnknownField,
            )
        if kind == "attribute":
            return _attribute(text, offset)
        if kind != "metric":
            return Field(kind, text)
        before, _, last = text.rpartition(".")
        if bare and before and last.lower() in WHICH:
            return Field(kind, before, WHICH[last.lower()])
        return Field(kind, text, WHICH[suffix[1:].lower()] if suffix is not None else "last")

    def ordering(self, parts: Sequence[Any]) -> tuple[Field, bool]:
        """A field, and perhaps `asc` or `desc`."""
        field, *words = parts
        return field, bool(words) and words[0].type == "DESC"

    def order(self, parts: Sequence[tuple[Field, bool]]) -> tuple[tuple[Field, bool], ...]:
        """A whole order."""
        return tuple(parts)


def _attribute(written: str, offset: int) -> Field:
    name = attribute_named(written)
    if name is not None:
        return Field("attribute", name)
    if written.lower() in KINDS:
        problem = (
            f"{written!r} alone is no field: name one, as in {written}.lr or {written}['any name']"
        )
    else:
        example = written if len(written) < 80 and written.isidentifier() else "lr"
        problem = (
            f"a run has no attribute {_cut(written)!r}. {_nearest(written.lower())} "
            f"A parameter is written params.{example}, a metric metrics.{example}"
        )
    raise Misread(offset, problem, UnknownField)


def _nearest(written: str) -> str:
    """A sentence with the name that is like it, whosever it is, or with ours."""
    ours = dict.fromkeys(ATTRIBUTES.values())
    return suggestion(written, get_close_matches(written, ATTRIBUTES, n=1) or ours)


def _meant(word: str, name: str) -> str:
    sentence = suggestion(word.lower(), KINDS)
    return (
        sentence if "mean" in sentence else f"A nested parameter is {_cut(f'params.{word}{name}')}"
    )


def _checked(field: Field, literal: Literal) -> Value:
    value = fitted(field, literal)
    if field == Field("attribute", "status"):
        checked_status(literal)
    return value


def _compared(field: Field, sign: str, literal: Literal) -> Node:
    value = _checked(field, literal) if sign in {"=", "!="} else fitted(field, literal)
    if isinstance(value, bool) and sign not in {"=", "!="}:
        raise Misread(
            literal.offset,
            f"nothing is less or greater than {literal.source}: write = or !=",
            UnfitValue,
        )
    test = comparing.comparison(reader(field), sort_of(field), sign, value)
    return _alone(field, sign, value, test)


def _node(
    field: Field, word: str, value: Value | tuple[Value, ...], test: Test, *, negated: bool
) -> Node:
    operator = f"not {word}" if negated else word
    return _alone(field, operator, value, conditions.negated(test) if negated else test)


def _alone(
    field: Field, operator: str, value: Value | tuple[Value, ...] | None, test: Test
) -> Node:
    condition = None
    if operator in _KNOWN_TO_STORES:
        condition = Condition(
            kind=field.kind,
            name=field.name,
            operator=cast("Operator", operator),
            value=value,
            which=field.which or "last",
        )
    return Node(test, frozenset({field}), condition)
