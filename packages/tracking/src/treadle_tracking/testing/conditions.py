"""Conditions, and which of some runs meet them: none of those may be left out."""

from collections.abc import Iterator, Sequence
from math import inf, nan
from typing import Any, Literal, TypeAlias
from uuid import uuid4

from attrs import frozen

from treadle_tracking.clock import milliseconds
from treadle_tracking.entries import Ended, Entry, Params, ParamValue, Scalars, Started, Tags
from treadle_tracking.reading.condition import Condition, Operator

__all__ = ["Asked", "asked", "searched_logs"]

# What is asked of, how, with which value, and the names of the runs that certainly meet it.
_Row: TypeAlias = tuple[str, Operator, Any, str]
_Which: TypeAlias = Literal["last", "min", "max"]
_BEGAN = 1_700_000_000.0  # seconds since the epoch


@frozen
class Asked:
    """A condition, and the names of the runs that certainly meet it."""

    condition: Condition
    names: str  # each is one letter


def searched_logs() -> list[list[Entry]]:
    """Four runs, called a, b, c and d: whole, failed, without an end, and with nothing in it but a beginning and an end."""
    a, b, c, d = (
        Started(
            wall_time=_BEGAN + 100 * place,
            uid=f"{name}-{uuid4().hex}",
            experiment="other" if name == "c" else "digits",
            name=name,
            group="seeds" if name == "a" else None,
        )
        for place, name in enumerate("abcd")
    )
    params: dict[str, ParamValue] = {
        "lr": 0.1,
        "model": {"depth": 3},
        "amp": True,
        "act": "relu",
        "clip": None,
    }
    return [
        [
            a,
            Params(wall_time=_BEGAN + 1, values=params),
            Tags(wall_time=_BEGAN + 2, values={"note": "first try", "kept": ""}),
            Scalars(wall_time=_BEGAN + 3, step=1, values={"loss": 3.0, "val/acc": 0.9}),
            Scalars(wall_time=_BEGAN + 4, step=2, values={"loss": 0.5}),
            Ended(wall_time=_BEGAN + 10, status="FINISHED"),
        ],
        [
            b,
            Params(wall_time=_BEGAN + 101, values={"lr": 0.001, "model": {"depth": 2**60 + 1}}),
            Scalars(wall_time=_BEGAN + 102, step=1, values={"loss": 0.25}),
            Scalars(wall_time=_BEGAN + 103, step=2, values={"loss": inf}),
            Ended(wall_time=_BEGAN + 120, status="FAILED"),
        ],
        [
            c,
            Params(wall_time=_BEGAN + 201, values={"lr": "fast", "amp": False}),
            Tags(wall_time=_BEGAN + 202, values={"note": "second"}),
            Scalars(wall_time=_BEGAN + 203, step=1, values={"loss": nan}),
        ],
        [d, Ended(wall_time=_BEGAN + 301, status="KILLED")],
    ]


