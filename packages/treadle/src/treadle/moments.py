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
from treadle.errors import TrainingLeft, WrongArgument
from treadle.rates import current_rates, named_rates
from treadle.reporting import ReportingRun
from treadle_loop import Engine, EpochResult, Stop, Totals, Update, stop_on_signals
from treadle_tracking import Run, Terminated, deferred_termination, start_run
from treadle_units import At, Every, Limit, Progress, Schedule

Trigger = At | Every | Limit | str


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What is known when an optimizer step is done, and what was due then has been done.

    Attributes:
        update: The step: its loss, on the device, and its counts.
        schedule: Counts of the whole training in `.progress`; `.stop(reason)` makes this the last moment, and what is
            due at the end is done before the loop ends.
        due: Which of `"validate"`, `"log"` and `"checkpoint"` are due here. A checkpoint is saved once the body is over.
        trained: The pass that this step ends, or what there was of it where the training ends here; else None. Of a
            pass that a resumed program goes on with, what it has trained itself.
        validated: The results by loader, where validation was due; else empty.
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
        """Save a checkpoint now, as where the body is about to leave the loop; what it records later is not in it.

        Raises:
            WrongArgument: There is no place for checkpoints.
            CheckpointNotWritten: The system refused; the older ones are untouched.
        """
        self.checkpoints.save()

    @property
    def counts(self) -> Progress:
        """The counts of the whole training so far."""
        return self.schedule.progress


class Training:
    """A training under way: its moments, one after the other.

    A loop that is left, by `break` or an exception, has ended it: signals mean again what they meant before.

    Attributes:
        schedule: Its counts and, once it is over, why it has ended.
    """

    def __init__(self, schedule: Schedule, moments: Generator[Moment]) -> None:
        self.schedule = schedule
        self._moments = moments

    def __iter__(self) -> Iterator[Moment]:
        # A generator of the loop's own: it is closed where the loop is left, also if somebody holds the training.
        if getgeneratorstate(self._moments) == GEN_CLOSED and self.schedule.outcome is None:
            raise TrainingLeft(
                f"the training was left at {self.schedule.progress}, and cannot be gone on with; call `training` again, "
                "which goes on from its newest checkpoint"
            )
        yield from self._moments

    def __next__(self) -> Moment:
        return next(self._moments)

    def close(self) -> None:
        """End it before its end, as leaving a loop does; nothing is saved. For who calls `next`."""
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
    """Train until a limit is reached, and yield after each optimizer step, yours to act in and to break out of.

    At each step, in this order: validate, see whether that is the best, log, yield, save a checkpoint.
    The run gets `train/loss`, the engine's metrics as `train/…`, `train/grad_norm` where it is measured, and `lr`,
    as they were for the step at which logging was due; and for each validation loader `<name>/loss` and its metrics.
    Their step is the number of optimizer steps of this training so far. Of several parameter groups, `lr` is that of
    the first, and another one's is beside it where it differs, as `lr/<its name, or number>`.

    It begins where the newest checkpoint of its run or directory is, if there is one, and goes on exactly: the weights,
    the counts, the random numbers and the run's log are as if nothing had happened in between. A moment that is left by
    `break` or an exception is not saved. Without a checkpoint it counts from 0, whatever the run has already.

    SIGTERM, SIGUSR1 and the first Ctrl-C end it after the step that they come in, and a validation under way: that is
    saved, and then `Terminated` is raised, or `KeyboardInterrupt`. A second Ctrl-C is raised at once.

    On several ranks all call it alike; times are those of the first one.

    Args:
        engine: What trains.
        loader: Yields batches; it is passed over as often as needed.
        validation: Loaders by name.
        until: When to stop: reached, and never overshot by more than one optimizer step.
        validate: How often to validate, and at the end: a length, or a time. A trigger of your own is taken as it is.
        log: How often to log, and at the end, likewise. Logging waits for the device.
        checkpoint: How often to save, and at the end, likewise.
        best: A metric of the validation and its direction, as in `"val/loss:min"`. The checkpoint of the best
            validation is `best.pt`. NaN is never the best, and of equals the first is.
        keep: How many checkpoints stay beside the best; None keeps all.
        patience: How long to go on without a better validation, counted from the best one, or else the first.
        run: Where it is recorded; nowhere if None. It is not closed here. Its directory has the checkpoints.
        directory: Where checkpoints go without a run.
        batches_per_epoch: How many batches a pass has, for lengths such as half an epoch on a loader that does not
            say.

    Returns:
        A `Moment` for each optimizer step, one at a time; none where the training that is continued has ended.

    Raises:
        WrongArgument: One of them is something else, such as a loader for loaders by name, or a run that is closed. With
            a `best` that the first validation does not have, that step is saved before.
        ReservedName: A validation loader is called `train`, or has no name.
        EmptyValidation: A validation loader has nothing, or nothing any more.
        WrongCheckpoint: What is to be continued is no training.
        TrainingLeft: It is iterated over again after a loop was left.
        UnitsError: A length cannot be read, or the data ends before the limit; see `Schedule`.
        LoopError: A step cannot be trained on, or a checkpoint is damaged or of another engine; see `Engine`.
        TrackingError: The checkpoint is another run's.
        Terminated: SIGTERM or SIGUSR1 has arrived. Left alone, it ends the program with exit code 143.
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


def _stopped(stop: Stop, *said: str) -> KeyboardInterrupt | Terminated:
    return KeyboardInterrupt(*said) if stop.signal == signal.SIGINT else Terminated()


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


def _named(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}/{name}": value for name, value in values.items()}
