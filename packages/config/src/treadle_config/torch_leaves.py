"""`torch.dtype` and `torch.device`, of the torch that whoever declares them has imported."""

import sys
from typing import Any

from treadle_config.leaves import reading, text_of
from treadle_config.plans import Leaf
from treadle_config.scalars import Mismatch
from treadle_config.suggestions import did_you_mean, nearest


def torch_leaf(cls: type) -> Leaf:
    """The leaf of one of the two: `float32` or `torch.float32`, and `cpu` or `cuda:0`."""
    read = _dtype_of if cls.__name__ == "dtype" else _device_of
    return Leaf(
        f"torch.{cls.__name__}",
        reading(cls, lambda content: read(cls, text_of(content))),
        lambda value: isinstance(value, cls),
        lambda value: str(value).removeprefix("torch."),
    )


def _dtype_of(cls: type, text: str) -> Any:
    known = {name: one for name, one in vars(sys.modules["torch"]).items() if isinstance(one, cls)}
    name = text.removeprefix("torch.")
    if name not in known:
        raise Mismatch(did_you_mean(nearest(name, known)) or "write it as float32 or bfloat16")
    return known[name]


def _device_of(cls: type, text: str) -> Any:
    try:
        return cls(text)
    except RuntimeError:
        # torch lists every kind of device that it was ever built for.
        raise Mismatch("write it as cpu, cuda or cuda:0") from None
