"""A training: what is done at which step, and what the run has of it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from treadle.errors import TreadleError
from treadle.moments import training
from treadle_loop import Engine, TensorLoader
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
    with pytest.raises(EmptyEpoch, match="had no batches"):
        list(training(make_engine(), [], until="1 step"))


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
