"""Whatever a `SummaryWriter` is given, as a numpy array."""

from typing import Any

from treadle_tracking.errors import MissingExtra

__all__ = ["as_array"]


def as_array(value: Any, purpose: str) -> Any:
    """`value` as a numpy array; a tensor is fetched, and one of a float that numpy has not is float32.

    Raises:
        MissingExtra: numpy is not installed.
    """
    try:
        import numpy as np
    except ImportError:
        raise MissingExtra(purpose, "numpy", "images") from None

    if callable(getattr(value, "detach", None)):
        value = value.detach().cpu()
        if value.is_floating_point() and value.element_size() not in {4, 8}:
            value = value.float()
        value = value.numpy()
    return np.asarray(value)
