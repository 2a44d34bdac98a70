"""What a checkpoint may hold: what `torch.load(weights_only=True)` can read back."""

from collections import Counter, OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from treadle_loop.errors import CheckpointNotPlain

# Exact types: the pickle of a subclass names its class, and only named classes can run code.
# Counter is what MultiStepLR keeps its milestones in.
_LEAVES = {str, int, float, bool, type(None), torch.Size, torch.dtype, torch.device}
_MAPPINGS = (dict, OrderedDict, Counter)
_SEQUENCES = (list, tuple)
_TENSORS = (Tensor, nn.Parameter)


def check_plain(state: Any) -> None:
    """See that all of `state` can be saved and read back, whatever holds it.

    Raises:
        CheckpointNotPlain: something in it cannot; the message names its place.
    """
    if type(state) not in _MAPPINGS:
        raise CheckpointNotPlain(
            f"state is a {_type_name(state)}, and a dict was expected; give what is saved a name, "
            'as in {"model": model.state_dict()}',
        )
    _check(state, "state", set())


def _check(value: Any, where: str, seen: set[int]) -> None:
    kind = type(value)
    if kind in _LEAVES or id(value) in seen:
        return
    if kind is bytes:
        _check_bytes(value, where)
        return
    seen.add(id(value))  # what is shared, or holds itself, is walked once
    if kind in _MAPPINGS:
        for key, item in value.items():
            _check(key, f"a key of {where}", seen)
            if type(item) not in _LEAVES:
                _check(item, f"{where}[{_quoted(key)}]", seen)
    elif kind in _SEQUENCES:
        for index, item in enumerate(value):
            if type(item) not in _LEAVES:  # of which there may be a great many
                _check(item, f"{where}[{index}]", seen)
    elif kind in _TENSORS:
        _check_tensor(value, where)
    else:
        _refuse(value, where)
    # Attributes are saved too: those of a model's state dict, or of a tensor that was tagged.
    for name, attribute in getattr(value, "__dict__", {}).items():
        _check(attribute, f"{where}.{name}", seen)


def _check_bytes(value: bytes, where: str) -> None:
    if not value:
        raise CheckpointNotPlain(
            f"{where} is b'', an empty bytes, which torch saves as a call and would refuse to read "
            "back; keep None or an empty str in its place",
        )


def _check_tensor(value: Tensor, where: str) -> None:
    if value.is_meta:
        raise CheckpointNotPlain(
            f"{where} is on the meta device, where a tensor has no values, and values were "
            "expected; initialise the model on a real device before you save it",
        )


def _refuse(value: Any, where: str) -> None:
    if isinstance(value, Tensor):
        raise CheckpointNotPlain(
            f"{where} is a {_type_name(value)}, and a plain tensor was expected; gather its whole "
            "value first, as a DTensor's full_tensor() does on all ranks",
        )
    raise CheckpointNotPlain(
        f"{where} is a {_type_name(value)}, which could not be read back without running code; "
        "keep dicts, lists, tuples, str, bytes, int, float, bool, None and tensors",
    )


def _quoted(key: Any) -> str:
    """The key as it is written in code."""
    return f'"{key}"' if isinstance(key, str) and key.isidentifier() else repr(key)


def _type_name(value: Any) -> str:
    kind = type(value)
    module = kind.__module__
    return kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
