"""One training, as a page of plain code: passes over a loader, and at each update what is due."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from treadle.arguments import check_arguments
from treadle_loop import Engine, EpochResult, Totals, Update
from treadle_tracking import Run, start_run
from treadle_units import At, Every, Limit, Schedule

Trigger = At | Every | Limit | str


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What is known when an optimizer step is done, and what was due then has been done.

    Attributes:
        update: The step: its loss, on the device, and its counts.
        schedule: Counts of the whole training in `.progress`; `.stop(reason)` makes this the last moment, and what is
            due at the end is done before the loop ends.
        due: Which of `"validate"` and `"log"` were due here.
        trained: The pass that this step ends, or what there was of it where the training ends here; else None.
        validated: The results by loader, where validation was due; else empty.
    """

    update: Update
    schedule: Schedule
    due: tuple[str, ...]
    trained: EpochResult | None
    validated: Mapping[str, EpochResult]


def training(
    engine: Engine,
    loader: Iterable[Any],
    validation: Mapping[str, Iterable[Any]] | None = None,
    *,
    until: Limit | str,
    validate: Trigger | None = "1 epoch",
    log: Trigger | None = "50 steps",
    run: Run | None = None,
    batches_per_epoch: int | None = None,
) -> Iterator[Moment]:
    """Train until a limit is reached, and yield after each optimizer step, yours to act in and to break out of.

    At each step, in this order: validate, log, yield.
    The run gets `train/loss`, the engine's metrics as `train/…`, `train/grad_norm` where it is measured, and `lr`,
    as they were for the step at which logging was due; and for each validation loader `<name>/loss` and its metrics.
    Their step is the number of optimizer steps of this training so far.

    Args:
        engine: What trains.
        loader: Yields batches; it is passed over as often as needed.
        validation: Loaders by name.
        until: When to stop: reached, and never overshot by more than one optimizer step.
        validate: How often to validate, and at the end: a length, or a time. A trigger of your own is taken as it is.
        log: How often to log, and at the end, likewise. Logging waits for the device.
        run: Where it is recorded; nowhere if None. It is not closed here.
        batches_per_epoch: How many batches a pass has, for lengths such as half an epoch on a loader that does not
            say.

    Yields:
        A `Moment` for each optimizer step.

    Raises:
        WrongArgument: One of them is something else, such as a loader for loaders by name.
        ReservedName: A validation loader is called `train`, or has no name.
        UnitsError: A length cannot be read, or the data ends before the limit; see `Schedule`.
        LoopError: A step cannot be trained on; see `Engine`.
    """
    check_arguments(engine, validation, run)
    schedule = Schedule(
        until,
        batches_per_epoch=batches_per_epoch or length_of(loader),
        validate=_also_at_end(validate) if validation else None,
        log=_also_at_end(log),
    )
    return _moments(engine, loader, validation or {}, schedule, run or start_run(None))


def _moments(
    engine: Engine,
    loader: Iterable[Any],
    validation: Mapping[str, Iterable[Any]],
    schedule: Schedule,
    run: Run,
) -> Iterator[Moment]:
    rates = _learning_rates(engine)

    def act(due: tuple[str, ...], update: Update) -> dict[str, EpochResult]:
        step = schedule.progress.steps
        validated = {}
        if "validate" in due:
            for name, held_out in validation.items():
                result = validated[name] = engine.test_epoch(held_out, verb="validated")
                run.log(_named(name, {"loss": result.loss, **result.metrics}), step=step)
        if "log" in due:
            values = {"loss": update.loss, **update.metrics}
            if update.grad_norm is not None:
                values["grad_norm"] = update.grad_norm
            run.log(_named("train", values) | rates, step=step)
        return validated

    while True:
        totals, seconds, resumed = Totals(), 0.0, perf_counter()
        for update in engine.updates(loader):
            due = schedule.advance(**update.counts)
            totals.take(update)
            ends = update.last or schedule.finished
            if ends:
                float(update.loss)  # waits for the device, so that the time is that of the work
            seconds += perf_counter() - resumed
            trained = totals.result("trained", seconds) if ends else None
            validated = act(due, update)
            yield Moment(update, schedule, due, trained, validated)
            if schedule.finished:
                # A stop in the body makes due what is due at the end.
                act(tuple(name for name in schedule.due() if name not in due), update)
                return
            rates = _learning_rates(engine)
            resumed = perf_counter()
        schedule.end_epoch()


def length_of(loader: Iterable[Any]) -> int | None:
    """How many batches a pass has, where the loader says so and there are any."""
    try:
        return len(loader) or None  # type: ignore[arg-type]
    except (TypeError, NotImplementedError):
        return None


def _also_at_end(trigger: Trigger | None) -> At | Every | None:
    if trigger is None or isinstance(trigger, At | Every):
        return trigger
    return Every(str(trigger), at_end=True)


def _learning_rates(engine: Engine) -> dict[str, float]:
    groups = engine.optimizer.param_groups if engine.optimizer is not None else []
    if len(groups) == 1:
        return {"lr": groups[0]["lr"]}
    return {f"lr/{index}": group["lr"] for index, group in enumerate(groups)}


def _named(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}/{name}": value for name, value in values.items()}
