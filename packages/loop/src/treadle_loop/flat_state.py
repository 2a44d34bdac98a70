"""A state as tensors by name, which is what `torch.distributed.checkpoint` keeps as it was given.

It makes texts of the numbers that an optimizer's state goes by, and leaves out empty dicts.
"""

import copy
import io
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from treadle_loop.errors import StateMismatch

REST = "rest"
"""The name of what is no tensor of the model, the optimizer or the averages: a uint8 tensor."""


def flattened(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of a state by dotted names, such as `model.0.weight`; the rest is one of them."""
    tensors: dict[str, Tensor] = {}
    places: dict[str, tuple[Any, ...]] = {}

    def take(items: Mapping[Any, Any], path: tuple[Any, ...]) -> Any:
        rest: Any = copy.copy(items)  # a model's state dict has an attribute, which stays
        rest.clear()
        for key, item in items.items():
            place = (*path, key)
            if isinstance(item, Tensor):
                name = ".".join(map(str, place))
                tensors[name], places[name] = item, place
            else:
                rest[key] = take(item, place) if isinstance(item, dict) else item
        return rest

    file = io.BytesIO()
    torch.save({"state": take(dict(state), ()), "places": places}, file)
    tensors[REST] = torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)
    return tensors


def is_flat(state: Any) -> bool:
    """Whether it is one of those."""
    return isinstance(state, Mapping) and isinstance(state.get(REST), Tensor)


def restored(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """The state that was flattened, of these tensors.

    Raises:
        StateMismatch: one of them is missing.
    """
    file = io.BytesIO(bytes(tensors[REST].tolist()))
    rest = torch.load(file, map_location="cpu", weights_only=True)
    state: dict[str, Any] = rest["state"]
    for name, (*path, key) in rest["places"].items():
        if name not in tensors:
            raise StateMismatch(
                f"the state was saved with {name} and lacks it now; load all that was saved: all "
                "names in its metadata",
            )
        items: Any = state
        for one in path:
            items = items[one]
        items[key] = tensors[name]
    return state
