"""A training that is left at any moment and continued is the one that was never left."""

import contextlib
import itertools
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import treadle_loop
from treadle.errors import WrongArgument, WrongCheckpoint
from treadle.fitting import fit
from treadle.moments import Moment, training
from treadle_loop import (
    CheckpointNotWritten,
    CheckpointUnreadable,
    Engine,
    StateMismatch,
    TensorLoader,
    supervised,
)
from treadle_tracking import RunRecord, Terminated, WrongRun, open_runs, start_run

TARGET = "tensorboard:runs"
SAVES = 8  # every third step, and the better validations between them


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_engine(width: int = 4) -> Engine:
    """Dropout, momentum, a scheduler, averaged weights, accumulation and clipping: all that has a state."""
    torch.manual_seed(7)
    model = nn.Sequential(nn.Linear(3, width), nn.Dropout(0.5), nn.Linear(width, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    return Engine(
        model,
        supervised(nn.functional.mse_loss),
        optimizer,
        accumulate=2,
        clip_norm=1.0,
        ema=0.9,
        scheduler=torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.5),
    )


def loaders() -> tuple[TensorLoader, TensorLoader]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(22, 3, generator=generator)
    y = x.sum(1, keepdim=True)
    return (
        TensorLoader(x, y, batch_size=4, shuffle=True, seed=3),
        TensorLoader(x[:6], y[:6], batch_size=4),
    )


OPTIONS: dict[str, Any] = {
    "until": "4 epochs",
    "validate": "2 steps",
    "log": "1 step",
    "checkpoint": "3 steps",
    "best": "val/loss:min",
    "keep": 2,
}


def attempt(
    body: Callable[[Moment], None] = lambda _: None, **options: Any
) -> tuple[list[torch.Tensor], RunRecord]:
    """One program: it makes everything anew, trains, and draws a random number at each step."""
    engine, (loader, held_out) = make_engine(), loaders()
    with start_run(TARGET, name="a", uid="u", resume="auto") as run:
        for moment in training(engine, loader, {"val": held_out}, run=run, **(OPTIONS | options)):
            run.log({"drawn": float(torch.rand(()))}, step=moment.counts.steps)
            body(moment)
    return [*engine.model.state_dict().values()], open_runs(TARGET)["u"]


def histories(record: RunRecord) -> dict[str, tuple[tuple[int, float], ...]]:
    return {name: record.history(name) for name in record.metrics}


def checkpoints_of(record: RunRecord) -> Path:
    assert record.directory is not None
    return record.directory / "checkpoints"


class Killed(BaseException):
    """What ends a program without a word to anybody."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[torch.Tensor], Any]]:
    """What the training comes to that nothing interrupts."""
    home = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("whole"))
    weights, record = attempt()
    yield weights, histories(record)
    os.chdir(home)


def check_equal(
    whole: tuple[list[torch.Tensor], Any], again: tuple[list[torch.Tensor], RunRecord]
) -> None:
    weights, record = again
    assert whole[1] == histories(record)
    assert all(map(torch.equal, whole[0], weights))
    assert 1 == len(open_runs(TARGET))


@pytest.mark.parametrize("steps", range(1, 13))
def test_a_training_left_at_any_step_goes_on_exactly(whole: Any, steps: int) -> None:
    """Weights and metrics are bitwise those of a training that was never left, wherever it was."""

    def leave(moment: Moment) -> None:
        if moment.counts.steps == steps:
            raise Killed

    with pytest.raises(Killed):
        attempt(leave)

    check_equal(whole, attempt())


@pytest.mark.parametrize("place", ["log", "save", "commit"])
def test_a_training_killed_around_what_it_writes_goes_on_exactly(
    whole: Any, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """It is killed before and after each log, each checkpoint and each commit, one after the other."""
    import treadle.checkpoints
    from treadle_tracking import Run

    owner, name = {
        "log": (Run, "log"),
        "save": (treadle.checkpoints, "save_checkpoint"),
        "commit": (Run, "commit"),
    }[place]
    real = getattr(owner, name)
    kills = 0
    for before, number in itertools.product((True, False), range(40)):
        calls = itertools.count()

        def deadly(
            *arguments: Any,
            calls: Any = calls,
            before: bool = before,
            number: int = number,
            **named: Any,
        ) -> Any:
            is_now = next(calls) == number
            if is_now and before:
                raise Killed
            given = real(*arguments, **named)
            if is_now:
                raise Killed
            return given

        shutil.rmtree("runs", ignore_errors=True)
        with monkeypatch.context() as patched, contextlib.suppress(Killed):
            patched.setattr(owner, name, deadly)
            attempt()
            continue  # it was over before
        kills += 1
        check_equal(whole, attempt())

    assert kills == 2 * {"log": 30, "save": SAVES, "commit": SAVES}[place]


def test_a_signal_ends_it_after_the_step_and_nothing_is_lost(whole: Any) -> None:
    """SIGTERM in the middle of the third step: it is saved, the run is KILLED, and the next program goes on exactly."""

    def press(moment: Moment) -> None:
        if moment.counts.steps == 4:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Terminated) as caught:
        attempt(press)
    killed = open_runs(TARGET)["u"]
    seen = []
    again = attempt(lambda moment: seen.append(moment.counts.steps))

    assert (143, "KILLED") == (caught.value.code, killed.status)
    assert list(range(5, 13)) == seen
    check_equal(whole, again)


@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_while_it_is_saved_waits(
    whole: Any, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """SIGTERM within a save, once or twice: what is being written is written, and the next program goes on exactly."""
    import treadle.checkpoints

    real = treadle_loop.save_checkpoint
    calls = itertools.count()

    def pressed(*arguments: Any, **named: Any) -> Path:
        for _ in range(times if next(calls) == 1 else 0):
            signal.raise_signal(signal.SIGTERM)
        return real(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(treadle.checkpoints, "save_checkpoint", pressed)
        with pytest.raises(Terminated):
            attempt()
    killed = open_runs(TARGET)["u"]

    assert "KILLED" == killed.status
    check_equal(whole, attempt())


def test_ctrl_c_ends_it_after_the_step(whole: Any) -> None:
    """The first Ctrl-C waits for the step's end and is raised then."""

    def press(moment: Moment) -> None:
        if moment.counts.steps == 4:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        attempt(press)

    assert "KILLED" == open_runs(TARGET)["u"].status
    check_equal(whole, attempt())


def test_a_training_that_has_ended_stays_ended() -> None:
    """After patience has run out, or a stop of the body's, the same program again does nothing."""
    ended = attempt(
        lambda moment: moment.schedule.stop("enough") if moment.counts.steps == 2 else None
    )
    engine, (loader, held_out) = make_engine(), loaders()
    with start_run(TARGET, uid="u", resume="must") as run:
        result = fit(engine, loader, {"val": held_out}, run=run, **OPTIONS)

    assert ("enough", None, {}) == (result.outcome.reason, result.trained, result.validated)
    assert all(map(torch.equal, ended[0], engine.model.state_dict().values()))


def test_a_limit_that_was_reached_can_be_moved(whole: Any) -> None:
    """A run of two epochs, continued to four, is one of four, but for what was due at its end."""
    attempt(until="2 epochs", validate=None, checkpoint="1 epoch", best=None)
    weights, record = attempt(validate=None, best=None)

    assert all(map(torch.equal, whole[0], weights))
    assert whole[1]["train/loss"] == record.history("train/loss")


def test_patience_ends_it_and_nan_is_never_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of NaN, worse and equal values none is better; the best stays the first, and patience counts from it."""
    losses = iter([float("nan"), 2.0, 3.0, 2.0, float("nan"), 1.0])
    real = Engine.test_epoch

    def scripted(self: Engine, *arguments: Any, **named: Any) -> Any:
        result = real(self, *arguments, **named)
        object.__setattr__(result, "loss", torch.tensor(next(losses)))
        return result

    monkeypatch.setattr(Engine, "test_epoch", scripted)
    improved = []
    _, record = attempt(
        lambda moment: improved.append(moment.counts.steps) if moment.improved else None,
        until="20 epochs",
        validate="1 step",
        patience="3 steps",
    )
    best = treadle_loop.load_checkpoint(checkpoints_of(record) / "best.pt")

    assert [2] == improved
    assert 5 == record.history("train/loss")[-1][0]
    assert (2.0, 2, "no better val/loss for 3 steps") == (
        best["fit"]["best"]["value"],
        best["fit"]["best"]["step"],
        treadle_loop.load_checkpoint(checkpoints_of(record))["fit"]["ended"],
    )


def test_patience_goes_on_over_a_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that is left in the middle gives up at the step at which it would have."""
    real = Engine.test_epoch

    def scripted(self: Engine, *arguments: Any, **named: Any) -> Any:
        result = real(self, *arguments, **named)
        object.__setattr__(result, "loss", torch.tensor(1.0))
        return result

    monkeypatch.setattr(Engine, "test_epoch", scripted)

    def leave(moment: Moment) -> None:
        if moment.counts.steps == 4:
            moment.save()
            raise Killed

    options: dict[str, Any] = {"validate": "1 step", "patience": "6 steps"}
    with pytest.raises(Killed):
        attempt(leave, **options)
    _, record = attempt(**options)

    assert 7 == record.history("train/loss")[-1][0]


def test_a_time_limit_goes_on_over_a_resume(here: Path) -> None:
    """What was trained before counts: a training of so many seconds has them in all, and not once more."""
    folder = here / "c"
    loader = loaders()[0]
    options: dict[str, Any] = {"checkpoint": "1 step", "directory": folder}
    first = fit(make_engine(), loader, until="0.05 s", **options).outcome.counts
    again = fit(make_engine(), loader, until="0.05 s", **options)

    assert (first.steps, None) == (again.outcome.counts.steps, again.trained)


def test_a_kill_between_the_two_names_of_the_best_leaves_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The checkpoint is there and `best.pt` is an older one, or none: the next program makes it right."""
    from treadle_loop import checkpoints

    real = vars(checkpoints)["replace_by_link"]
    kills = 0
    for number in range(20):
        calls = itertools.count()

        def deadly(*arguments: Any, calls: Any = calls, number: int = number) -> None:
            if next(calls) == number:
                raise Killed
            real(*arguments)

        shutil.rmtree("runs", ignore_errors=True)
        with monkeypatch.context() as patched:
            patched.setattr(checkpoints, "replace_by_link", deadly)
            try:
                attempt()
            except Killed:
                kills += 1
            else:
                break
        _, record = attempt()
        folder = checkpoints_of(record)
        newest = treadle_loop.load_checkpoint(folder)["fit"]["best"]
        best = treadle_loop.load_checkpoint(folder / "best.pt")

        assert (newest["step"], newest["value"]) == (
            best["schedule"]["progress"]["steps"],
            best["fit"]["best"]["value"],
        )

    assert kills > 1


def test_only_the_last_and_the_best_are_kept() -> None:
    """Two checkpoints stay, and the best beside them."""
    _, record = attempt()

    assert ["best.pt", "step-00000010.pt", "step-00000012.pt"] == sorted(
        path.name for path in (checkpoints_of(record)).iterdir()
    )


def test_checkpoints_without_a_run_are_where_they_are_told(here: Path) -> None:
    """A training without a run goes on from a directory."""
    options: dict[str, Any] = {
        "until": "2 epochs",
        "checkpoint": "1 epoch",
        "directory": here / "c",
    }
    first, again = make_engine(), make_engine()
    fit(first, loaders()[0], **options)
    result = fit(again, loaders()[0], **options)

    assert (None, "limit") == (result.trained, result.outcome.reason)
    assert all(
        map(torch.equal, first.model.state_dict().values(), again.model.state_dict().values())
    )


def test_a_checkpoint_of_another_model_is_refused_and_nothing_is_lost() -> None:
    """The message is the engine's, with the place; the checkpoint and the run's log are as they were."""
    _, record = attempt(until="2 epochs")
    before, files = histories(record), contents(checkpoints_of(record))
    with start_run(TARGET, uid="u", resume="must") as run, pytest.raises(StateMismatch) as caught:
        fit(make_engine(width=5), loaders()[0], {"val": loaders()[1]}, run=run, **OPTIONS)

    assert (
        f"{checkpoints_of(record)} holds checkpoints that this training cannot resume from: the state is of a model "
        "other than Sequential: it has 0.weight of shape (4, 3) instead of (5, 3), 0.bias of shape (4,) instead of (5,), "
        "2.weight of shape (1, 4) instead of (1, 5); make the model as it was when the state was saved, or begin another "
        "run"
    ) == str(caught.value)
    assert before == histories(open_runs(TARGET)["u"])
    assert files == contents(checkpoints_of(record))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_checkpoint_cut_short_is_named(share: float) -> None:
    """Wherever it ends, it is never passed over for an older one without a word, and nothing is lost."""
    _, record = attempt(until="2 epochs")
    [*_, older, newest] = treadle_loop.list_checkpoints(checkpoints_of(record))
    os.truncate(newest, int(share * newest.stat().st_size))
    files = contents(checkpoints_of(record))
    with (
        start_run(TARGET, uid="u", resume="must") as run,
        pytest.raises(CheckpointUnreadable) as caught,
    ):
        fit(make_engine(), loaders()[0], {"val": loaders()[1]}, run=run, **OPTIONS)

    assert (
        f"{newest} is cut short, or no checkpoint, and a save_checkpoint file was expected; to resume from "
        f"another, load {older}. A training resumes from the newest in the folder: to start from an older one, move this one "
        "away"
    ) == str(caught.value)
    assert files == contents(checkpoints_of(record))
    assert histories(record) == histories(open_runs(TARGET)["u"])


def test_after_a_damaged_one_is_moved_away_it_goes_on_exactly(whole: Any) -> None:
    """What the message says is a way out."""
    _, record = attempt(
        lambda moment: moment.schedule.stop("a") if moment.counts.steps == 8 else None
    )
    for damaged in treadle_loop.list_checkpoints(checkpoints_of(record))[-1:]:
        damaged.unlink()
    with start_run(TARGET, uid="u", resume="must") as run:
        engine, (loader, held_out) = make_engine(), loaders()
        for moment in training(engine, loader, {"val": held_out}, run=run, **OPTIONS):
            run.log({"drawn": float(torch.rand(()))}, step=moment.counts.steps)

    assert all(map(torch.equal, whole[0], engine.model.state_dict().values()))
    assert whole[1] == histories(open_runs(TARGET)["u"])


def test_a_checkpoint_that_may_not_be_read_is_named(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's refusal is one message with the file, and not a training from the beginning."""
    options: dict[str, Any] = {"until": "1 epoch", "checkpoint": "1 epoch", "directory": here / "c"}
    fit(make_engine(), loaders()[0], **options)
    [path] = treadle_loop.list_checkpoints(here / "c")

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("zipfile.ZipFile", refuse)  # root may read everything
    with pytest.raises(CheckpointUnreadable) as caught:
        fit(make_engine(), loaders()[0], **options)

    assert (
        f"{path} cannot be read (Permission denied), and the training resumes from the checkpoints in {here / 'c'}; "
        "check that this user may read it"
    ) == str(caught.value)


def test_a_save_that_fails_ends_the_training_and_loses_nothing(
    whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full at the second save: the run has failed, and once there is room it goes on exactly."""
    from treadle_loop import checkpoints

    calls = itertools.count()
    real = checkpoints._serialize

    def full(*arguments: Any) -> None:
        if next(calls) == 2:
            raise OSError(28, "No space left on device")
        real(*arguments)

    monkeypatch.setattr(checkpoints, "_serialize", full)
    with pytest.raises(CheckpointNotWritten):
        attempt()
    failed = open_runs(TARGET)["u"]
    kept = [path.name for path in treadle_loop.list_checkpoints(checkpoints_of(failed))]

    assert ("FAILED", 2) == (failed.status, len(kept))
    check_equal(whole, attempt())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"accumulate": 1}, 88),
        ({"batch_size": 2}, 88),
    ],
    ids=["accumulate", "batch size"],
)
def test_records_are_what_a_changed_training_goes_on_by(
    here: Path, change: dict[str, int], expected: int
) -> None:
    """With other windows, or batches that divide the old ones, each record is still seen once an epoch."""
    options: dict[str, Any] = {"until": "4 epochs", "checkpoint": "1 step", "directory": here / "c"}
    for moment in training(make_engine(), loaders()[0], **options):
        if moment.counts.steps == 5:
            break
    engine = make_engine()
    engine.accumulate = change.get("accumulate", 2)
    x, y = loaders()[0].tensors
    loader = TensorLoader(x, y, batch_size=change.get("batch_size", 4), shuffle=True, seed=3)

    assert expected == fit(engine, loader, **options).outcome.counts.records


def test_only_the_last_and_the_best_of_them_are_read() -> None:
    """A directory that has the name of a later checkpoint is none: the training goes on from what is one."""
    _, record = attempt(until="2 epochs")
    (checkpoints_of(record) / "step-00000099.pt").mkdir()
    with start_run(TARGET, uid="u", resume="must") as run:
        result = fit(make_engine(), loaders()[0], {"val": loaders()[1]}, run=run, **OPTIONS)

    assert 12 == result.outcome.counts.steps


def test_a_checkpoint_of_another_run_is_refused() -> None:
    """One that was copied into this run's directory says whose it is."""
    _, record = attempt()
    with start_run(TARGET, name="b", uid="v") as run:
        shutil.copytree(checkpoints_of(record), run.directory / "checkpoints")
    with start_run(TARGET, uid="v", resume="must") as run, pytest.raises(WrongRun):
        fit(make_engine(), loaders()[0], {"val": loaders()[1]}, run=run, **OPTIONS)


def test_a_checkpoint_of_something_else_is_refused(here: Path) -> None:
    """A file that the loop alone has saved is no training."""
    treadle_loop.save_checkpoint(here / "c", {"engine": {}}, step=1)
    with pytest.raises(WrongCheckpoint) as caught:
        fit(
            make_engine(), loaders()[0], until="1 epoch", checkpoint="1 epoch", directory=here / "c"
        )

    assert (
        f"the newest checkpoint in {here / 'c'} is not from a training: it has no 'schedule' and no 'run' and no 'fit'. "
        "Name another directory, or move it away to start over"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"checkpoint": "1 epoch"},
            "checkpoint= and best= save files, and have no place: give the training a run that records, or a directory=...",
        ),
        (
            {"keep": 2},
            "keep is 2, and no checkpoint is saved: say when, as in checkpoint='1 epoch'",
        ),
        (
            {"keep": 0, "checkpoint": "1 epoch"},
            "keep is 0; expected how many checkpoints stay, 1 or more",
        ),
        (
            {"patience": "1 epoch"},
            "patience is '1 epoch', and there is nothing that could get better: say what, as in best='val/loss:min'",
        ),
        (
            {"best": "val/loss"},
            (
                "best is 'val/loss'; expected a metric and whether less or more of it is better, as in 'val/loss:min' or "
                "'val/loss:max'"
            ),
        ),
        (
            {"best": "test/loss:min"},
            (
                "best is 'test/loss:min', and a validation metric was expected: its name begins with a validation "
                "loader's, and there is 'val'"
            ),
        ),
        ({"best": 3}, "best is 3 (int); expected a text, as in 'val/loss:min'"),
        (
            {"best": "val/loss:min", "validate": None},
            "best is 'val/loss:min', and nothing is validated: say when, as in validate='1 epoch'",
        ),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_trained(
    options: dict[str, Any], message: str
) -> None:
    """The message names what was given and what is expected."""
    loader, held_out = loaders()
    with pytest.raises(WrongArgument) as caught:
        training(make_engine(), loader, {"val": held_out}, until="1 epoch", **options)

    assert message == str(caught.value)


def test_the_best_of_a_metric_that_is_not_there_is_an_error(here: Path) -> None:
    """At the first validation, with what there is; the steps until then are saved, and are gone on with."""
    loader, held_out = loaders()
    with pytest.raises(WrongArgument) as caught:
        fit(
            make_engine(),
            loader,
            {"val": held_out},
            until="1 epoch",
            best="val/acc:max",
            directory=here,
        )

    again = fit(
        make_engine(),
        loader,
        {"val": held_out},
        until="1 epoch",
        best="val/loss:min",
        directory=here,
    )

    assert ("best names 'val/acc', which the validation does not have: it has 'val/loss'") == str(
        caught.value
    )
    assert (3, None) == (again.outcome.counts.steps, again.trained)


def test_a_place_beside_the_runs_is_refused(here: Path) -> None:
    """The checkpoints of a run are kept with it."""
    with start_run(TARGET) as run, pytest.raises(WrongArgument) as caught:
        training(
            make_engine(),
            loaders()[0],
            until="1 epoch",
            checkpoint="1 epoch",
            run=run,
            directory=here,
        )

    assert (
        f"directory is '{here}', and the checkpoints of a run are kept with it, in {run.directory / 'checkpoints'}; "
        "leave `directory` out"
    ) == str(caught.value)
