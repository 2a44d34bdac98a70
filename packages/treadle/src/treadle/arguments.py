"""Whether what a training was given is what it takes, before anything is trained."""

from typing import Any

from treadle.errors import ReservedName, WrongArgument
from treadle_loop import Engine
from treadle_tracking import Run


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


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
