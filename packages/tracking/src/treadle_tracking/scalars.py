"""Numbers as a training loop has them, as the doubles and integers that a log holds."""

from operator import index
from typing import Any

from treadle_tracking.errors import InvalidStep, InvalidValue

__all__ = ["as_double", "as_step"]


def as_double(name: str, value: Any) -> float:
    """The double that `value` is: a Python or numpy number, or a tensor with one element.

    A tensor on a device is fetched, which waits for the device.

    Raises:
        InvalidValue: it is no single real number within a double's range. `name` is the metric's, for the message.
    """
    number = value
    if not isinstance(value, int | float) and callable(getattr(value, "item", None)):
        try:
            number = value.item()
        except (ValueError, RuntimeError) as error:
            # numpy's and torch's word for more than one element; a device that failed has the same, so it is shown.
            raise InvalidValue(name, value) from error
    if not isinstance(number, int | float):
        raise InvalidValue(name, value)
    try:
        return float(number)
    except OverflowError:
        raise InvalidValue(name, value) from None


def as_step(step: Any) -> int:
    """The integer that `step` is: a Python or numpy integer, or a tensor of one.

    Raises:
        InvalidStep: it is none, or needs more than 64 bits.
    """
    try:
        number = index(step)
    except (TypeError, ValueError, RuntimeError):
        raise InvalidStep(step) from None
    if not -(2**63) <= number < 2**63:
        raise InvalidStep(step)
    return number
