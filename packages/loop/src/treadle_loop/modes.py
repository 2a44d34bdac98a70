"""Training and evaluation mode, module by module."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put the whole model in evaluation mode, and every module back in its own mode afterwards.

    A batch norm that was frozen with `eval()` inside a training model is frozen again.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        # Through train() and from the outside in, since a module may act on the change (adapters
        # merge their weights), and since train() takes the modules inside along.
        for module, training in modes:
            if module.training is not training:
                module.train(training)
