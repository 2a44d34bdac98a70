"""The limits of gradient clipping, as the textbook calls it: once an update, on the final gradients."""

from dataclasses import dataclass

from treadle_loop.errors import InvalidSetting
from treadle_loop.loss import is_number


@dataclass(frozen=True, slots=True)
class Clipping:
    """Limits for the gradients of an optimizer's parameters; None is no limit."""

    norm: float | None
    value: float | None

    def __post_init__(self) -> None:
        for name, limit in (("clip_norm", self.norm), ("clip_value", self.value)):
            if limit is not None and not (is_number(limit) and limit > 0):
                raise InvalidSetting(
                    f"{name} is {limit!r}, and a number above 0 was expected; leave it out for no "
                    "clipping",
                )


def clipping_of(norm: float | None, value: float | None) -> Clipping | None:
    """The limits, where there is one."""
    return None if norm is None and value is None else Clipping(norm, value)
