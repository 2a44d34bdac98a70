"""What is due at which position: the limit and the triggers of one schedule, on their grids."""

from __future__ import annotations

from math import lcm

from treadle_units.triggers import At

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from fractions import Fraction
    from typing import TypeAlias

    from treadle_units.limits import Length, Limit, Seconds
    from treadle_units.triggers import Every

    # Where the run is, in each unit of the agenda.
    Position: TypeAlias = Mapping[str, int | Fraction]


class Agenda:
    """The limit and the triggers, each with the next point of its grid.

    Args:
        until: The limit.
        triggers: The triggers by name, in the order in which they are due together.

    Attributes:
        until: As given.
        triggers: As given.
        units: All units in which something is to happen.
        at_end: The names that are due when the run ends.
        epoch_denominator: Every point of a grid in epochs is a multiple of one over this.
    """

    __slots__ = ("_coming", "_goals", "at_end", "epoch_denominator", "triggers", "units", "until")

    def __init__(self, until: Limit, triggers: Mapping[str, Every | At]) -> None:
        self.until = until
        self.triggers = dict(triggers)
        self._goals = tuple((goal.unit, goal.value, goal) for goal in until.alternatives)
        self._coming: dict[str, tuple[str, int | Fraction]] = {}
        goals = {unit for unit, _, _ in self._goals}
        self.units = goals | {trigger.unit for trigger in triggers.values()}
        self.at_end = tuple(name for name, trigger in triggers.items() if trigger.at_end)
        self.epoch_denominator = lcm(
            *(value.denominator for unit, value, _ in self._goals if unit == "epochs"),
            *(
                denominator
                for trigger in triggers.values()
                if trigger.unit == "epochs"
                for denominator in trigger.denominators
            ),
        )

    def in_order(self, names: set[str]) -> tuple[str, ...]:
        """Names in the order of their declaration."""
        return tuple(name for name in self.triggers if name in names)

    def fractions_of_epochs(self) -> Iterator[tuple[str, Length | Seconds | Every | At]]:
        """What needs the length of an epoch, each with its name."""
        for unit, value, goal in self._goals:
            if unit == "epochs" and value.denominator != 1:
                yield "until", goal
        for name, trigger in self.triggers.items():
            if trigger.unit == "epochs" and lcm(*trigger.denominators) != 1:
                yield name, trigger

    def place(self, position: Position) -> None:
        """Find the next points from a position on; what lies behind it has been due before."""
        self._coming = {}
        for name, trigger in self.triggers.items():
            self._place_one(name, trigger, position[trigger.unit])

    def cross(self, position: Position) -> tuple[str, ...]:
        """The names whose next point has been reached; several points of one are crossed at once."""
        crossed = [name for name, (unit, point) in self._coming.items() if position[unit] >= point]
        for name in crossed:
            trigger = self.triggers[name]
            self._place_one(name, trigger, position[trigger.unit])
        return tuple(crossed)

    def reached(self, position: Position) -> Length | Seconds | None:
        """The first alternative of the limit that has been reached."""
        for unit, value, goal in self._goals:
            if position[unit] >= value:
                return goal
        return None

    def nearest(self, position: Position) -> dict[str, int | Fraction]:
        """The nearest point in each unit in which something is to happen beyond a position."""
        nearest: dict[str, int | Fraction] = {}
        for unit, point in self._coming.values():
            if unit not in nearest or point < nearest[unit]:
                nearest[unit] = point
        for unit, value, _ in self._goals:
            if value > position[unit] and (unit not in nearest or value < nearest[unit]):
                nearest[unit] = value
        return nearest

    def unreached(self, position: Position) -> tuple[tuple[str, Length | Seconds], ...]:
        """The lengths of `At` triggers beyond a position."""
        return tuple(
            (name, length)
            for name, trigger in self.triggers.items()
            if isinstance(trigger, At)
            for length in trigger.lengths
            if length.value > position[trigger.unit]
        )

    def _place_one(self, name: str, trigger: Every | At, here: int | Fraction) -> None:
        point = trigger.next_after(here)
        if point is None:
            self._coming.pop(name, None)
        else:
            self._coming[name] = trigger.unit, point
