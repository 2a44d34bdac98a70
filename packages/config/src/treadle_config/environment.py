"""Environment variables as one layer: `APP_OPTIM__LR` is `optim.lr` under the prefix `APP_`."""

import os
from collections.abc import Sequence

from treadle_config.errors import Problem
from treadle_config.paths import Located, known_paths, locate
from treadle_config.plans import Plan
from treadle_config.schema import Schema
from treadle_config.suggestions import did_you_mean, may_suggest, nearest_path
from treadle_config.text_layer import TextLayer
from treadle_config.tree import Node, Source, Verbatim


def environment_layer(
    schema: Schema,
    root: Plan,
    prefix: str,
    *,
    rank: int,
    problems: list[Problem],
) -> list[Node]:
    """Read every variable with the prefix; one that names no field is a problem.

    Behind the prefix, names match whatever their case; two underscores go one level down.
    """
    layer = TextLayer(schema, problems)
    given: dict[str, str] = {}
    # In alphabetical order, so that a variable for a whole tree goes before one for a part.
    for index, name in enumerate(sorted(os.environ)):
        if not name.startswith(prefix) or name == prefix:
            continue
        source = Source("env", name, order=(rank, index))
        names = name[len(prefix) :].split("__")
        found = locate(schema, root, names, str.casefold) or _underscored(schema, root, names)
        if found is None:
            path = ".".join(names).lower()
            best = None
            if may_suggest(problems):
                best = nearest_path(path, known_paths(schema, root))
            meant = did_you_mean(variable_of(prefix, best) if best else None)
            hint = meant or f"only settings begin with {prefix}"
            problems.append(Problem(path, source, repr(name), "the name of a field", hint))
            continue
        other = given.setdefault(found.path, name)
        if other != name:
            hint = f"both {other} and {name} set it; remove one of the two"
            problems.append(Problem(found.path, source, "a second", "one value", hint))
            continue
        layer.say(found, Verbatim(os.environ[name]), source)
    return layer.nodes


def variable_of(prefix: str, path: str) -> str:
    """The variable that sets a path."""
    return f"{prefix}{path.upper().replace('.', '__')}"


def _underscored(schema: Schema, root: Plan, names: Sequence[str]) -> Located | None:
    """Find a field whose own name has two underscores, at whatever level it is."""
    wanted = "__".join(names).casefold()
    for path in known_paths(schema, root):
        if "__" in path and path.replace(".", "__").casefold() == wanted:
            return locate(schema, root, path.split("."), str.casefold)
    return None
