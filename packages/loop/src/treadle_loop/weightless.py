"""A backward pass that adds nothing, whatever is on its way."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


@contextmanager
def adding_nothing(value: Tensor) -> Iterator[Tensor]:
    """A context in which the backward of what it yields leaves gradients of zero.

    To multiply a loss by 0 is not enough where it is not finite, such as a mean over nothing: the
    gradients within are nan then, and times 0 they still are. So what arrives at the parameters
    is replaced by zeros. It does arrive there: other ranks wait for it.
    """
    removable = [node.register_prehook(_zeros) for node in _ends(value)]
    try:
        yield torch.nan_to_num(value) * 0
    finally:
        # A host may keep these nodes for the next pass.
        for handle in removable:
            handle.remove()


def _ends(value: Tensor) -> list[Any]:
    """The places in the graph of a value where gradients are added up in parameters."""
    ends = []
    waiting: list[Any] = [value.grad_fn]
    seen = {None, value.grad_fn}
    while waiting:
        node = waiting.pop()
        if hasattr(node, "variable"):
            ends.append(node)
        for following, _ in node.next_functions:
            if following not in seen:
                seen.add(following)
                waiting.append(following)
    return ends


def _zeros(gradients: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    return tuple(None if each is None else torch.zeros_like(each) for each in gradients)
