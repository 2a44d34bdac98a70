"""Environment variables as one layer: `APP_OPTIM__LR` is `optim.lr` under the prefix `APP_`."""

import os
from collections.abc import Sequence

from treadle_config.errors import Problem
from treadle_config.merge import Merge
from treadle_config.paths import Located, known_paths, locate
from treadle_config.plans import Plan
from treadle_config.schema import Schema
from treadle_config.suggestions import may_suggest, nearest_path
from treadle_config.tree import Node, Source, Verbatim


def environment_layer(
    schema: Schema,
    root: Plan,
    prefix: str,
    *,
    rank: int,
    problems: list[Problem],
) -> Node | None:
    """Read every variable with the prefix; one that names no field is a problem.

    Names match whatever their case; two underscores go one level down.
    """
    merge = Merge(schema, problems, over_defaults=False, root=root)
    layer: Node | None = None
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
            meant = prefix + best.upper().replace(".", "__") if best else None
            hint = f"did you mean {meant}?" if meant else f"{prefix} begins only settings"
            problems.append(Problem(path, source, repr(name), "the name of a field", hint))
            continue
        node = found.node(Verbatim(os.environ[name]), source)
        layer = merge.merge(root, layer, node, "")
    return layer


def _underscored(schema: Schema, root: Plan, names: Sequence[str]) -> Located | None:
    """Find a field whose own name has two underscores, at whatever level it is."""
    wanted = "__".join(names).casefold()
    for path in known_paths(schema, root):
        if "__" in path and path.replace(".", "__").casefold() == wanted:
            return locate(schema, root, path.split("."), str.casefold)
    return None
