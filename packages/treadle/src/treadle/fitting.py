"""A whole training in one call."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from treadle.moments import Trigger, length_of, training
from treadle.progress import Narrator
from treadle_loop import Engine, EpochResult
from treadle_tracking import Run
from treadle_units import Limit, Outcome


@dataclass(frozen=True, slots=True, eq=False)
class FitResult:
    """What a training came to.

    Attributes:
        outcome: Why it ended, and the counts by then.
        trained: The last pass over the training data, whole or cut short by the end.
        validated: The last results by validation loader.
    """

    outcome: Outcome
    trained: EpochResult
    validated: Mapping[str, EpochResult]

    def __str__(self) -> str:
        return str(self.outcome)


def fit(
    engine: Engine,
    loader: Iterable[Any],
    validation: Mapping[str, Iterable[Any]] | None = None,
    *,
    until: Limit | str,
    validate: Trigger | None = "1 epoch",
    log: Trigger | None = "50 steps",
    run: Run | None = None,
    batches_per_epoch: int | None = None,
    progress: bool = False,
) -> FitResult:
    """Run `training` to its end; see there for the arguments, what is logged, and the errors.

    Args:
        engine: What trains.
        loader: Yields batches.
        validation: Loaders by name.
        until: When to stop.
        validate: How often to validate, and at the end.
        log: How often to log, and at the end.
        run: Where it is recorded; it is not closed here.
        batches_per_epoch: How many batches a pass has, if the loader does not say.
        progress: Print a line for each pass, and show a bar where stderr is a terminal. The bar reads nothing from
            the device.

    Raises:
        MissingExtra: `progress` is asked for and tqdm is not installed.
    """
    batches_per_epoch = batches_per_epoch or length_of(loader)
    narrator = Narrator(batches_per_epoch) if progress else None
    trained, validated, outcome = None, dict[str, EpochResult](), None
    try:
        for moment in training(
            engine,
            loader,
            validation,
            until=until,
            validate=validate,
            log=log,
            run=run,
            batches_per_epoch=batches_per_epoch,
        ):
            trained = moment.trained or trained
            validated.update(moment.validated)
            outcome = moment.schedule.outcome
            if narrator is not None:
                narrator.tell(moment)
    finally:
        if narrator is not None:
            narrator.close()
    # A training that ends without an update has raised: its first pass was empty.
    assert outcome is not None
    assert trained is not None
    return FitResult(outcome, trained, validated)
