"""What is due at which position: the limit and the triggers of one schedule, on their grids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from math import lcm

from treadle_units.limits import Length, Limit, Seconds
from treadle_units.triggers import At, Every

Position = Callable[[str], int | Fraction]
"""Where the run is, in a unit."""


class Agenda:
    """The limit and the triggers, each with the next point of its grid.

    Args:
        until: The limit.
        triggers: The triggers by name, in the order in which they are due together.
    """

    __slots__ = ("_coming", "_triggers", "epoch_denominator", "until")

    def __init__(self, until: Limit, triggers: Mapping[str, Every | At]) -> None:
        self.until = until
        self._triggers = dict(triggers)
        self._coming: dict[str, int | Fraction | None] = {}
        self.epoch_denominator = lcm(
            *(goal.value.denominator for goal in until.alternatives if goal.unit == "epochs"),
            *(
                denominator
                for trigger in triggers.values()
                if trigger.unit == "epochs"
                for denominator in trigger.denominators
            ),
        )
        """Every point of a grid in epochs is a multiple of one over this."""

    @property
    def units(self) -> set[str]:
        """All units in which something is to happen."""
        goals = {goal.unit for goal in self.until.alternatives}
        return goals | {trigger.unit for trigger in self._triggers.values()}

    @property
    def at_end(self) -> set[str]:
        """The names that are due when the run ends."""
        return {name for name, trigger in self._triggers.items() if trigger.at_end}

    def in_order(self, names: set[str]) -> tuple[str, ...]:
        """Names in the order of their declaration."""
        return tuple(name for name in self._triggers if name in names)

    def fractions_of_epochs(self) -> Iterator[tuple[str, Length | Seconds | Every | At]]:
        """What needs the length of an epoch, each with its name."""
        for goal in self.until.alternatives:
            if goal.unit == "epochs" and goal.value.denominator != 1:
                yield "until", goal
        for name, trigger in self._triggers.items():
            if trigger.unit == "epochs" and lcm(*trigger.denominators) != 1:
                yield name, trigger

    def place(self, position: Position) -> None:
        """Find the next points from a position on; what lies behind it has been due before."""
        self._coming = {
            name: trigger.next_after(position(trigger.unit))
            for name, trigger in self._triggers.items()
        }

    def cross(self, position: Position) -> set[str]:
        """The names whose next point has been reached; several points of one are crossed at once."""
        crossed = set()
        for name, trigger in self._triggers.items():
            point = self._coming[name]
            if point is not None and (reached := position(trigger.unit)) >= point:
                crossed.add(name)
                self._coming[name] = trigger.next_after(reached)
        return crossed

    def reached(self, position: Position) -> Length | Seconds | None:
        """The first alternative of the limit that has been reached."""
        for goal in self.until.alternatives:
            if position(goal.unit) >= goal.value:
                return goal
        return None

    def coming(self, unit: str, position: Position) -> int | Fraction | None:
        """The nearest point in a unit at which something is to happen."""
        points = [
            point
            for name, point in self._coming.items()
            if point is not None and self._triggers[name].unit == unit
        ]
        here = position(unit)
        points += [
            goal.value
            for goal in self.until.alternatives
            if goal.unit == unit and goal.value > here
        ]
        return min(points, default=None)

    def unreached(self, position: Position) -> tuple[tuple[str, Length | Seconds], ...]:
        """The lengths of `At` triggers beyond a position."""
        return tuple(
            (name, length)
            for name, trigger in self._triggers.items()
            if isinstance(trigger, At)
            for length in trigger.lengths
            if length.value > position(trigger.unit)
        )
