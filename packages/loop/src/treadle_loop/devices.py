"""Where a model is, how a batch gets there, and when the device is done."""

from typing import Any

import torch
from torch import Tensor, nn

from treadle_loop.containers import map_tensors


def device_of(model: nn.Module) -> torch.device | None:
    """The device of the model's first parameter; None for a model without parameters."""
    for parameter in model.parameters():
        return parameter.device
    return None


def place(batch: Any, device: torch.device | None) -> Any:
    """The batch with every tensor on `device`; the same object where all are there already.

    A copy from pinned host memory does not block the host; any other copy is done on return.
    """
    if device is None:
        return batch
    if type(batch) in (tuple, list):  # the hot path: all are there, and no call is made
        for leaf in batch:
            if type(leaf) is not Tensor or leaf.device != device:
                break
        else:
            return batch

    def move(leaf: Any) -> Any:
        if isinstance(leaf, Tensor):
            if leaf.device == device:
                return leaf
            return leaf.to(device, non_blocking=leaf.device.type == "cpu" and leaf.is_pinned())
        return leaf.to(device)

    return map_tensors(move, batch)


def settle(device: torch.device | None) -> None:
    """Wait until `device` has done all that it was asked to do, so that a clock tells the truth."""
    if device is None:
        return
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "xpu":
        torch.xpu.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
