"""Numbers as a training loop has them, as the doubles and integers that a log holds."""

import sys
from decimal import Decimal
from fractions import Fraction
from math import isinf
from operator import index
from typing import Any

from treadle_tracking.errors import InvalidStep, InvalidTensor, InvalidValue

__all__ = ["as_double", "as_step", "as_tensor"]


def as_tensor(name: str, value: Any) -> Any:
    """`value` if it is a tensor of torch's that one number can be read from; None where it is none of torch's.

    Nothing is read from it here, and no device is waited for.

    Raises:
        InvalidTensor: it is a tensor of another kind. `name` is the metric's, for the message.
    """
    # Whoever gives a tensor has imported torch.
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(value, torch.Tensor):
        return None
    if value.numel() != 1:
        advice = "Log its mean, or one of its elements"
    elif value.device.type == "meta":
        advice = "A meta tensor has no value: log it where the model has its weights"
    elif value.is_complex():
        advice = "Log its real and its imaginary part, or its absolute value"
    elif value.layout is not torch.strided:
        advice = "Log its to_dense()"
    elif not callable(getattr(value, "full_tensor", None)):
        return value
    elif all(placement.is_replicate() for placement in value.placements):
        return value.to_local()
    else:
        # To put a DTensor together is a collective, in which every rank has to take part: the one that logs would
        # wait for the others for ever.
        advice = (
            "Its value is spread over ranks: call its full_tensor() on every rank, and log that"
        )
    shape = tuple(value.shape)
    raise InvalidTensor(name, f"a tensor of shape {shape}, {value.dtype} on {value.device}", advice)


def as_double(name: str, value: Any) -> float:
    """The double that `value` is, or is nearest to: a Python or numpy number, or a tensor with one element.

    A tensor on a device is fetched, which waits for the device.

    Raises:
        InvalidValue: it is no single real number within a double's range. `name` is the metric's, for the message.
    """
    number = value
    if not isinstance(value, int | float):
        tensor = as_tensor(name, value)
        if tensor is not None:
            number = tensor.item()
        elif callable(getattr(value, "item", None)):
            try:
                # A number that numpy.ma has masked is 0.0 by its item().
                masked = callable(getattr(value, "filled", None)) and bool(value.mask)
                number = None if masked else value.item()
            except (ValueError, RuntimeError) as error:
                # numpy's and others' word for more than one element; a device that failed has the same, so it is shown.
                raise InvalidValue(name, value) from error
    if not isinstance(number, int | float | Decimal | Fraction):
        raise InvalidValue(name, value)
    try:
        double = float(number)
    except (OverflowError, ValueError):  # a signaling NaN of `Decimal` is none
        raise InvalidValue(name, value) from None
    if isinstance(number, Decimal) and isinf(double) and number.is_finite():
        raise InvalidValue(name, value)
    return double


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
