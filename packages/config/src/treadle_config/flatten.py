"""`flatten` and `diff`: a config by dotted path, for trackers and for comparing."""

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import NOTHING

from treadle_config.codecs import Codecs
from treadle_config.encode import is_tagged
from treadle_config.errors import by_index
from treadle_config.given import planned
from treadle_config.plans import Choice, Dictionary, Items, Plan
from treadle_config.schema import Schema
from treadle_config.secret_values import Hidden, shown_value
from treadle_config.tags import TAG_KEY, tag_of
from treadle_config.tree import DEEPEST, Source, join, too_deep


def flatten(config: Any, *, codecs: Codecs | None = None) -> dict[str, Any]:
    """Lay a config out as one level: typed values by dotted path, in declared order.

    A list of scalars is one value; a list with objects in it is laid out by index, as in
    `layers[0].width`. A chosen subtype is the text of its tag, as in `optim.type`. A secret is
    `"***"`, or None where it is None.

    Args:
        config: An instance of an attrs class or a dataclass.
        codecs: For types that are not built in; what lies within them is left alone.

    Raises:
        TypeError: The config is none.
    """
    schema, root = planned(config, codecs)
    values = flat(schema, root, config, "")
    return {path: shown_value(value) for path, value in values}


def diff(old: Any, new: Any, *, codecs: Codecs | None = None) -> dict[str, tuple[Any, Any]]:
    """Say what differs between two configs: `{path: (old, new)}`, sorted by path.

    Args:
        old: One config.
        new: Another; it may be of another class.
        codecs: For types that are not built in.

    Returns:
        Only what differs. Where a path exists on one side only, the other is `attrs.NOTHING`.
        Two NaNs do not differ. Secrets that differ are `("***", "***")`.

    Raises:
        TypeError: One of the two is no config.
    """
    before, after = (dict(flat(*planned(one, codecs), one, "")) for one in (old, new))
    pairs = {
        path: (before.get(path, NOTHING), after.get(path, NOTHING))
        for path in sorted(before.keys() | after.keys(), key=by_index)
    }
    return {
        path: (shown_value(one), shown_value(other))
        for path, (one, other) in pairs.items()
        if not same(one, other)
    }


def flat(
    schema: Schema, plan: Plan, value: Any, path: str, levels: int = 0, *, secret: bool = False
) -> Iterator[tuple[str, Any]]:
    """The paths and values of `flatten`, below a path; those of secrets are `Hidden`.

    Raises:
        ConfigError: It is nested deeper than any config may be.
    """
    if levels > DEEPEST:
        raise too_deep(Source("code"))
    deeper = levels + 1
    mapping, sequence = plan.mapping, plan.sequence
    if isinstance(mapping, Choice) and mapping.accepts(value):
        if is_tagged(schema, mapping, value):
            tag = tag_of(type(value))
            yield join(path, TAG_KEY), Hidden(tag) if secret else tag
        for key, field in schema.fields_in(mapping, type(value)).items():
            inner, within = getattr(value, field.name), secret or field.setting.secret
            yield from flat(schema, field.plan, inner, join(path, key), deeper, secret=within)
    elif secret:
        # Neither the keys of a dict nor how long a list is.
        yield path, Hidden(value)
    elif isinstance(mapping, Dictionary) and isinstance(value, dict) and value:
        for key, child in value.items():
            inside = join(path, mapping.key.encode(key))
            yield from flat(schema, mapping.value, child, inside, deeper)
    elif (
        sequence is not None and isinstance(value, list | tuple) and _holds_objects(sequence, value)
    ):
        for index, item in enumerate(value):
            yield from flat(schema, sequence.plan_at(index), item, f"{path}[{index}]", deeper)
    else:
        yield path, value


def _holds_objects(plan: Items, items: Sequence[Any]) -> bool:
    return bool(items) and any(one.mapping is not None for one in plan.plans)


def same(old: Any, new: Any) -> bool:
    """Whether two values do not differ; a NaN is itself, also within a list or a dict."""
    if old is new:
        return True
    if isinstance(old, Hidden) and isinstance(new, Hidden):
        return same(old.value, new.value)
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(same(old[key], new[key]) for key in old)
    if isinstance(old, list | tuple) and isinstance(new, type(old)):
        return len(old) == len(new) and all(map(same, old, new))
    if isinstance(old, set | frozenset) and isinstance(new, type(old)):
        return old == new or sorted(map(repr, old)) == sorted(map(repr, new))
    try:
        if old != old and new != new:  # noqa: PLR0124  # NaN
            return True
        # 3 in a float field is read back as 3.0; but 1 is not True.
        return isinstance(old, bool) is isinstance(new, bool) and bool(old == new)
    except Exception:  # noqa: BLE001  # an odd __eq__ of the user's, or an array, has no one answer
        return type(old) is type(new) and same(_parts(old), _parts(new))


def _parts(value: Any) -> Any:
    """An array as lists, all else as text: what can be compared."""
    return value.tolist() if hasattr(value, "tolist") else repr(value)
