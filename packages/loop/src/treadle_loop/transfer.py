"""Batches on their way to a GPU while it computes."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from treadle_loop.containers import map_tensors
from treadle_loop.seeking import is_stateful
from treadle_loop.tensor_loader import TensorLoader


def sent(batches: Iterator[Any], loader: Any, device: torch.device | None) -> Iterator[Any]:
    """The batches, for a CUDA device copied on a stream of their own; else as they are.

    The copy of one batch then overlaps with the computation of the one before, which the host has
    queued and does not wait for. Where drawing a batch touches no random number of this process,
    one is also drawn and sent ahead, so that it is there when a host that is slow asks for it.

    Args:
        batches: an iterator over `loader`.
        loader: what they come from.
        device: where they go.
    """
    if device is None or device.type != "cuda":
        return batches
    return _sent(batches, device, ahead=draws_nothing(loader))


def draws_nothing(loader: Any) -> bool:
    """Whether a batch of the loader can be drawn early without a trace in this process."""
    if is_stateful(loader):  # which would say that it is used
        return False
    # Not what only inherits from them: it may draw in an __iter__ of its own.
    iterate = getattr(type(loader), "__iter__", None)
    if iterate is DataLoader.__iter__:
        return bool(loader.num_workers > 0)
    return iterate is TensorLoader.__iter__


def _sent(batches: Iterator[Any], device: torch.device, *, ahead: bool) -> Iterator[Any]:
    stream = torch.cuda.Stream(device)
    waiting: list[tuple[Any, torch.cuda.Event]] = []
    failure: Exception | None = None
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            break
        except Exception as error:  # noqa: BLE001 (the batch before it has not been used yet)
            failure = error
            break
        with torch.cuda.stream(stream):
            copy = map_tensors(lambda leaf: _copy(leaf, device), batch)
        waiting.append((copy, stream.record_event()))
        if not ahead or len(waiting) > 1:
            yield _arrived(*waiting.pop(0), device)
    while waiting:
        yield _arrived(*waiting.pop(0), device)
    if failure is not None:
        raise failure


def _copy(leaf: Any, device: torch.device) -> Any:
    if not isinstance(leaf, Tensor) or leaf.device.type != "cpu":
        return leaf  # which is moved later, if it has to be
    pinned = leaf if leaf.is_pinned() else leaf.pin_memory()
    return pinned.to(device, non_blocking=True)


def _arrived(batch: Any, event: torch.cuda.Event, device: torch.device) -> Any:
    """The batch for the stream that computes: which waits for the copy, and the host does not."""
    current = torch.cuda.current_stream(device)
    current.wait_event(event)

    def use(leaf: Any) -> Any:
        # It was allocated on the other stream, which else would give its memory to the next copy.
        if isinstance(leaf, Tensor) and leaf.device.type == "cuda":
            leaf.record_stream(current)
        return leaf

    return map_tensors(use, batch)
