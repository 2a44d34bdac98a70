"""Whether what a training was given is what it takes, before anything is trained."""

from typing import Any

from treadle.best import Best, parse_best
from treadle.errors import ReservedName, WrongArgument
from treadle_loop import Engine
from treadle_tracking import Run
from treadle_units import Limit, parse


def check_arguments(engine: Any, validation: Any, run: Any) -> None:
    """Look at what is easily mixed up.

    Raises:
        WrongArgument: One of them is something else.
        ReservedName: A validation loader's name cannot be the beginning of a metric's.
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


def check_saving(
    checkpoint: Any, best: str | None, keep: Any, patience: Limit | str | None, loaders: list[str]
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
    return Best(
        *parse_best(best, loaders), parse(patience) if isinstance(patience, str) else patience
    )


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
