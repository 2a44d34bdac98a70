"""What MLflow can leave out of a search: the conditions that mean there no less than they mean here.

Everything that is found is looked at again, so that too many runs are only slow, and one too few would be wrong. What
follows is known of MLflow 3.17 and its sqlite store:

- A parameter is a text there, so that only its presence can be asked for.
- `!=` and `not like` compare as the database does, which may not tell `A` from `a`: only `=` and `like` are asked for.
  `ilike` folds other letters than Python does.
- A metric is the last there, also where that is of an abandoned attempt, and NaN is never compared.
- There are no escapes: a name or a text with a quote, a backslash or the like in it is not asked for.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from math import ceil, floor, isfinite
from sys import float_info

from attrs import frozen

from treadle_tracking.entries import ENDS
from treadle_tracking.mirrors.mlflow import GROUP_TAG, NAME_LENGTH
from treadle_tracking.mirrors.names import escape_key, escape_tag
from treadle_tracking.mirrors.rewinds import ATTEMPTS_TAG
from treadle_tracking.reading.condition import Condition

__all__ = ["Pushed", "named_experiments", "pushed"]

_PLAIN = re.compile(r"[\w ./:%+\-]+")
# What a run without a name is called here, as MLflow 1 has made them: its id.
_IDENTITY, _BEGINS_IDENTITY = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{0,32}")
_LARGEST_TIME = 2**62  # milliseconds
_PREFIX = 100  # characters of a name that are kept where it had to be cut
_COMPARED = {"=", "<", "<=", ">", ">="}
_MOST = 32  # conditions: each is a join there, of which sqlite makes 64, and MySQL 61


@frozen
class Pushed:
    """Filters of MLflow's; whatever meets the conditions meets one of them."""

    filters: tuple[str, ...] = ("",)


def pushed(conditions: Iterable[Condition]) -> Pushed:
    """What MLflow can be asked of conditions that hold all of them."""
    always: list[str] = []
    latest: list[str] = []  # of metrics, as MLflow has them
    for condition in conditions:
        match condition.kind:
            case "attribute":
                always += _attribute(condition)
            case "param":
                always += _param(condition)
            case "tag":
                always += _tag(condition)
            case "metric":
                latest += _metric(condition)
    if not latest:
        return Pushed((_all(always),))
    # The last of a run that went back may be of what was abandoned: those runs are asked for whatever they have.
    rewound = f"tags.`{ATTEMPTS_TAG}` IS NOT NULL"
    return Pushed((_all([*always, *latest]), _all([rewound, *always])))


def _all(filters: Sequence[str]) -> str:
    return " AND ".join(islice(dict.fromkeys(filters), _MOST))


def named_experiments(
    conditions: Iterable[Condition], experiments: Sequence[tuple[str, str]]
) -> list[str]:
    """The experiments, of (identity, name), whose runs can meet the conditions. A name that was cut can be any."""
    wanted: set[str] | None = None
    for condition in conditions:
        if condition.kind != "attribute" or condition.name != "experiment":
            continue
        names: set[str] | None = None
        if condition.operator == "=" and isinstance(condition.value, str):
            names = {condition.value}
        elif condition.operator == "in" and isinstance(condition.value, tuple):
            names = {name for name in condition.value if isinstance(name, str)}
        if names is not None:
            wanted = names if wanted is None else wanted & names
    return [
        identity
        for identity, name in experiments
        if wanted is None or name in wanted or len(name) >= NAME_LENGTH
    ]


def _attribute(condition: Condition) -> list[str]:
    name, operator, value = condition.name, condition.operator, condition.value
    if name in {"started", "ended"} and isinstance(value, int | float) and operator in _COMPARED:
        return _time("start_time" if name == "started" else "end_time", operator, value)
    if not isinstance(value, str):
        return []
    if name == "status":
        is_known = value in ENDS and operator in {"=", "!="}
        return [f"attributes.status {operator} '{value}'"] if is_known else []
    if name == "name":
        return _name(operator, value)
    if name == "group":
        return _text(f"tags.`{GROUP_TAG}`", operator, value)
    return []


def _time(name: str, operator: str, value: float) -> list[str]:
    if not isfinite(value) or abs(value) > _LARGEST_TIME:
        return []
    bounds = []
    if operator in {"=", ">", ">="}:
        bounds.append(f"attributes.{name} >= {max(0, floor(value))}")
    if operator in {"=", "<", "<="}:
        bounds.append(f"attributes.{name} <= {max(0, ceil(value))}")
    return bounds


def _name(operator: str, value: str) -> list[str]:
    if operator == "=" and len(value) < _PREFIX and _IDENTITY.fullmatch(value) is None:
        return _text("attributes.run_name", operator, value)
    if operator == "like":
        # Of a name that had to be cut, the beginning is there.
        beginning = re.match(r"[^%_]*", value)
        kept = beginning.group()[:_PREFIX] if beginning else ""
        could_be_identity = _BEGINS_IDENTITY.fullmatch(kept) is not None
        return [] if could_be_identity else _text("attributes.run_name", operator, f"{kept}%")
    return []


def _text(field: str, operator: str, value: str) -> list[str]:
    if operator not in {"=", "like"} or _PLAIN.fullmatch(value) is None:
        return []
    return [f"{field} {operator.upper()} '{value}'"]


def _param(condition: Condition) -> list[str]:
    # Whatever is asked of a parameter, it is there; but where it is None, it is null here.
    if condition.operator == "is null" or not _is_plain(condition.name, escape_key):
        return []
    return [f"params.`{condition.name}` IS NOT NULL"]


def _tag(condition: Condition) -> list[str]:
    name, operator, value = condition.name, condition.operator, condition.value
    if not _is_plain(name, escape_tag):
        return []
    field = f"tags.`{name}`"
    if operator == "is null":
        # Of MLflow's own there may be one that is no tag of the run's here.
        return [] if name.startswith("mlflow.") else [f"{field} IS NULL"]
    if isinstance(value, str) and (asked := _text(field, operator, value)):
        return asked
    return [f"{field} IS NOT NULL"]


def _is_plain(name: str, escape: Callable[[str], str]) -> bool:
    """Whether this is the name there of what has it here, whoever has written it."""
    return escape(name) == name and _PLAIN.fullmatch(name) is not None


def _metric(condition: Condition) -> list[str]:
    name, operator, value = condition.name, condition.operator, condition.value
    if condition.which != "last" or operator not in _COMPARED or not _is_plain(name, escape_key):
        return []
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    try:
        number = float(value)
    except OverflowError:
        return []
    # Infinities are the largest doubles there; an integer that is no double is compared exactly here.
    if not abs(number) < float_info.max or number != value:
        return []
    return [f"metrics.`{name}` {operator} {repr(number).replace('e+', 'e')}"]
