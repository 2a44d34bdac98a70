"""What a search asks of every run that it finds: a part that a store may understand as well."""

from typing import Literal, TypeAlias

from attrs import frozen

__all__ = ["Condition", "Operand", "Operator"]

Operand: TypeAlias = str | int | float | bool
Operator: TypeAlias = Literal[
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "like",
    "ilike",
    "not like",
    "in",
    "not in",
    "is null",
    "is not null",
]


@frozen(kw_only=True)
class Condition:
    """A comparison that holds for each run of an answer. Times, `started` and `ended`, are milliseconds since the epoch."""

    kind: Literal["attribute", "param", "tag", "metric"]
    name: str
    operator: Operator
    value: Operand | tuple[Operand, ...] | None = None
    which: Literal["last", "min", "max"] = "last"  # of a metric