def asked(logs: Sequence[Sequence[Entry]]) -> Iterator[Asked]:
    """Conditions of every kind and operator, for the runs of `searched_logs`."""
    starts = [log[0] for log in logs]
    uids = [start.uid for start in starts if isinstance(start, Started)]
    second = milliseconds(starts[1].wall_time)
    attributes: list[_Row] = [
        ("uid", "=", uids[0], "a"),
        ("uid", "!=", uids[0], "bcd"),
        ("uid", "in", tuple(uids[1:3]), "bc"),
        ("name", "=", "a", "a"),
        ("name", "!=", "a", "bcd"),
        ("name", "like", "%b%", "b"),
        ("name", "ilike", "A", "a"),
        ("name", "not like", "a%", "bcd"),
        ("name", "in", ("a", "c", "z"), "ac"),
        ("name", "not in", ("a", "c", "z"), "bd"),
        ("name", "<", "c", "ab"),
        ("experiment", "=", "other", "c"),
        ("experiment", "!=", "other", "abd"),
        ("experiment", "like", "dig%", "abd"),
        ("experiment", "=", "none of this name", ""),
        ("group", "=", "seeds", "a"),
        ("group", "is null", None, "bcd"),
        ("group", "is not null", None, "a"),
        ("status", "=", "FINISHED", "a"),
        ("status", "!=", "FINISHED", "bcd"),
        ("status", "in", ("FINISHED", "FAILED"), "ab"),
        ("status", "in", ("RUNNING", "UNFINISHED"), "c"),
        ("status", "not in", ("RUNNING", "UNFINISHED"), "abd"),
        ("started", "=", second, "b"),
        ("started", "!=", second, "acd"),
        ("started", ">", second, "cd"),
        ("started", "<=", second, "ab"),
        ("started", "<", second + 0.5, "ab"),
        ("ended", "is null", None, "c"),
        ("ended", "is not null", None, "abd"),
        ("ended", "<", second, "a"),
        ("duration", ">=", 10, "ab"),
        ("duration", "<", 10.5, "ad"),
    ]
    yield from (
        Asked(Condition(kind="attribute", name=name, operator=operator, value=value), names)
        for name, operator, value, names in attributes
    )
    parameters: list[_Row] = [
        ("lr", "=", 0.1, "a"),
        ("lr", "=", "fast", "c"),
        ("lr", "=", "0.1", "a"),
        ("lr", "!=", 0.1, "b"),
        ("lr", "<", 0.01, "b"),
        ("lr", ">=", 0.1, "a"),
        ("lr", "in", (0.1, 5), "a"),
        ("lr", "in", (0.001, "fast"), "bc"),
        ("lr", "is null", None, "d"),
        ("lr", "is not null", None, "abc"),
        ("model.depth", "=", 3, "a"),
        ("model.depth", "=", 2**60 + 1, "b"),
        ("model.depth", "is null", None, "cd"),
        ("amp", "=", True, "a"),
        ("amp", "!=", True, "c"),
        ("act", "like", "re%", "a"),
        ("act", "not like", "s%", "a"),
        ("clip", "is null", None, "abcd"),
        ("unknown", "is null", None, "abcd"),
        ("unknown", "=", 1, ""),
    ]
    yield from (
        Asked(Condition(kind="param", name=name, operator=operator, value=value), names)
        for name, operator, value, names in parameters
    )
    tags: list[_Row] = [
        ("note", "=", "first try", "a"),
        ("note", "!=", "first try", "c"),
        ("note", "like", "%try", "a"),
        ("note", "ilike", "FIRST%", "a"),
        ("note", "not like", "first%", "c"),
        ("note", "in", ("second", "third"), "c"),
        ("note", "is null", None, "bd"),
        ("note", "is not null", None, "ac"),
        ("note", ">", "g", "c"),
        ("kept", "=", "", "a"),
        ("kept", "is not null", None, "a"),
        ("unknown'\"`]%", "is null", None, "abcd"),
    ]
    yield from (
        Asked(Condition(kind="tag", name=name, operator=operator, value=value), names)
        for name, operator, value, names in tags
    )
    metrics: list[tuple[str, _Which, Operator, Any, str]] = [
        ("loss", "last", "=", 0.5, "a"),
        ("loss", "last", "!=", 0.5, "bc"),
        ("loss", "last", "<", 1, "a"),
        ("loss", "last", ">", 1e300, "b"),
        ("loss", "last", "=", inf, "b"),
        ("loss", "last", "in", (0.5, 7.0), "a"),
        ("loss", "last", "is null", None, "d"),
        ("loss", "last", "is not null", None, "abc"),
        ("loss", "min", "<=", 0.25, "b"),
        ("loss", "min", ">", 0.25, "a"),
        ("loss", "max", ">=", 3.0, "ab"),
        ("loss", "max", "<", inf, "a"),
        ("val/acc", "last", ">", 0.5, "a"),
        ("val/acc", "max", "is null", None, "bcd"),
        ("unknown", "min", "is null", None, "abcd"),
        ("unknown", "last", "<", 0.0, ""),
    ]
    yield from (
        Asked(
            Condition(kind="metric", name=name, operator=operator, value=value, which=which), names
        )
        for name, which, operator, value, names in metrics
    )
