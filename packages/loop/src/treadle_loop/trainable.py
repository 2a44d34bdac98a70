"""Whether a loss can train anything: each way it cannot is an error with a name."""

from collections.abc import Sequence

from torch import Tensor
from torch.optim import Optimizer

from treadle_loop.errors import (
    GraphFreed,
    LossNotATensor,
    LossWithoutGraph,
    NothingTrained,
    RebuiltLoss,
)
from treadle_loop.loss import Outcome


def check_trainable(value: Tensor | float) -> Tensor:
    """The loss as a tensor that remembers how it was computed.

    Raises:
        LossNotATensor: it is a number.
        LossWithoutGraph: it has no gradient function.
        RebuiltLoss: it is a new leaf that requires a gradient, which `backward` accepts and which
            trains nothing.
    """
    if not isinstance(value, Tensor):
        raise LossNotATensor(
            f"the loss is the {type(value).__name__} {value!r}, and training needs the tensor with "
            "its graph; return it as it is, without .item(), float() or .numpy(): it is read once, "
            "when you print it",
        )
    if value.grad_fn is not None:
        return value
    if value.requires_grad:
        raise RebuiltLoss(
            "the loss is a new tensor with requires_grad=True and no grad_fn, such as "
            "torch.tensor(loss, requires_grad=True): backward() would run and train nothing; "
            "return the tensor that the loss was computed as, or reshape it with .view() or "
            ".unsqueeze(), which keep the graph",
        )
    raise LossWithoutGraph(
        "the loss has no grad_fn, so no gradient can flow from it. Either it was rebuilt with "
        "torch.tensor(...) or .item(), or detached, or computed under torch.no_grad() or "
        "torch.inference_mode(), or every parameter has requires_grad=False; return the tensor "
        "that the loss was computed as, from parameters that train",
    )


def check_graph_freed(error: RuntimeError) -> None:
    """See whether a backward pass failed since another one had been through its graph.

    Raises:
        GraphFreed: it did, as torch says.
    """
    if "backward through the graph a second time" in str(error):
        raise GraphFreed(
            "the graph of the loss, or a part of it, is freed: a backward() went through it before "
            "the engine's own, and one was expected; return the loss, and leave backward() to the "
            "engine, and detach() what is kept from one batch to the next, such as a hidden state",
        ) from error


def check_reached(optimizer: Optimizer, outcomes: Sequence[Outcome]) -> None:
    """See that the backward passes left a gradient in at least one parameter of the optimizer.

    Raises:
        NothingTrained: they left none, and not because every batch had a weight of 0.
    """
    if not any(isinstance(outcome.weight, Tensor) or outcome.weight for outcome in outcomes):
        return
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                return
    raise NothingTrained(
        "the backward pass left no gradient in any parameter of the optimizer, so a step would "
        "train nothing; see that the loss depends on them: that the optimizer was made from this "
        "model's parameters, that they have requires_grad=True, and that the loss was not rebuilt "
        "on the way",
    )
