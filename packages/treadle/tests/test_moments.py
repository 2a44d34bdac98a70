"""A training: what is done at which step, and what the run has of it."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from treadle.errors import (
    EmptyValidation,
    ReservedName,
    TrainingLeft,
    TreadleError,
    WrongArgument,
)
from treadle.fitting import fit
from treadle.moments import training
from treadle.rates import current_rates, named_rates
from treadle_loop import Engine, Loss, TensorLoader
from treadle_tracking import Terminated
from treadle_units import EmptyEpoch, Every, MissingUnit

MakeEngine = Callable[..., Engine]


def test_it_stops_at_the_limit(make_engine: MakeEngine, loader: TensorLoader) -> None:
    """A limit in steps ends the training at that step, also in the middle of a pass."""
    steps = [m.schedule.progress.steps for m in training(make_engine(), loader, until="20 steps")]

    assert list(range(1, 21)) == steps


def test_a_limit_in_records_is_reached_and_not_overshot(
    make_engine: MakeEngine, loader: TensorLoader
) -> None:
    """A limit in records ends at the first step that reaches it."""
    [*_, last] = training(make_engine(), loader, until="110 records")

    assert 116 == last.schedule.progress.records  # 100, then two batches of 8


def test_it_trains_as_the_engine_alone_does(make_engine: MakeEngine, loader: TensorLoader) -> None:
    """Validating and logging at every step leave the weights as the bare loop makes them."""
    alone, watched = make_engine(clip_norm=1.0), make_engine(clip_norm=1.0)
    for _ in range(2):
        alone.train_epoch(loader)
    for _ in training(
        watched, loader, {"val": loader}, until="2 epochs", validate="1 step", log="1 step"
    ):
        torch.rand(1)

    assert torch.equal(alone.model.weight, watched.model.weight)  # type: ignore[arg-type]


def test_what_is_due_is_done_once(make_engine: MakeEngine, loader: TensorLoader) -> None:
    """Validation is due at each pass's end, which is also the end of the training, once each."""
    moments = list(training(make_engine(), loader, {"val": loader}, until="2 epochs", log=None))
    validated = [m.update.index for m in moments if m.validated]

    assert [12, 12] == validated
    assert 26 == len(moments)


def test_the_end_is_validated_and_logged(
    make_engine: MakeEngine, loader: TensorLoader, recorder: Any
) -> None:
    """A training that ends between two triggers validates and logs there."""
    with recorder.start() as run:
        for _ in training(
            make_engine(), loader, {"val": loader}, until="15 steps", log="10 steps", run=run
        ):
            pass
    record = recorder.read()

    assert [13, 15] == [step for step, _ in record.history("val/loss")]
    assert [10, 15] == [step for step, _ in record.history("train/loss")]


def test_a_trigger_of_ones_own_is_taken_as_it_is(
    make_engine: MakeEngine, loader: TensorLoader, recorder: Any
) -> None:
    """`Every` without `at_end` is not due at the end."""
    with recorder.start() as run:
        for _ in training(make_engine(), loader, until="15 steps", log=Every("10 steps"), run=run):
            pass

    assert [10] == [step for step, _ in recorder.read().history("train/loss")]


