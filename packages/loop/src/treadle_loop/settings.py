"""What an engine refuses to be made with, so that nothing fails after the first batches.

Each check raises `InvalidSetting`.
"""

import inspect
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import Dataset, IterableDataset

from treadle_loop.errors import InvalidSetting
from treadle_loop.loss import is_number
from treadle_loop.runtime import Runtime


def check_parts(model: Any, step: Any, optimizer: Any) -> None:
    """See that each is what it should be: two of them are easily swapped."""
    _check("model", model, fits=isinstance(model, nn.Module), wanted="an nn.Module")
    _check(
        "step",
        step,
        fits=callable(step),
        wanted="a function of the model and a batch, or supervised(loss),",
    )
    of_outputs = getattr(step, "__module__", "") == "torch.nn.functional"
    if of_outputs or isinstance(step, nn.Module):
        name = getattr(step, "__name__", f"{type(step).__name__}()")
        raise InvalidSetting(
            f"the step is {name}, which takes outputs and targets, and a function of the model and "
            f"a batch was expected; did you mean supervised({name})?",
        )
    if optimizer is None:
        return
    _check("optimizer", optimizer, fits=isinstance(optimizer, Optimizer), wanted="an Optimizer")
    inner = getattr(optimizer, "optimizer", None)  # a host's wrapper asks for no closure itself
    stepped = inner if isinstance(inner, Optimizer) else optimizer
    closure = inspect.signature(stepped.step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise InvalidSetting(
            f"the optimizer is {_named(stepped)}, whose step() computes the loss itself, as "
            "often as it likes, through a closure; the engine computes it once an update, so "
            "write that loop by hand, or use another optimizer",
        )


def check_scheduler(scheduler: Any, every: str, optimizer: Optimizer | None) -> None:
    """See that the scheduler can be stepped, and when."""
    if every not in ("step", "epoch"):
        raise InvalidSetting(
            f'scheduler_every is {every!r}, and "step" or "epoch" was expected',
        )
    if isinstance(scheduler, ReduceLROnPlateau):
        raise InvalidSetting(
            "the scheduler is a ReduceLROnPlateau, whose step() wants a validation loss that "
            "the engine does not have; leave it out here and call "
            "scheduler.step(float(engine.test_epoch(loader).loss)) after each epoch",
        )
    steps = callable(getattr(scheduler, "step", None)) and not isinstance(scheduler, type)
    _check("scheduler", scheduler, fits=scheduler is None or steps, wanted="an object with step()")
    if hasattr(scheduler, "step_with_optimizer"):
        raise InvalidSetting(
            f"the scheduler is an {type(scheduler).__name__}, which steps once for each process at "
            "each step; give the scheduler itself, without accelerator.prepare",
        )
    own = getattr(scheduler, "optimizer", None)
    # Hosts wrap an optimizer, and keep the one that was made under the same name.
    if own is not None and own not in (optimizer, getattr(optimizer, "optimizer", None)):
        raise InvalidSetting(
            f"the scheduler is a {type(scheduler).__name__} of another optimizer, so the learning "
            "rate of this one would stay as it is; make it from the optimizer that the engine has",
        )


def check_loader(loader: Any) -> None:
    """See that it yields batches, as far as that can be seen."""
    if isinstance(loader, Tensor) or (
        isinstance(loader, Dataset) and not isinstance(loader, IterableDataset)
    ):
        raise InvalidSetting(
            f"the loader is a {type(loader).__name__}, which yields single records, and batches "
            "were expected; give DataLoader(dataset, batch_size=...), or "
            "TensorLoader(*tensors, batch_size=...)",
        )
    iterable = hasattr(loader, "__iter__") or hasattr(loader, "__getitem__")
    if isinstance(loader, type) or not iterable:
        raise InvalidSetting(
            f"the loader is {_named(loader)}, and something that yields batches was expected",
        )


def check_stop(stop: Any) -> None:
    """See that it is a function; None is no stop."""
    if stop is not None and not callable(stop):
        raise InvalidSetting(
            f"stop is {stop!r}, and a function that says whether to stop was expected, such as "
            "stop_on_signals()",
        )


def check_runtime(runtime: Any) -> None:
    """See that it is a runtime, and not what makes one."""
    fits = not isinstance(runtime, type) and hasattr(runtime, "world_size")
    if not fits:
        raise InvalidSetting(
            f"the runtime is {runtime!r}, and one of treadle_loop.runtimes was expected, such as "
            "runtimes.ddp()",
        )


def check_accumulate(accumulate: Any) -> None:
    """See that it is a number of batches."""
    if type(accumulate) is not int or accumulate < 1:
        raise InvalidSetting(
            f"accumulate is {accumulate!r}, and an int of at least 1 was expected: how many "
            "batches make an update",
        )


def check_clipping(**limits: Any) -> None:
    """See that each is a limit; None is no limit."""
    for name, limit in limits.items():
        if limit is not None and not (is_number(limit) and limit > 0):
            raise InvalidSetting(
                f"{name} is {limit!r}, and a number above 0 was expected; leave it out for no "
                "clipping",
            )


def check_host(precision: str, runtime: Runtime) -> None:
    """See that precision is decided on in one place."""
    if runtime.precise and precision != "fp32":
        raise InvalidSetting(
            f"precision is {precision!r}, and the host has one of its own, "
            f"{runtime.precise}; leave one of the two out",
        )


def _check(name: str, value: object, *, fits: bool, wanted: str) -> None:
    if not fits:
        raise InvalidSetting(
            f"the {name} is {_named(value)}, and {wanted} was expected: "
            "Engine(model, step, optimizer)",
        )


def _named(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"of type {type(value).__name__}"
