"""Where the secrets of a schema are, by dotted path."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from treadle_config.plans import Choice, Dictionary, Plan
from treadle_config.schema import Schema
from treadle_config.tree import join

_INDEX = re.compile(r"\[-?[0-9]+\]")


class Place(NamedTuple):
    """What is known of a path.

    Attributes:
        secret: Whether a secret is there, or the path leads on from one.
        holds: Whether it is an object, a list or a dict that has secrets within.
        known: How many of its characters the schema knows. What is behind them may be a part
            of the secret, as in `api.token hunter2`.
    """

    secret: bool = False
    holds: bool = False
    known: int = 0


def place_of(schema: Schema, root: Plan, path: str) -> Place:
    """What is known of a path; of what may be meant, the most secret."""
    return max(_places(schema, root, path, 0, secret=False), default=Place())


def holds_secret(schema: Schema, plan: Plan, within: tuple[type, ...] = ()) -> bool:
    """Whether a value may have secrets within.

    Args:
        schema: Where classes are planned.
        plan: What the value is.
        within: The classes that it stands within; one of those again holds nothing new.
    """
    if isinstance(plan.mapping, Dictionary) and holds_secret(schema, plan.mapping.value, within):
        return True
    if isinstance(plan.mapping, Choice):
        for fields in schema.planned_classes(plan.mapping):
            inside = (*within, fields.cls)
            if fields.cls not in within and any(
                one.setting.secret
                or (not one.plan.is_scalar and holds_secret(schema, one.plan, inside))
                for one in fields.values()
            ):
                return True
    items = () if plan.sequence is None else plan.sequence.plans
    return any(holds_secret(schema, one, within) for one in items if not one.is_scalar)


def _places(schema: Schema, plan: Plan, path: str, at: int, *, secret: bool) -> Iterator[Place]:
    if secret:
        yield Place(secret=True, holds=True, known=at)
    if at == len(path):
        if not secret:
            yield Place(holds=holds_secret(schema, plan), known=at)
        return
    fits = plan.mapping if path[at] != "[" else plan.sequence
    if fits is None and holds_secret(schema, plan):
        # A mapping in place of a list of objects, say, may say the same.
        yield Place(secret=True, holds=True, known=at)
    index = _INDEX.match(path, at)
    if index is not None:
        for item in () if plan.sequence is None else plan.sequence.plans:
            yield from _places(schema, item, path, index.end(), secret=secret)
    start = at + (path[at] == ".")
    if isinstance(plan.mapping, Choice):
        known = False
        for fields in schema.planned_classes(plan.mapping):
            for key, one in fields.items():
                end = start + len(key)
                if path.startswith(key, start) and path[end : end + 1] in ("", ".", "["):
                    known, inside = True, secret or one.setting.secret
                    yield from _places(schema, one.given, path, end, secret=inside)
        for begun in () if known else _secret_paths(schema, plan, "", ()):
            # A name that begins as a secret's: what follows may have been meant as its value.
            if path.startswith(begun, start):
                yield Place(secret=True, holds=True, known=start + len(begun))
    elif isinstance(plan.mapping, Dictionary) and not secret:
        # A key may have dots in it. Those of a secret dict are not told.
        ends = [*(one.start() for one in re.finditer(r"[.\[]", path)), len(path)]
        for end in ends:
            if end > start:
                yield from _places(schema, plan.mapping.value, path, end, secret=False)


def _secret_paths(schema: Schema, plan: Plan, path: str, within: tuple[type, ...]) -> Iterator[str]:
    """The secrets of objects within objects, each path once it begins to be secret."""
    if not isinstance(plan.mapping, Choice):
        return
    for fields in schema.planned_classes(plan.mapping):
        if fields.cls in within:
            continue
        for key, one in fields.items():
            below = join(path, key)
            if one.setting.secret:
                yield below
            else:
                yield from _secret_paths(schema, one.plan, below, (*within, fields.cls))