def test_the_run_has_what_the_engine_measured(
    make_engine: MakeEngine, loader: TensorLoader, recorder: Any
) -> None:
    """Loss, gradient norm and learning rate are logged as they were for that step."""
    engine = make_engine(clip_norm=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(engine.optimizer, step_size=1, gamma=0.5)  # type: ignore[arg-type]
    engine.scheduler = scheduler
    with recorder.start() as run:
        moments = training(engine, loader, until="3 steps", log="1 step", run=run)
        losses = [float(moment.update.loss) for moment in moments]
    record = recorder.read()

    assert {"train/loss", "train/grad_norm", "lr"} == set(record.metrics)
    assert losses == [value for _, value in record.history("train/loss")]
    assert [(1, 0.1), (2, 0.05), (3, 0.025)] == list(record.history("lr"))


def own_norm(model: Any, batch: Any) -> Loss:
    value = torch.nn.functional.mse_loss(model(batch[0]), batch[1])
    return Loss(value, metrics={"grad_norm": 7.0})


def test_a_metric_is_not_replaced_by_what_the_engine_measures(
    make_engine: MakeEngine, loader: TensorLoader, recorder: Any
) -> None:
    """A metric called `grad_norm` is an error at the first step of an engine that clips, and is logged without that."""
    plain, clipped = make_engine(), make_engine()
    with recorder.start() as run:
        fit(Engine(plain.model, own_norm, plain.optimizer), loader, until="1 step", run=run)
        with pytest.raises(ReservedName) as caught:
            training(
                Engine(clipped.model, own_norm, clipped.optimizer, clip_norm=1.0),
                loader,
                until="1 epoch",
                run=run,
            ).__next__()

    assert (
        "the step gives a metric 'grad_norm', and train/grad_norm is what the norm of all gradients is logged as, since "
        "the engine clips; give the metric another name"
    ) == str(caught.value)
    assert ((1, 7.0),) == recorder.read().history("train/grad_norm")


def test_a_pass_that_ends_is_told_with_its_counts(
    make_engine: MakeEngine, loader: TensorLoader
) -> None:
    """The moment of a pass's last step has the pass's result, and so has the last of all."""
    trained = [
        m.trained for m in training(make_engine(accumulate=4), loader, until="6 steps") if m.trained
    ]

    assert [(100, 13, 4), (64, 8, 2)] == [(t.records, t.batches, t.steps) for t in trained]


def test_it_can_be_stopped_from_the_body(
    make_engine: MakeEngine, loader: TensorLoader, recorder: Any
) -> None:
    """A stop makes the moment at hand the last one, and what is due at the end is done."""
    steps = 0
    with recorder.start() as run:
        for moment in training(
            make_engine(), loader, {"val": loader}, until="2 epochs", log="4 steps", run=run
        ):
            steps = moment.schedule.progress.steps
            if steps == 6:
                moment.schedule.stop("enough")
    record = recorder.read()

    assert 6 == steps
    assert [4, 6] == [step for step, _ in record.history("train/loss")]
    assert [6] == [step for step, _ in record.history("val/loss")]


def test_a_loader_without_a_length_is_trained_on(make_engine: MakeEngine) -> None:
    """Whole epochs need no length of the loader, and the end of a pass is known at its last step."""

    class Stream:
        def __iter__(self) -> Any:
            return iter([(torch.ones(2, 1), torch.ones(2, 1))] * 3)

    passes = [
        m.schedule.progress.epochs
        for m in training(make_engine(), Stream(), until="2 epochs | 1 h")
        if m.update.last
    ]

    assert [1, 2] == passes


def test_half_an_epoch_of_a_loader_without_a_length(make_engine: MakeEngine) -> None:
    """With `batches_per_epoch`, parts of an epoch are found on a loader that does not say its length."""

    class Stream:
        def __iter__(self) -> Any:
            return iter([(torch.ones(2, 1), torch.ones(2, 1))] * 4)

    [*_, last] = training(make_engine(), Stream(), until="3/2 epochs", batches_per_epoch=4)

    assert 6 == last.schedule.progress.batches


def test_an_empty_loader_is_an_error(make_engine: MakeEngine) -> None:
    """A loader with nothing in it is said so, instead of being asked again for ever."""
    with pytest.raises(EmptyEpoch) as caught:
        training(make_engine(), [], until="1 step")

    assert "the loader has no batches; give it data" == str(caught.value)


def test_why_a_loader_is_empty_is_said(make_engine: MakeEngine) -> None:
    """Fewer records than a batch has, and `drop_last`, leave nothing: the sizes are in the message."""
    data = torch.utils.data.TensorDataset(torch.ones(3, 1), torch.ones(3, 1))
    loader = torch.utils.data.DataLoader(data, batch_size=4, drop_last=True)
    with pytest.raises(EmptyEpoch) as caught:
        training(make_engine(), loader, until="1 step")

    assert (
        "the loader has no batches: it has 3 records, with batch_size=4 and drop_last=True; give it more data, a smaller "
        "batch_size, or drop_last=False"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("held_out", "message"),
    [
        ([], "the validation loader 'val' has no batches; give it data"),
        (
            (batch for batch in [(torch.ones(2, 1), torch.ones(2, 1))]),
            (
                "the validation loader 'val' is a generator, which has batches for one validation only; give what can be "
                "iterated again, such as a list, a TensorLoader or a DataLoader"
            ),
        ),
        (
            iter([(torch.ones(2, 1), torch.ones(2, 1))]),
            (
                "the validation loader 'val' yielded no batches; an iterator does so once it is used up: give what can be "
                "iterated again, such as a list, a TensorLoader or a DataLoader"
            ),
        ),
    ],
    ids=["empty", "generator", "iterator"],
)
def test_a_validation_of_nothing_is_an_error(
    held_out: Any, message: str, make_engine: MakeEngine, loader: TensorLoader
) -> None:
    """It is never the NaN that patience would wait for: at the call where that is known, else at the validation."""
    with pytest.raises(EmptyValidation) as caught:
        list(training(make_engine(), loader, {"val": held_out}, until="2 epochs"))

    assert message == str(caught.value)


def test_a_closed_run_is_an_error_before_anything_is_trained(
    make_engine: MakeEngine, loader: TensorLoader, recorder: Any
) -> None:
    """It is not found out at the first logging, an epoch later."""
    with recorder.start() as run:
        pass
    with pytest.raises(WrongArgument) as caught:
        training(make_engine(), loader, until="1 epoch", run=run, log=None)

    assert (
        "the run 'run' is closed (FINISHED), and one that records was expected; train within its `with` block, or start "
        "another"
    ) == str(caught.value)


def test_a_loop_that_is_left_has_ended_the_training(
    make_engine: MakeEngine, loader: TensorLoader
) -> None:
    """Ctrl-C is itself again after a `break`, also where somebody holds the training, which does not begin anew unsaid."""
    moments = training(make_engine(), loader, until="2 epochs")
    for moment in moments:
        if moment.counts.steps == 3:
            break
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(TrainingLeft) as caught:
        list(moments)

    assert str(caught.value).startswith(
        "the training was left at 24 records, 3 batches, 3 steps, 0 epochs"
    )
    assert str(caught.value).endswith(
        ", and cannot be resumed; call `training` again, which goes on from its newest checkpoint"
    )


def test_a_training_that_is_over_has_no_more_moments(
    make_engine: MakeEngine, loader: TensorLoader
) -> None:
    """Iterated over again, or closed again, it is as any other iterator that has come to its end."""
    moments = training(make_engine(), loader, until="1 epoch")
    first = len(list(moments))
    moments.close()

    assert (13, []) == (first, list(moments))


def test_who_calls_next_closes_it(make_engine: MakeEngine, loader: TensorLoader) -> None:
    """Between two calls the first Ctrl-C is kept for the next; after `close` it is itself again."""
    moments = training(make_engine(), loader, until="1 epoch")
    next(moments)
    signal.raise_signal(signal.SIGINT)
    moments.close()

    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_in_the_last_step_is_not_lost(
    number: signal.Signals, make_engine: MakeEngine, loader: TensorLoader, tmp_path: Path
) -> None:
    """The training is over and saved, and what follows it in the program is not begun."""
    expected = KeyboardInterrupt if number == signal.SIGINT else Terminated
    options: Any = {"until": "5 steps", "checkpoint": "1 epoch", "directory": tmp_path}

    def train() -> None:
        for moment in training(make_engine(), loader, **options):
            if moment.counts.steps == 5:
                signal.raise_signal(number)

    with pytest.raises(expected):
        train()

    assert ["step-00000005.pt"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("place", ["accumulating", "validating", "logging"])
def test_ctrl_c_waits_for_the_boundary_wherever_it_comes(
    place: str, make_engine: MakeEngine, loader: TensorLoader, recorder: Any
) -> None:
    """In the middle of a window, of a validation, between two writes: the step is whole, and all that was due is done."""
    seen: list[str] = []

    def press(where: str) -> None:
        seen.append(where)
        if where == place and seen.count(where) == 2:
            signal.raise_signal(signal.SIGINT)

    def step(model: Any, batch: Any) -> torch.Tensor:
        press("accumulating" if model.training else "validating")
        return torch.nn.functional.mse_loss(model(batch[0]), batch[1])

    engine = make_engine(accumulate=4)
    engine = Engine(engine.model, step, engine.optimizer, accumulate=4)
    steps = []
    options: Any = {"until": "9 epochs", "validate": "1 step", "log": "1 step"}

    def train() -> None:
        with recorder.start() as run:
            for moment in training(engine, loader, {"val": loader}, run=run, **options):
                steps.append(moment.counts.steps)
                press("logging")

    with pytest.raises(KeyboardInterrupt):
        train()
    record = recorder.read()

    assert ([1, 2] if place == "logging" else [1]) == steps
    assert steps == [step for step, _ in record.history("train/loss")]
    assert steps == [step for step, _ in record.history("val/loss")]
    assert "KILLED" == record.status


def grouped(*rates: float, **named: str) -> torch.optim.Optimizer:
    groups = [
        {"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate, "weight_decay": index}
        for index, rate in enumerate(rates)
    ]
    for group, (key, name) in zip(groups[1:], named.items(), strict=False):
        group[key] = name
    return torch.optim.SGD(groups)


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (grouped(0.5), {"lr": 0.5}),
        (grouped(0.5, 0.5), {"lr": 0.5}),
        (grouped(0.5, 0.25), {"lr": 0.5, "lr/1": 0.25}),
        (grouped(0.5, 0.25, name="head"), {"lr": 0.5, "lr/head": 0.25}),
        (grouped(0.5, 0.5, 0.25), {"lr": 0.5, "lr/2": 0.25}),
    ],
    ids=["one", "alike", "other", "named", "one of three"],
)
def test_groups_of_one_rate_have_one_curve(
    optimizer: torch.optim.Optimizer, expected: dict[str, float]
) -> None:
    """`lr` is there in every run, and another group's only where it is another rate."""
    assert expected == named_rates(optimizer, current_rates(optimizer))


def test_a_group_of_another_rate_is_logged_throughout() -> None:
    """A warmup that begins at 0 for all does not leave the first points out."""
    optimizer = grouped(0.5, 0.25)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: float(step > 0))

    assert {"lr": 0.0, "lr/1": 0.0} == named_rates(optimizer, current_rates(optimizer))


