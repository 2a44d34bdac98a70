"""What an optimizer keeps for its parameters, and what of it is new."""

from typing import Any

from torch.optim import Optimizer


class Births:
    """What comes into being in an optimizer's state, so that it can be undone.

    An optimizer makes the state of a parameter in the first step that needs it, and knows that
    step by the state that is missing.
    """

    __slots__ = ("_filled", "_known", "_optimizer")

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        self._filled = -1
        self._known: dict[tuple[Any, str], bool] = {}

    def before_step(self) -> None:
        """Take notice of what there is."""
        # Counting costs little, and there are births in hardly any step.
        if _filled(self._optimizer) != self._filled:
            self._notice()

    def after_step(self) -> dict[tuple[Any, str], bool]:
        """What is new by parameter and name, and whether it was there before as None."""
        if _filled(self._optimizer) == self._filled:
            return {}
        before = self._known
        self._notice()
        return {
            entry: entry in before
            for entry, filled in self._known.items()
            if entry not in before or (filled and not before[entry])
        }

    def undo(self, born: dict[tuple[Any, str], bool]) -> None:
        """Make it as if what `after_step` returned had not come into being."""
        for (parameter, name), was_none in born.items():
            state = self._optimizer.state.get(parameter)
            if state is None:
                continue
            if was_none:
                state[name] = None
                continue
            state.pop(name, None)
            if not state:
                del self._optimizer.state[parameter]

    def _notice(self) -> None:
        self._known = {
            (parameter, name): value is not None
            for parameter, state in self._optimizer.state.items()
            if isinstance(state, dict)
            for name, value in state.items()
        }
        self._filled = _filled(self._optimizer)


def _filled(optimizer: Optimizer) -> int:
    filled = 0
    for state in optimizer.state.values():
        if isinstance(state, dict):
            # Twice what holds something, so that a None that is filled makes a difference too.
            filled += sum([2 if value is not None else 1 for value in state.values()])
    return filled
