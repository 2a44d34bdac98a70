"""Which validation was the best so far, and for how long none was better."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from treadle.errors import WrongArgument
from treadle_units import Length, Limit, Progress, Seconds

__all__ = ["Best", "parse_best"]

_DIRECTIONS = {"min", "max"}


def parse_best(text: str, loaders: Sequence[str]) -> tuple[str, str]:
    """The metric and the direction that `"val/loss:min"` names.

    Raises:
        WrongArgument: It does not say so, or names no validation loader.
    """
    example = f"{loaders[0] if loaders else 'val'}/loss:min"
    if not isinstance(text, str):
        raise WrongArgument(
            f"best is {text!r} ({type(text).__name__}); expected a text, as in {example!r}"
        )
    name, _, direction = text.rpartition(":")
    if not name or direction not in _DIRECTIONS:
        raise WrongArgument(
            f"best is {text!r}; expected a metric and whether less or more of it is better, as in "
            f"{example!r} or {example.replace(':min', ':max')!r}"
        )
    if not any(name.startswith(f"{loader}/") for loader in loaders):
        known = ", ".join(repr(loader) for loader in loaders) or "none"
        raise WrongArgument(
            f"best is {text!r}, and a validation metric was expected: its name begins with a "
            f"validation loader's, and there is {known}"
        )
    return name, direction


class Best:
    """The best value of a metric so far. NaN is never better, and of equal values the first one stays.

    Args:
        metric: Its name, such as `val/loss`.
        direction: `min` or `max`.
        patience: How long a training goes on without a better value, with whole epochs only; None is for ever.

    Attributes:
        value: The best value; None before there is one.
        step: The optimizer steps of the training by then.
    """

    def __init__(self, metric: str, direction: str, patience: Limit | None) -> None:
        self.metric = metric
        self.value: float | None = None
        self.step = 0
        self._sign = 1.0 if direction == "min" else -1.0
        self._direction = direction
        self._patience = patience
        self._since: dict[str, int | float] = {}

    def improves(self, values: Mapping[str, Any], progress: Progress) -> bool:
        """Take a validation into account, and say whether it is the best.

        Args:
            values: What it came to by name, such as `val/loss`, on whatever device.
            progress: The counts of the training.

        Raises:
            WrongArgument: There is no such name.
        """
        if self.metric not in values:
            raise WrongArgument(
                f"best names {self.metric!r}, which the validation does not have: it has "
                f"{', '.join(map(repr, values))}"
            )
        value = float(values[self.metric])
        is_better = not isnan(value) and (
            self.value is None or self._sign * value < self._sign * self.value
        )
        if is_better:
            self.value, self.step = value, progress.steps
        if is_better or not self._since:
            # From the first validation on, so that a loss that is NaN from the start ends, too.
            self._since = self._counts(progress)
        return is_better

    def is_given_up(self, progress: Progress) -> bool:
        """Whether no value was better for as long as that is waited for."""
        if self._patience is None or not self._since:
            return False
        now = self._counts(progress)
        return any(
            self._passed(goal.unit, now) >= goal.value for goal in self._patience.alternatives
        )

    @property
    def reason(self) -> str:
        """Why a training ends that is given up."""
        return f"no better {self.metric} for {self._patience}"

    def state_dict(self) -> dict[str, Any]:
        """What is needed to go on, as plain values."""
        return {
            "metric": self.metric,
            "direction": self._direction,
            "value": self.value,
            "step": self.step,
            "since": dict(self._since),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`; that of another metric or direction is none, and the search begins anew."""
        if (state["metric"], state["direction"]) == (self.metric, self._direction):
            self.value, self.step = state["value"], state["step"]
            since = state["since"]
            self._since = since if since.keys() >= self._units() | {"epoch_records"} else {}

    def _passed(self, unit: str, now: Mapping[str, int | float]) -> int | float:
        passed = now[unit] - self._since[unit]
        if unit == "epochs" and now["epoch_records"] < self._since["epoch_records"]:
            passed -= 1  # from the middle of a pass to before the middle of another
        return passed

    def _units(self) -> set[str]:
        return {goal.unit for goal in self._patience.alternatives} if self._patience else set()

    def _counts(self, progress: Progress) -> dict[str, int | float]:
        return {"steps": progress.steps, "epoch_records": progress.epoch.records} | {
            goal.unit: _count(goal, progress)
            for goal in (self._patience.alternatives if self._patience else ())
        }


def _count(goal: Length | Seconds, progress: Progress) -> int | float:
    return progress.seconds if isinstance(goal, Seconds) else progress.total(goal.unit)