def test_a_rate_that_is_a_tensor_is_that_of_its_step(
    make_engine: MakeEngine, loader: TensorLoader, recorder: Any
) -> None:
    """A scheduler writes the next rate into the tensor before the step is logged."""
    engine = make_engine()
    assert engine.optimizer is not None
    engine.optimizer.param_groups[0]["lr"] = torch.tensor(0.5)
    engine.scheduler = torch.optim.lr_scheduler.StepLR(engine.optimizer, step_size=1, gamma=0.5)
    with recorder.start() as run:
        for _ in training(engine, loader, until="3 steps", log="1 step", run=run):
            pass

    assert ((1, 0.5), (2, 0.25), (3, 0.125)) == recorder.read().history("lr")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"validation": [1]},
            (
                "validation is a list, and loaders by name were expected, since the name is part of "
                'what is logged: write {"val": loader} for val/loss'
            ),
        ),
        (
            {"validation": {"train": []}},
            (
                "a validation loader is named 'train', and train/loss is what the steps are logged as; "
                "give it another name, such as 'train_eval'"
            ),
        ),
        (
            {"validation": {"": []}},
            "a validation loader is named '', and a text was expected, such as 'val' for val/loss",
        ),
        (
            {"run": "tensorboard:runs"},
            "run is a str, and a Run was expected: with start_run('tensorboard:runs') as run: ...",
        ),
        (
            {"engine": []},
            "the engine is a list, and an Engine was expected first: (engine, loader, ...)",
        ),
    ],
    ids=["loader", "train", "nameless", "run", "engine"],
)
def test_what_is_easily_mixed_up_is_named_at_once(
    change: dict[str, Any], expected: str, make_engine: MakeEngine, loader: TensorLoader
) -> None:
    """A wrong argument is an error at the call, before anything is trained."""
    arguments: dict[str, Any] = {"engine": make_engine(), "loader": loader, "until": "1 step"}
    with pytest.raises(TreadleError) as caught:
        training(**{**arguments, **change})

    assert expected == str(caught.value)


def test_a_length_without_a_unit_is_an_error(make_engine: MakeEngine, loader: TensorLoader) -> None:
    """A bare number is no length."""
    with pytest.raises(MissingUnit):
        list(training(make_engine(), loader, until="5"))
