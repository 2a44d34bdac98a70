"""A whole training in one call."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle.moments import Trigger, training
from treadle.planning import length_of
from treadle.progress import Narrator
from treadle_loop import Engine, EpochResult
from treadle_tracking import Run
from treadle_units import Limit, Outcome


@dataclass(frozen=True, slots=True, eq=False)
class FitResult:
    """The result of a training.

    Attributes:
        outcome: Why it ended, and the counts at its end.
        trained: The last pass over the training data, whole or cut short by the end; None if there was nothing left
            to do.
        validated: The last results by validation loader; empty in the same case.
    """

    outcome: Outcome
    trained: EpochResult | None
    validated: Mapping[str, EpochResult]

    def __str__(self) -> str:
        return str(self.outcome)

    def _repr_pretty_(self, printer: Any, _cycle: object) -> None:
        """All of it in lines, where this is the last value of a notebook's cell."""
        lines = [str(self)] if self.trained is None else [str(self), str(self.trained)]
        lines += [f"{result} ({name})" for name, result in self.validated.items()]
        printer.text("\n".join(lines))


def fit(
    engine: Engine,
    loader: Iterable[Any],
    validation: Mapping[str, Iterable[Any]] | None = None,
    *,
    until: Limit | str,
    validate: Trigger | None = "1 epoch",
    log: Trigger | None = "50 steps",
    checkpoint: Trigger | None = None,
    best: str | None = None,
    keep: int | None = None,
    patience: Limit | str | None = None,
    run: Run | None = None,
    directory: str | Path | None = None,
    batches_per_epoch: int | None = None,
    progress: bool = False,
) -> FitResult:
    """Run `training` to its end; it describes the arguments in full, what is logged, and the errors.

    Args:
        engine: What trains.
        loader: Yields batches.
        validation: Loaders by name.
        until: When to stop.
        validate: How often to validate, besides at the end.
        log: How often to log, besides at the end.
        checkpoint: How often to save, besides at the end; the next call resumes from there.
        best: A metric of the validation and its direction, as in `"val/loss:min"`.
        keep: How many checkpoints to keep besides the best.
        patience: How long to train without a better validation.
        run: Where it is recorded; it is not closed here. Checkpoints go into its directory.
        directory: Where checkpoints go without a run.
        batches_per_epoch: How many batches a pass has, if the loader does not say.
        progress: Print a line for each pass, and show a bar if stderr is a terminal. The bar reads nothing from the
            device.

    Raises:
        MissingExtra: `progress` is set and rich is not installed.
    """
    if batches_per_epoch is None:
        batches_per_epoch = length_of(loader)
    narrator = Narrator(batches_per_epoch) if progress else None
    trained, validated = None, dict[str, EpochResult]()
    moments = training(
        engine,
        loader,
        validation,
        until=until,
        validate=validate,
        log=log,
        checkpoint=checkpoint,
        best=best,
        keep=keep,
        patience=patience,
        run=run,
        directory=directory,
        batches_per_epoch=batches_per_epoch,
    )
    try:
        for moment in moments:
            trained = moment.trained or trained
            validated.update(moment.validated)
            if narrator is not None:
                narrator.tell(moment)
    finally:
        if narrator is not None:
            narrator.close()
    outcome = moments.schedule.outcome
    assert outcome is not None
    return FitResult(outcome, trained, validated)
