"""Problems without the secrets that were given, whoever quotes them."""

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from treadle_config.environment import variable_of
from treadle_config.errors import Problem
from treadle_config.flags import flag_of
from treadle_config.list_edits import ListEdits
from treadle_config.plans import Plan
from treadle_config.schema import Schema
from treadle_config.secret_places import place_of
from treadle_config.tree import MASK, Computed, Node, join

_NO_VALUE = frozenset({"nothing", "null", "no choice", "a second"})
_NO_SCALAR = _NO_VALUE | {"a list", "a mapping", "values that it refuses"}
"""What is seen instead of a value in messages of this package."""

_NO_QUOTES = ("did you mean ", "remove one of the two", "that is of ")
"""How hints of this package begin that quote nothing."""

_LEAST = 6
"""Characters: a shorter secret is looked for as a whole word, or it would be found everywhere."""
_BEGINNING = 12
"""Characters that tell a secret where a message cuts it short."""
_QUOTED = re.compile(r"""'(?!<)[^']{2,}'|"[^"]{2,}"|!\S+""")
"""What a parser quotes of a file: text, names of anchors, tags."""


def concealed(
    schema: Schema, root: Plan, problems: Iterable[Problem], texts: Iterable[str]
) -> list[Problem]:
    """Tell problems without what is secret.

    A problem with a secret, or with a value that has one within, does not say what was seen, nor
    what a validator, a converter or a parser had to say of it. In all others, as those of links and
    of `__attrs_post_init__`, the secrets that are known are looked for.

    Args:
        schema: Where classes are planned.
        root: The plan of the config.
        problems: The problems.
        texts: The secrets that are known.
    """
    hiding = _Texts(texts)
    return [hiding.hidden(_without_value(schema, root, one)) for one in problems]


def where_to_give(path: str, env: str, *, left_out: bool) -> str:
    """Say where a secret that is missing belongs: in no file or command line, where it can be.

    Args:
        path: Where it is missing.
        env: The prefix of environment variables; empty where none are read.
        left_out: Whether a dump leaves it out.
    """
    whole, bracket, _ = path.partition("[")
    if bracket:  # no variable is for an item of a list
        way = f"with all of {whole} in code, or as {flag_of(path)}"
    elif env:
        way = f"as {variable_of(env, path)} or in code"
    else:
        way = "in code, or in a variable that load(..., env=...) reads"
    why = "the dump leaves it out, since it is secret" if left_out else "it is secret"
    return f"{why}: give it {way}"


def texts_in(schema: Schema, root: Plan, nodes: Iterable[Node]) -> Iterator[str]:
    """What layers say for secrets, as text."""
    for layer in nodes:
        for path, content in _scalars(layer, ""):
            if place_of(schema, root, path).secret:
                yield from texts_of(content)


def texts_of(value: Any) -> Iterator[str]:
    """The text of a secret value, or of all that is in it."""
    if isinstance(value, Mapping):
        for child in value.values():
            yield from texts_of(child)
    elif isinstance(value, list | tuple | set | frozenset):
        for child in value:
            yield from texts_of(child)
    elif value is not None and not isinstance(value, bool):
        with contextlib.suppress(Exception):  # the user's __str__
            yield str(value)


def _without_value(schema: Schema, root: Plan, problem: Problem) -> Problem:
    place = place_of(schema, root, problem.path)
    got, hint = problem.got, problem.hint
    if not problem.path:
        quoted = problem.source is not None and problem.source.kind == "file"
        return problem.replaced(hint=_QUOTED.sub(MASK, hint)) if quoted else problem
    if not place.holds or (
        got in (_NO_VALUE if place.secret else _NO_SCALAR) and place.known == len(problem.path)
    ):
        return problem
    told = problem.path[: place.known]
    if told != problem.path:
        told += f".{MASK}" if problem.path[place.known] in ".[" else MASK
    kept = hint if hint.startswith(_NO_QUOTES) else ""
    return problem.replaced(path=told, got=MASK, hint=kept)


class _Texts:
    """Known secrets, to be looked for in messages."""

    def __init__(self, texts: Iterable[str]) -> None:
        found = {text.strip() for text in texts}
        # As they are, and as messages quote them.
        found |= {repr(text)[1:-1] for text in found} | {json.dumps(text)[1:-1] for text in found}
        self._texts: Sequence[str] = sorted(filter(None, found), key=len, reverse=True)

    def hidden(self, problem: Problem) -> Problem:
        """A problem in which they are not told."""
        got, expected, hint = map(self._without, (problem.got, problem.expected, problem.hint))
        path, source = problem.path, problem.source
        if got != problem.got and source is not None and f"'{source.name}'" == problem.got:
            # An unknown flag: a part of a secret that begins as one does.
            path, source = MASK, source.replaced(name=MASK)
        return Problem(path, source, got, expected, hint)

    def _without(self, message: str) -> str:
        for text in self._texts:
            if len(text) < _LEAST:
                message = re.sub(rf"(?<!\w){re.escape(text)}(?!\w)", MASK, message)
                continue
            beginning = text[:_BEGINNING]
            while (at := message.find(beginning)) >= 0:
                end = at + len(beginning)
                while message[at : end + 1] == text[: end + 1 - at] and end - at < len(text):
                    end += 1
                message = message[:at] + MASK + message[end:]
        return message


def _scalars(node: Node, path: str) -> Iterator[tuple[str, Any]]:
    content = node.content
    if isinstance(content, dict):
        for key, child in content.items():
            yield from _scalars(child, join(path, key))
    elif isinstance(content, list):
        for index, child in enumerate(content):
            yield from _scalars(child, f"{path}[{index}]")
    elif isinstance(content, ListEdits):
        for _, child in content.changes:
            yield from _scalars(child, f"{path}[0]")
    else:
        yield path, content.value if isinstance(content, Computed) else content
