"""The table of a schedule: when each of its triggers is due first, next, last, and how often."""

from __future__ import annotations

from math import floor

from treadle_units.forecast import Course
from treadle_units.geometry import UNITS
from treadle_units.limits import Length
from treadle_units.triggers import At
from treadle_units.vocabulary import COUNTER_PREFIX, SINGULAR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from fractions import Fraction

    from treadle_units.geometry import Geometry
    from treadle_units.limits import Limit, Seconds
    from treadle_units.triggers import Every

_UNKNOWN = "?"
_NONE = "-"
# From here on digits are grouped: 4 of them can be read at a glance.
_GROUPED_FROM = 10_000
# Of the lengths of an `At`, which may be many.
_SHOWN = 4
_MULTIPLES = {"G": 10**9, "M": 10**6, "k": 10**3}


def explain(
    until: Limit,
    triggers: Mapping[str, Every | At],
    geometry: Geometry | None = None,
    *,
    epoch_length: Length | None = None,
    batches_per_epoch: int | None = None,
) -> str:
    """Write when each trigger of a schedule is going to be due.

    `Schedule.explain` shows what that looks like.
    What is written is exact for data of these sizes, and what they do not tell is `?`: the end of
    a run limited in seconds or tokens, and all that lies beyond the end of a pass of unknown size.
    Where an alternative of the limit is not known, the table goes on to the others ("at most").

    A window that the end of the run leaves open is closed there if the geometry flushes, as
    `Schedule.batches` does; otherwise the table is that of a loop which carries or drops it and
    tells a schedule so by `advance`.
    Fractions of an epoch are placed from the first epoch on, also where `resolve` would let them
    wait for its end.

    Args:
        until: The limit.
        triggers: The triggers by name, in the order of the rows.
        geometry: The sizes of the data. Without a `dataset_size` they are one pass without an end,
            unless the limit or a trigger counts passes: then only what no short batch or window can
            shift is known.
        epoch_length: What an epoch is, `None` where it is a pass.
        batches_per_epoch: The batches of a pass, where the geometry does not tell.

    Returns:
        Lines without a line break at the end.

    Raises:
        InvalidArgument: `batches_per_epoch` is not what the geometry tells.
        EmptyEpoch: Passes of `batches_per_epoch` are too short for the geometry's windows, which
            drops those cut short.
    """
    units = {amount.unit for amount in (*until.alternatives, *triggers.values())}
    passes = "epochs" in units and epoch_length is None
    course = Course(until, geometry, epoch_length, batches_per_epoch, passes=passes)
    epoch = f", where an epoch is {_amount(epoch_length)}" if epoch_length else ""
    rows = [
        [name, _every(trigger), *_cells(trigger, course, passes=passes)]
        for name, trigger in triggers.items()
    ]
    return "\n".join([_until(until, course, passes=passes) + epoch, *_table(rows)])


def _until(until: Limit, course: Course, *, passes: bool) -> str:
    """Write the limit, and what is counted where it is reached."""
    goals = until.alternatives
    written = f"until {' | '.join(map(_amount, goals))}"
    if course.end is None:
        of_pass = passes and any(goal.unit == "epochs" for goal in goals)
        what = "the length of an epoch" if of_pass else "its length in batches"
        return f"{written}: {what} is not known"
    counts = {unit: _counted(course, unit, course.end) for unit in UNITS if course.knows(unit)}
    if len(goals) == 1 and counts.get(goals[0].unit) == goals[0].value:
        # A limit that is met is written already.
        del counts[goals[0].unit]
    parts = any(goal.unit == "epochs" and goal.value.denominator != 1 for goal in goals)
    if parts or not counts.get("epochs"):
        # Beside 3/2 epochs, the one that has ended would read as if it were as much.
        counts.pop("epochs", None)
    reached = ", ".join(_spelled(count, unit) for unit, count in counts.items())
    if not course.certain:
        return f"{written}, at most {reached}"
    return f"{written} = {reached}" if reached else written


def _counted(course: Course, unit: str, end: int) -> int:
    """What the outcome of the run says of a unit: of epochs those that have ended."""
    return floor(course.count(unit, end))


def _cells(trigger: Every | At, course: Course, *, passes: bool) -> list[str]:
    """Write when a trigger is due: first, then, last, times."""
    end = _UNKNOWN if course.end is None or not trigger.at_end else _batch(course.end)
    if not course.knows(trigger.unit):
        of_pass = passes and trigger.unit == "epochs" and set(trigger.denominators) == {1}
        first_and_then = _passes(trigger) if of_pass else (_UNKNOWN, _UNKNOWN)
        return [*first_and_then, end, _UNKNOWN]
    due = course.due(trigger)
    if due.first is None:
        assert course.end is not None
        return [f"never reached ({_grouped(_counted(course, trigger.unit, course.end))})"]
    then = _NONE if due.then is None else _batch(due.then)
    if due.last is None or due.times is None:
        return [_batch(due.first), then, _UNKNOWN, _UNKNOWN]
    return [_batch(due.first), then, _batch(due.last), _grouped(due.times)]


def _passes(trigger: Every | At) -> tuple[str, str]:
    """Write at which passes a trigger is due, whatever their length."""
    first = trigger.next_after(0)
    assert first is not None
    then = trigger.next_after(first)
    if then is None:
        return f"end of pass {first}", _NONE
    each = not isinstance(trigger, At) and trigger.length.value == 1
    return f"end of pass {first}", "each pass" if each else f"end of pass {then}"


def _table(rows: list[list[str]]) -> Iterable[str]:
    """Lay out rows of six cells; one of three says in its last that there are no more."""
    if not rows:
        return []
    rows = [["", "every", "first", "then", "last", "times"], *rows]
    full = [row for row in rows if len(row) == len(rows[0])]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    widths += [max(len(row[column]) for row in full) for column in (2, 3, 4, 5)]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths[: len(row)], strict=True)
        ).rstrip()
        for row in rows
    ]


def _batch(number: int) -> str:
    return f"batch {_grouped(number)}"


def _grouped(number: int | Fraction) -> str:
    """Write a number, with its digits in groups where there are many."""
    whole = f"{number.numerator:_}" if number.numerator >= _GROUPED_FROM else f"{number.numerator}"
    return whole if number.denominator == 1 else f"{whole}/{_grouped(number.denominator)}"


def _spelled(value: int | Fraction, unit: str, multiple: str = "") -> str:
    counted = unit if unit in SINGULAR else f"{COUNTER_PREFIX}{unit}"
    if value == 1 and not multiple:
        counted = SINGULAR.get(unit, counted)
    return f"{_grouped(value)}{multiple} {counted}"


def _amount(amount: Length | Seconds) -> str:
    """Write a length as briefly as `parse` reads it: `100k records`."""
    if not isinstance(amount, Length):
        return str(amount)
    for multiple, size in _MULTIPLES.items():
        if amount.value % size == 0:
            return _spelled(amount.value // size, amount.unit, multiple)
    return _spelled(amount.value, amount.unit)


def _every(trigger: Every | At) -> str:
    if isinstance(trigger, At):
        points = [_amount(length) for length in trigger.lengths]
        if len(points) > _SHOWN:
            points[_SHOWN - 1 : -1] = ["..."]
        return f"at {', '.join(points)}"
    offset = f" from {_grouped(trigger.offset)}" if trigger.offset else ""
    return f"{_amount(trigger.length)}{offset}{', at end' if trigger.at_end else ''}"
