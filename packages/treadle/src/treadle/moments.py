"""One training, as a page of plain code: passes over a loader, and at each update what is due."""

import signal
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from inspect import GEN_CLOSED, getgeneratorstate
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

from treadle.arguments import check_arguments, check_saving, check_validated
from treadle.best import Best
from treadle.checkpoints import Checkpoints, folder_of
from treadle.clocks import AgreedClock, is_timed
from treadle.errors import ReservedName, TrainingLeft, WrongArgument
from treadle.planning import length_of
from treadle.rates import current_rates, named_rates
from treadle.reporting import ReportingRun
from treadle_loop import Engine, EpochResult, Stop, Totals, Update, stop_on_signals
from treadle_tracking import Run, Terminated, deferred_termination, start_run
from treadle_units import At, Every, Limit, Progress, Schedule

Trigger = At | Every | Limit | str


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What is known once an optimizer step, and whatever was due at it, is done.

    Attributes:
        update: The step: its loss, on the device, and its counts.
        schedule: Its `.progress` has the counts of the whole training; `.stop(reason)` makes this the last moment, and
            what is due at the end is done before the loop ends.
        due: Which of `"validate"`, `"log"` and `"checkpoint"` are due here. A checkpoint is saved after the body.
        trained: The pass that this step ends, or its part so far if the training ends here; else None. When a program
            resumes a pass, only the part that it has trained itself.
        validated: The results by loader, if validation was due; else empty.
        improved: Whether this validation is the best so far.
        checkpoints: Where `save` saves.
    """

    update: Update
    schedule: Schedule
    due: tuple[str, ...]
    trained: EpochResult | None
    validated: Mapping[str, EpochResult]
    improved: bool
    checkpoints: Checkpoints = field(repr=False)

    def save(self) -> None:
        """Save a checkpoint now, for instance before the body leaves the loop; what it records later is not in it.

        Raises:
            WrongArgument: There is nowhere to save checkpoints.
            CheckpointNotWritten: The system refused; the older ones are untouched.
        """
        self.checkpoints.save()

    @property
    def counts(self) -> Progress:
        """The counts of the whole training so far."""
        return self.schedule.progress


class Training:
    """A training in progress: its moments, one after the other.

    Leaving the loop, by `break` or an exception, ends it: signals mean again what they meant before.

    Attributes:
        schedule: Its counts and, once it is over, why it ended.
    """

    def __init__(self, schedule: Schedule, moments: Generator[Moment]) -> None:
        self.schedule = schedule
        self._moments = moments

    def __iter__(self) -> Iterator[Moment]:
        # A generator of the loop's own: it is closed where the loop is left, also if somebody holds the training.
        if getgeneratorstate(self._moments) == GEN_CLOSED and self.schedule.outcome is None:
            raise TrainingLeft(
                f"the training was left at {self.schedule.progress}, and cannot be resumed; call `training` again, "
                "which goes on from its newest checkpoint"
            )
        yield from self._moments

    def __next__(self) -> Moment:
        return next(self._moments)

    def close(self) -> None:
        """End it early, as leaving the loop does, without saving. For callers of `next`."""
        self._moments.close()


def training(
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
) -> Training:
    """Train until a limit is reached, yielding after each optimizer step: yours to act in, and to break out of.

    At each step, in this order: validate, see whether that is the best, log, yield, save a checkpoint.
    The run gets `train/loss`, the engine's metrics as `train/…`, `train/grad_norm` where it is measured, and `lr`,
    as they were for the step at which logging was due; and for each validation loader `<name>/loss` and its metrics.
    Their step is the number of optimizer steps of this training so far. With several parameter groups, `lr` is that of
    the first; another group's is recorded beside it where it differs, as `lr/<its name, or number>`.

    It resumes from the newest checkpoint of its run or directory, if there is one, and does so exactly: the weights,
    the counts, the random numbers and the run's log are as if nothing had happened in between. A moment that is left by
    `break` or an exception is not saved. Without a checkpoint it counts from 0, whatever the run already holds.

    SIGTERM, SIGUSR1 and the first Ctrl-C end it after the current step, and after any validation in progress: that is
    saved, and then `Terminated` or `KeyboardInterrupt` is raised. A second Ctrl-C is raised at once.

    On several ranks, all of them call it in the same way; times are those of the first.

    Args:
        engine: What trains.
        loader: Yields batches; it is passed over as often as needed.
        validation: Loaders by name.
        until: When to stop. The limit is never overshot by more than one optimizer step.
        validate: How often to validate, besides at the end: a length, or a time. A trigger of your own is used as it is.
        log: The same for logging, which waits for the device.
        checkpoint: The same for saving checkpoints.
        best: A metric of the validation and its direction, as in `"val/loss:min"`. The checkpoint of the best
            validation is `best.pt`. NaN is never the best; of equal values, the first is.
        keep: How many checkpoints to keep besides the best; None keeps all.
        patience: How long to train without a better validation, counted from the best one, or else the first.
        run: Where it is recorded; nowhere if None. It is not closed here. Checkpoints go into its directory.
        directory: Where checkpoints go without a run.
        batches_per_epoch: How many batches a pass has, for lengths such as half an epoch on a loader that does not
            say.

    Returns:
        A `Moment` for each optimizer step, one at a time; none if the training to resume has already ended.

    Raises:
        WrongArgument: An argument is not what it should be, such as a loader in place of loaders by name, or a run that
            is closed. If the first validation does not have the metric `best`, that step is saved first.
        ReservedName: A validation loader is called `train`, or has no name; or the engine clips, and the step returns a
            metric `grad_norm`.
        EmptyValidation: A validation loader yields nothing, or no longer does.
        WrongCheckpoint: The checkpoint to resume from is not one of a training.
        TrainingLeft: It is iterated over again after its loop was left.
        UnitsError: A length cannot be read, or the data ends before the limit; see `Schedule`.
        LoopError: A step cannot be trained on, or a checkpoint is damaged or of another engine; see `Engine`.
        TrackingError: The checkpoint belongs to another run.
        Terminated: SIGTERM or SIGUSR1 arrived. If not caught, it ends the program with exit code 143.
    """
    check_arguments(engine, loader, validation, run)
    if batches_per_epoch is None:
        batches_per_epoch = length_of(loader)
    is_shared = engine.runtime.world_size > 1
    is_shared = is_shared and is_timed(until, validate, log, checkpoint, patience)
    clock = AgreedClock(engine.runtime) if is_shared else None
    schedule = Schedule(
        until,
        batches_per_epoch=batches_per_epoch,
        clock=clock or monotonic,
        validate=_also_at_end(validate) if validation else None,
        log=_also_at_end(log),
        checkpoint=_also_at_end(checkpoint),
    )
    search = check_saving(
        checkpoint,
        best,
        keep,
        patience,
        list(validation or {}),
        validates=validate is not None,
        batches_per_epoch=batches_per_epoch,
    )
    folder = folder_of(engine, run, directory, is_needed=checkpoint is not None or best is not None)
    run = run or start_run(None)
    if isinstance(run, ReportingRun):
        run.follow(schedule)
    checkpoints = Checkpoints(folder, keep, engine=engine, schedule=schedule, run=run, best=search)
    moments = _moments(
        engine,
        loader,
        validation or {},
        schedule=schedule,
        clock=clock,
        run=run,
        search=search,
        checkpoints=checkpoints,
    )
    return Training(schedule, moments)


def _moments(
    engine: Engine,
    loader: Iterable[Any],
    validation: Mapping[str, Iterable[Any]],
    *,
    schedule: Schedule,
    clock: AgreedClock | None,
    run: Run,
    search: Best | None,
    checkpoints: Checkpoints,
) -> Generator[Moment]:
    ended = checkpoints.resume()
    if ended is not None:
        schedule.stop(ended)

    def act(due: tuple[str, ...], update: Update) -> tuple[dict[str, EpochResult], bool]:
        step, improved = schedule.progress.steps, False
        validated: dict[str, EpochResult] = {}
        if "validate" in due:
            values: dict[str, Any] = {}
            for name, held_out in validation.items():
                result = validated[name] = engine.test_epoch(held_out, verb="validated")
                check_validated(name, result.batches)
                values |= _named(name, {"loss": result.loss, **result.metrics})
            run.log(values, step=step)
            if search is not None:
                try:
                    improved = search.improves(values, schedule.progress)
                except WrongArgument:
                    # Known only now: what was trained until here is not lost for it.
                    checkpoints.save_if_new()
                    raise
                if search.is_given_up(schedule.progress):
                    schedule.stop(search.reason)
        if "log" in due:
            values = {"loss": update.loss, **update.metrics}
            if update.grad_norm is not None:
                values["grad_norm"] = update.grad_norm
            run.log(_named("train", values) | named_rates(engine.optimizer, rates), step=step)
        return validated, improved

    with deferred_termination(), stop_on_signals() as stop:
        while schedule.outcome is None:
            totals, seconds, resumed = Totals(), 0.0, perf_counter()
            update: Update | None = None
            rates = current_rates(engine.optimizer)
            for update in engine.updates(loader, stop=stop):
                _check_names(update)
                if clock is not None:
                    clock.meet()
                due = schedule.advance(**update.counts)
                totals.take(update)
                if update.last or schedule.finished:
                    float(update.loss)  # waits for the device, so that the time is that of the work
                seconds += perf_counter() - resumed
                validated, improved = act(due, update)
                ends = update.last or schedule.finished
                trained = totals.result("trained", seconds) if ends else None
                yield Moment(update, schedule, due, trained, validated, improved, checkpoints)
                if schedule.finished:
                    # A stop of our own or of the body's makes due what is due at the end.
                    late = tuple(name for name in schedule.due() if name not in due)
                    improved |= act(late, update)[1]
                    due += late
                if improved or "checkpoint" in due:
                    checkpoints.save(is_best=improved)
                if schedule.finished:
                    if stop():
                        raise _stopped(stop)
                    return
                rates, resumed = current_rates(engine.optimizer), perf_counter()
            if stop() if update is None else not update.last:  # by whichever rank
                checkpoints.save_if_new()
                raise _stopped(stop, checkpoints.how_to_go_on())
            schedule.end_epoch()


def _check_names(update: Update) -> None:
    if update.grad_norm is not None and "grad_norm" in update.outcomes[0].metrics:
        raise ReservedName(
            "the step gives a metric 'grad_norm', and train/grad_norm is what the norm of all gradients is logged as, "
            "since the engine clips; give the metric another name"
        )


def _stopped(stop: Stop, *said: str) -> KeyboardInterrupt | Terminated:
    return KeyboardInterrupt(*said) if stop.signal == signal.SIGINT else Terminated()


def _also_at_end(trigger: Trigger | None) -> At | Every | None:
    if trigger is None or isinstance(trigger, At | Every):
        return trigger
    return Every(str(trigger), at_end=True)


def _named(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}/{name}": value for name, value in values.items()}
