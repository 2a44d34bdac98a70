"""A pass without gradients."""

from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import repeat
from typing import Any

import torch
from torch import Tensor, nn

from treadle_loop.containers import map_tensors
from treadle_loop.devices import place
from treadle_loop.epoch import Totals
from treadle_loop.loss import read_outcome
from treadle_loop.modes import evaluating
from treadle_loop.passes import length_of
from treadle_loop.records import record_counter
from treadle_loop.supervised import Step
from treadle_loop.transfer import sent

Forward = Callable[[nn.Module, Any], Any]
InStep = Callable[[Iterator[Any]], Iterable[tuple[Any, bool]]]
"""From batches to batches, and whether each counts: for ranks that must compute together."""


def uninterrupted(batches: Iterator[Any]) -> Iterable[tuple[Any, bool]]:
    """Each counts."""
    return zip(batches, repeat(True))


def evaluate(
    model: nn.Module,
    step: Step,
    loader: Iterable[Any],
    device: torch.device | None,
    in_step: InStep = uninterrupted,
) -> Totals:
    """What the step comes to on every batch that counts, in evaluation mode."""
    totals = Totals()
    count = record_counter(loader, length_of(loader))
    # Not inference_mode: what a module caches in it could not be used in training afterwards.
    with evaluating(model), torch.no_grad():
        for batch, counts in in_step(_drawn(loader, device)):
            placed = place(batch, device)
            _, outcome = read_outcome(step(model, placed), placed, count)
            if counts:
                totals.add((outcome,), outcome.records, 1)
    totals.complete = True
    return totals


def outputs_of(
    model: nn.Module, forward: Forward, loader: Iterable[Any], device: torch.device | None
) -> Generator[Any, None, None]:
    """What the model answers to every batch, in evaluation mode."""
    with evaluating(model):
        for batch in sent(iter(loader), loader, device):
            if model.training:  # your code may have trained it at the last yield
                model.eval()
            with torch.no_grad():  # not around the yield: your code has its own mode
                outputs = forward(model, place(batch, device))
            yield map_tensors(_detached, outputs)


def _drawn(loader: Iterable[Any], device: torch.device | None) -> Iterator[Any]:
    # A generator, so that a loader that cannot begin fails at its first batch.
    yield from sent(iter(loader), loader, device)


def forward_inputs(model: nn.Module, batch: Any) -> Any:
    """The model's answer to a batch, or to its first item, as in `(inputs, targets)`."""
    return model(batch[0] if isinstance(batch, (tuple, list)) else batch)


def _detached(leaf: Any) -> Any:
    return leaf.detach() if isinstance(leaf, Tensor) and leaf.requires_grad else leaf
