"""Whether what a training was given is what it takes, before anything is trained."""

from collections.abc import Generator
from math import ceil
from typing import Any

from treadle.best import Best, parse_best
from treadle.errors import EmptyValidation, ReservedName, WrongArgument
from treadle_loop import Engine
from treadle_tracking import Run
from treadle_units import Batches, EmptyEpoch, Length, Limit, Seconds, parse


def check_arguments(engine: Any, loader: Any, validation: Any, run: Any) -> None:
    """Look at what is easily mixed up.

    Raises:
        WrongArgument: One of them is something else, or the run is closed.
        ReservedName: A validation loader's name cannot be the beginning of a metric's.
        EmptyEpoch: The loader says that it has no batches.
        EmptyValidation: A validation loader says so, or is a generator, which has them once only.
    """
    if not isinstance(engine, Engine):
        raise WrongArgument(
            f"the engine is {_kind(engine)}, and an Engine was expected first: (engine, loader, ...)"
        )
    if run is not None and not isinstance(run, Run):
        raise WrongArgument(
            f"run is {_kind(run)}, and a Run was expected: "
            "with start_run('tensorboard:runs') as run: ..."
        )
    if run is not None and run.status != "RUNNING":
        raise WrongArgument(
            f"the run {run.name!r} is closed ({run.status}), and one that records was expected; train "
            "within its `with` block, or start another"
        )
    # On several ranks the others would wait for this one, which fails with them.
    is_alone = engine.runtime.world_size == 1
    if is_alone and _is_empty(loader):
        raise EmptyEpoch(f"the loader has no batches{_sizes(loader)}")
    if validation is None:
        return
    # By what a mapping has: a loader has it not, and a type checker knows that it cannot get here.
    if not hasattr(validation, "items"):
        raise WrongArgument(
            f"validation is {_kind(validation)}, and loaders by name were expected, since the name "
            'is part of what is logged: write {"val": loader} for val/loss'
        )
    for name in validation:
        if not isinstance(name, str) or not name:
            raise ReservedName(
                f"a validation loader is named {name!r}, and a text was expected, such as 'val' for "
                "val/loss"
            )
        if name == "train":
            raise ReservedName(
                "a validation loader is named 'train', and train/loss is what the steps are logged "
                "as; give it another name, such as 'train_eval'"
            )
        if is_alone and _is_empty(validation[name]):
            raise EmptyValidation(
                f"the validation loader {name!r} has no batches{_sizes(validation[name])}"
            )
        if isinstance(validation[name], Generator):
            raise EmptyValidation(
                f"the validation loader {name!r} is a generator, which has batches for one validation only; give what "
                "can be iterated again, such as a list, a TensorLoader or a DataLoader"
            )


def check_validated(name: str, batches: int) -> None:
    """Look at what a validation came to.

    Raises:
        EmptyValidation: Nothing.
    """
    if not batches:
        raise EmptyValidation(
            f"the validation loader {name!r} yielded no batches; an iterator does so once it is used up: give what can "
            "be iterated again, such as a list, a TensorLoader or a DataLoader"
        )


def check_saving(
    checkpoint: Any,
    best: str | None,
    keep: Any,
    patience: Limit | str | None,
    loaders: list[str],
    *,
    validates: bool,
    batches_per_epoch: int | None,
) -> Best | None:
    """Look at how the best validation is searched for, and what is kept.

    Raises:
        WrongArgument: `best` names no validation, or `keep` and `patience` have nothing that they mean.
        UnitsError: `patience` cannot be read.
    """
    if keep is not None and (type(keep) is not int or keep < 1):
        raise WrongArgument(f"keep is {keep!r}; expected how many checkpoints stay, 1 or more")
    if keep is not None and checkpoint is None and best is None:
        raise WrongArgument(
            f"keep is {keep}, and no checkpoint is saved: say when, as in checkpoint='1 epoch'"
        )
    if patience is not None and best is None:
        raise WrongArgument(
            f"patience is {str(patience)!r}, and there is nothing that could get better: "
            f"say what, as in best='val/loss:min'"
        )
    if best is None:
        return None
    metric, direction = parse_best(best, loaders)
    if not validates:
        raise WrongArgument(
            f"best is {best!r}, and nothing is validated: say when, as in validate='1 epoch'"
        )
    if not isinstance(patience, Limit | None):
        patience = parse(patience)
    return Best(
        metric, direction, None if patience is None else _whole(patience, batches_per_epoch)
    )


def _whole(patience: Limit, batches_per_epoch: int | None) -> Limit:
    """The same with parts of an epoch as batches."""
    first, *others = (_whole_amount(goal, batches_per_epoch) for goal in patience.alternatives)
    whole: Limit = first
    for other in others:
        whole |= other
    return whole


def _whole_amount(goal: Length | Seconds, batches_per_epoch: int | None) -> Length | Seconds:
    if goal.unit != "epochs" or goal.value.denominator == 1:
        return goal
    if batches_per_epoch is None:
        raise WrongArgument(
            f"patience is {str(goal)!r}, and the loader does not say how many batches an epoch has; give whole epochs, "
            "another unit, or batches_per_epoch"
        )
    return Batches(ceil(goal.value * batches_per_epoch))


def _is_empty(loader: Any) -> bool:
    try:
        return len(loader) == 0
    except (TypeError, NotImplementedError):
        return False


def _sizes(loader: Any) -> str:
    """Why a loader is empty, as far as it says."""
    try:
        records = getattr(loader, "data_records", None)
        if records is None:
            records = len(loader.dataset)
        sizes = f"{records} records, with batch_size={loader.batch_size} and drop_last={loader.drop_last}"
    except (AttributeError, TypeError):
        return "; give it data"
    return f": it has {sizes}; give it more data, a smaller batch_size, or drop_last=False"


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
