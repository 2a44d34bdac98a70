"""The names of flags: where each leads, and what an unknown one was probably meant to be."""

import re
from collections.abc import Sequence

from treadle_config.paths import ChosenAt, Located, known_paths, locate, locate_item
from treadle_config.plans import Plan
from treadle_config.schema import Schema
from treadle_config.suggestions import did_you_mean, nearest_path
from treadle_config.tree import join
from treadle_config.unannotated import unannotated_in


def flag_of(path: str) -> str:
    """The flag that sets a path."""
    return f"--{path.replace('_', '-')}"


def normal(name: str) -> str:
    """One spelling of a name, in which `-` and `_` are the same."""
    return name.replace("-", "_")


def flag_place(
    schema: Schema, root: Plan, written: str, chosen: ChosenAt | None = None
) -> Located | None:
    """Find what a flag sets, by what is written behind its dashes; `None` if it is nothing."""
    if "[" in written or written[-1:] == "+":
        found = locate_item(schema, root, written, normal, chosen)
        if found is not None:
            return found
    return locate(schema, root, written.split("."), normal, chosen=chosen)


def may_be_negated(found: Located) -> bool:
    """Whether there is a flag with `--no-`: for a bool, and for what may be null."""
    return all(plan.is_flag for plan in found.plans) or any(plan.optional for plan in found.plans)


def flag_meant(
    schema: Schema,
    root: Plan,
    written: str,
    others: Sequence[str],
    chosen: ChosenAt | None = None,
) -> str:
    """Say what an unknown flag was probably meant to be.

    Args:
        schema: Where classes are planned.
        root: The plan of the config.
        written: What is written behind its dashes.
        others: Flags beside those of settings.
        chosen: Knows which class stands at a place.
    """
    above, _, last = written.rpartition(".")
    if last[:3] in ("no-", "no_"):
        positive = flag_place(schema, root, join(above, last[3:]), chosen)
        if positive is not None and may_be_negated(positive):
            return did_you_mean(f"--no-{flag_of(positive.path)[2:]}")
    head, bracket, rest = written.rpartition("]")
    item = flag_place(schema, root, head + bracket, chosen) if rest[:1] == "." else None
    if item is not None:
        inside = [one for plan in item.plans for one in known_paths(schema, plan)]
        best = nearest_path(normal(rest[1:]), inside)
        return did_you_mean(flag_of(join(item.path, best)) if best else None)
    around = flag_place(schema, root, above, chosen) if above else None
    within = around.plans if around is not None else () if above else (root,)
    if said := unannotated_in(within, normal(last)):
        return said
    known = known_paths(schema, root)
    if around is not None and around.path not in known:
        # Below a key of a dict, whose paths nobody knows.
        inside = [one for plan in around.plans for one in known_paths(schema, plan)]
        if best := nearest_path(normal(last), inside):
            return did_you_mean(flag_of(join(around.path, best)))
    whole = re.split(r"[\[+]", written, maxsplit=1)[0]
    found = flag_place(schema, root, whole, chosen) if whole != written else None
    if found is not None:
        return _item_meant(found)
    best = nearest_path(normal(written), [*known, "config", *others])
    return did_you_mean(flag_of(best) if best else None)


def _item_meant(found: Located) -> str:
    lists = [plan.sequence for plan in found.plans if plan.sequence is not None]
    flag = flag_of(found.path)
    if len(lists) < len(found.plans):
        return f"{found.path} is not a list but {found.expected}"
    one_more = f"add one with {flag}+=VALUE"
    if any(items.make in (set, frozenset) for items in lists):
        return f"the items of a set have no index; {one_more}"
    return f"an item is {flag}[0]; {one_more}"
