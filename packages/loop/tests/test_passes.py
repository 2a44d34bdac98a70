"""One pass: which update is the last, what a break and an exception leave, whose turn it is."""

import math
import multiprocessing
from contextlib import suppress

import pytest
import torch
from torch import nn
from torch.optim import LBFGS, SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR
from torch.utils.data import DataLoader, TensorDataset

from treadle_loop import (
    Engine,
    InvalidSetting,
    NoOptimizer,
    NotAWindow,
    PassSuperseded,
    TensorLoader,
    WrongLength,
)
from treadle_loop.agreement import AgreedPass
from treadle_loop.passes import GivenWindow
from treadle_loop.runtimes.plain import PlainRuntime


class Claiming(list):
    """Batches with a length that may not be theirs."""

    def __init__(self, batches, length):
        super().__init__(batches)
        self.length = length

    def __len__(self):
        return self.length


def batches(count, size=2):
    return [torch.ones(size, dtype=torch.float64) for _ in range(count)]


def mean(model, batch):
    return model(batch).mean()


@pytest.fixture
def engine(scale):
    def build(step=mean, **settings):
        return Engine(scale, step, SGD(scale.parameters(), lr=1.0), **settings)

    return build


@pytest.mark.parametrize("accumulate", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("loader", [list, iter], ids=["sized", "unsized"])
def test_every_update_says_where_it_stands(engine, accumulate, count, loader):
    """Counts and index are exact, and only the update that ends the pass is the last."""
    steps = math.ceil(count / accumulate)
    windows = [min(accumulate, count - accumulate * index) for index in range(steps)]
    expected = [
        {
            "records": 2 * window,
            "batches": window,
            "steps": 1,
            "epochs": int(index == steps - 1),
        }
        for index, window in enumerate(windows)
    ]

    updates = list(engine(accumulate=accumulate).updates(loader(batches(count))))

    assert expected == [update.counts for update in updates]
    assert list(range(steps)) == [update.index for update in updates]
    assert [False] * (steps - 1) + [True] == [update.last for update in updates]


@pytest.mark.parametrize("loader", [list, iter], ids=["sized", "unsized"])
def test_an_empty_loader_is_an_empty_result(engine, loader):
    """No batch is no error: nothing is counted, and the loss is nan."""
    trained = engine().train_epoch(loader([]))
    tested = engine().test_epoch(loader([]))

    for result in (trained, tested):
        assert {"records": 0, "batches": 0, "steps": 0, "epochs": 0} == result.counts
        assert math.isnan(result.loss)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (
            2,
            (
                "the loader yielded batch 3, but its len is 2; mend its __len__, or leave it out: a "
                "loader may have none"
            ),
        ),
        (
            4,
            (
                "the loader ended after batch 3, but its len is 4; mend its __len__, or leave it out: "
                "a loader may have none"
            ),
        ),
        (
            0,
            (
                "the loader yielded batch 1, but its len is 0; mend its __len__, or leave it out: a "
                "loader may have none"
            ),
        ),
    ],
    ids=["more", "fewer", "none"],
)
def test_a_wrong_length_is_an_error(engine, accumulate, length, expected):
    """A loader that has more or fewer batches than its len is told so."""
    with pytest.raises(WrongLength) as caught:
        engine(accumulate=accumulate).train_epoch(Claiming(batches(3), length))

    assert expected == str(caught.value)


def test_nothing_is_drawn_between_a_step_and_its_yield(engine, scale):
    """With a length, each batch is drawn only when the body of the one before is over."""
    events = []

    class Telling(Claiming):
        def __iter__(self):
            for index, batch in enumerate(super().__iter__()):
                events.append(f"draw {index}")
                yield batch

    for update in engine().updates(Telling(batches(2), 2)):
        events.append(f"body {update.index}")  # noqa: PERF401 (a body is what is tested)

    assert ["draw 0", "body 0", "draw 1", "body 1"] == events


def test_without_a_length_one_batch_is_drawn_before_the_step(engine, scale):
    """The batch that tells whether an update is the last is drawn with the weights unchanged."""
    events = []

    def loader():
        for index in range(3):
            events.append((f"draw {index}", scale.weight.item()))
            yield batches(1)[0]

    for update in engine().updates(loader()):
        body = f"body {update.index}"
        events.append((body, scale.weight.item()))

    assert [
        ("draw 0", 0.0),
        ("draw 1", 0.0),
        ("body 0", -1.0),
        ("draw 2", -1.0),
        ("body 1", -2.0),
        ("body 2", -3.0),
    ] == events


@pytest.mark.parametrize("accumulate", [1, 2, 4])
@pytest.mark.parametrize("sized", [True, False])
def test_an_exhausted_loader_is_not_asked_again(engine, accumulate, sized):
    """The end of a loader is met once, as in a for loop."""

    class Once:
        left = 3

        def __iter__(self):
            return self

        def __next__(self):
            self.left -= 1
            assert self.left >= -1
            if self.left < 0:
                raise StopIteration
            return batches(1)[0]

    class Sized(Once):
        def __len__(self):
            return 3

    loader = (Sized if sized else Once)()

    result = engine(accumulate=accumulate).train_epoch(loader)

    assert (3, -1) == (result.batches, loader.left)


def test_a_break_leaves_the_boundary(engine, scale):
    """After a break the step is made, its gradient is there, and the next pass is a new one."""
    trainer = engine(accumulate=2)

    for _ in trainer.updates(batches(6)):
        break
    left = scale.weight.item(), scale.weight.grad.item()
    result = trainer.train_epoch(batches(2))

    assert ((-1.0, 1.0), -2.0, 1) == (left, scale.weight.item(), result.steps)


def test_a_pass_can_be_closed(engine):
    """Closing a pass that was kept closes the loader's iterator, and with it its workers."""
    events = []

    def loader():
        try:
            yield from batches(3)
        finally:
            events.append("closed")

    updates = engine().updates(loader())
    next(updates)
    updates.close()

    assert ["closed"] == events


@pytest.mark.parametrize("leave", ["break", "exception"])
def test_workers_end_with_the_pass(engine, leave):
    """The worker processes of a DataLoader are gone when the loop is left."""
    loader = DataLoader(TensorDataset(torch.ones(8)), batch_size=2, num_workers=1)

    def step(model, batch):
        if leave == "exception":
            raise OSError
        return model(batch[0].double()).mean()

    with suppress(OSError):
        for _ in engine(step).updates(loader):
            break

    assert [] == multiprocessing.active_children()


def test_a_length_that_is_not_implemented_is_none(engine):
    """A loader whose len raises NotImplementedError has no length, as one without has."""

    class Stream:
        def __len__(self):
            raise NotImplementedError

        def __iter__(self):
            return iter(batches(3))

    assert [False, False, True] == [update.last for update in engine().updates(Stream())]


@pytest.mark.parametrize("accumulate", [1, 3])
def test_an_exception_in_a_window_drops_it(engine, scale, accumulate):
    """What raised comes out as it is; the weights stay, and no gradient is left to leak."""

    class Bad(Exception):
        pass

    def step(model, batch):
        if batch.sum() > 2:
            raise Bad
        return model(batch).mean()

    trainer = engine(step, accumulate=accumulate)
    good, bad = batches(1)[0], torch.full((2,), 9.0, dtype=torch.float64)

    with pytest.raises(Bad):
        trainer.train_epoch([*[good] * (accumulate - 1), bad])
    dropped = scale.weight.grad
    trainer.update([good])

    assert (None, -1.0) == (dropped, scale.weight.item())


def test_a_loader_that_raises_drops_the_window(engine, scale):
    """The same where the exception comes from the loader in the middle of a window."""

    def loader():
        yield batches(1)[0]
        raise OSError

    with pytest.raises(OSError):
        engine(accumulate=2).train_epoch(loader())

    assert (None, 0.0) == (scale.weight.grad, scale.weight.item())


def test_each_pass_sets_the_loaders_position(engine):
    """The order of a TensorLoader is that of the engine's own epoch, whatever was drawn before."""
    loader = TensorLoader(torch.arange(20, dtype=torch.float64), batch_size=5, shuffle=True, seed=3)
    seen = []

    def step(model, batch):
        seen[-1].append(batch[0].tolist())
        return model(batch[0]).mean()

    first, second = engine(step), engine(step)
    for trainer in (first, first, second, second):
        list(loader)
        seen.append([])
        trainer.train_epoch(loader)

    assert seen[:2] == seen[2:]
    assert seen[0] != seen[1]


def test_the_scheduler_steps_with_the_optimizer(engine):
    """A scheduler for steps is called once an update, one for epochs once a pass."""
    for every, expected in (("step", [1, 2, 3, 4, 5, 6]), ("epoch", [0, 0, 1, 1, 1, 2])):
        calls = []

        class Counting:
            def step(self, calls=calls):
                calls.append(1)

        trainer = engine(accumulate=2, scheduler=Counting(), scheduler_every=every)
        seen = [len(calls) for _ in range(2) for _ in trainer.updates(batches(5))]

        assert expected == seen


def test_update_belongs_to_no_pass(engine):
    """The primitive makes one step of what it is given and calls no scheduler for epochs."""
    calls = []

    class Counting:
        def step(self):
            calls.append(1)

    trainer = engine(accumulate=7, scheduler=Counting(), scheduler_every="epoch")

    update = trainer.update(batches(3))

    assert {"records": 6, "batches": 3, "steps": 1, "epochs": 0} == update.counts
    assert (0, False, []) == (update.index, update.last, calls)


@pytest.mark.parametrize(
    ("window", "seen"),
    [([], "an empty list"), ((1, 2), "a tuple"), (torch.ones(2), "a Tensor"), ({}, "a dict")],
    ids=["empty", "tuple", "tensor", "dict"],
)
def test_a_batch_is_no_window(engine, window, seen):
    """A batch given in place of a list of batches is told apart."""
    with pytest.raises(NotAWindow) as caught:
        engine().update(window)

    assert (
        f"Engine.update was given {seen}, and a list of at least one batch was expected; for a "
        "single batch write engine.update([batch])"
    ) == str(caught.value)


@pytest.mark.parametrize("method", ["updates", "update", "train_epoch"])
def test_training_needs_an_optimizer(scale, method):
    """An engine without an optimizer says so at the call, before anything is drawn."""
    with pytest.raises(NoOptimizer) as caught:
        getattr(Engine(scale, mean), method)(batches(1))

    assert (
        f"Engine.{method} trains, and this engine has no optimizer; make it with "
        "Engine(model, step, optimizer), or use test_epoch or predict"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"accumulate": 0},
            (
                "accumulate is 0, and an int of at least 1 was expected: how many batches make an "
                "update"
            ),
        ),
        (
            {"accumulate": 2.0},
            (
                "accumulate is 2.0, and an int of at least 1 was expected: how many batches make an "
                "update"
            ),
        ),
        (
            {"scheduler_every": "batch"},
            'scheduler_every is \'batch\', and "step" or "epoch" was expected',
        ),
        (
            {"clip_norm": 0},
            "clip_norm is 0, and a number above 0 was expected; leave it out for no clipping",
        ),
        (
            {"clip_value": -0.5},
            "clip_value is -0.5, and a number above 0 was expected; leave it out for no clipping",
        ),
        (
            {"clip_norm": "1.0"},
            "clip_norm is '1.0', and a number above 0 was expected; leave it out for no clipping",
        ),
        (
            {"scheduler": StepLR},
            (
                "the scheduler is the class StepLR, and an object with step() was expected: "
                "Engine(model, step, optimizer)"
            ),
        ),
    ],
    ids=["zero", "float", "every", "norm", "value", "text", "scheduler"],
)
def test_settings_are_checked(engine, settings, expected):
    """A setting that cannot mean anything is refused at once."""
    with pytest.raises(InvalidSetting) as caught:
        engine(**settings)

    assert expected == str(caught.value)


def test_a_plateau_scheduler_is_refused(scale):
    """A scheduler that wants the validation loss is left to you, with the line to write."""
    optimizer = SGD(scale.parameters(), lr=1.0)

    with pytest.raises(InvalidSetting) as caught:
        Engine(scale, mean, optimizer, scheduler=ReduceLROnPlateau(optimizer))

    assert (
        "the scheduler is a ReduceLROnPlateau, whose step() wants a validation loss that the "
        "engine does not have; leave it out here and call "
        "scheduler.step(float(engine.test_epoch(loader).loss)) after each epoch"
    ) == str(caught.value)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            lambda model, optimizer: (model, optimizer, mean),
            "the step is of type SGD, and a function of the model and a batch, or supervised(loss),",
        ),
        (lambda model, optimizer: (None, mean, optimizer), "the model is None, and an nn.Module"),
        (
            lambda model, optimizer: (model, mean, SGD),
            "the optimizer is the class SGD, and an Optimizer",
        ),
    ],
    ids=["swapped", "no model", "class"],
)
def test_parts_are_checked(scale, make, expected):
    """What is no model, no step or no optimizer is refused at once."""
    with pytest.raises(InvalidSetting) as caught:
        Engine(*make(scale, SGD(scale.parameters(), lr=1.0)))

    assert f"{expected} was expected: Engine(model, step, optimizer)" == str(caught.value)


def test_an_optimizer_that_wants_a_closure_is_refused(scale):
    """One that computes the loss itself would take the engine's batches as often as it likes."""
    with pytest.raises(InvalidSetting) as caught:
        Engine(scale, mean, LBFGS(scale.parameters()))

    assert (
        "the optimizer is of type LBFGS, whose step() computes the loss itself, as often as it "
        "likes, through a closure; the engine computes it once an update, so write that loop by "
        "hand, or use another optimizer"
    ) == str(caught.value)


@pytest.mark.parametrize("body", ["load", "another pass"])
def test_a_pass_does_not_go_on_after_another(body):
    """A body that loads a state or begins another pass of the engine cannot go on with its own."""
    model = torch.nn.Linear(1, 1)
    engine = Engine(
        model, lambda model, batch: model(batch).mean(), SGD(model.parameters(), lr=0.1)
    )
    batches = [torch.ones(2, 1)] * 3
    state = engine.state_dict()

    def train():
        for _ in engine.updates(batches):
            if body == "load":
                engine.load_state_dict(state)
            else:
                engine.train_epoch(batches)

    with pytest.raises(PassSuperseded) as caught:
        train()

    assert str(caught.value).startswith("a state was loaded, or another pass of this engine begun")


def test_a_scheduler_that_fails_leaves_a_counted_step():
    """The step before it was made, so a state that is saved then goes on after it."""
    model = torch.nn.Linear(1, 1)

    class Failing:
        def step(self):
            raise ZeroDivisionError

        def state_dict(self):
            return {}

        def load_state_dict(self, state):
            pass

    engine = Engine(
        model,
        lambda model, batch: model(batch).mean(),
        SGD(model.parameters(), lr=0.1),
        scheduler=Failing(),
    )
    with pytest.raises(ZeroDivisionError):
        engine.train_epoch([torch.ones(2, 1)] * 3)

    assert [1] == [rank["batches"] for rank in engine.state_dict()["ranks"]]


def test_several_ranks_count_each_batch_once():
    """What is agreed on before a window's first forward is what its steps are told."""
    window = GivenWindow([torch.ones(2), torch.ones(3)])
    counted = []
    window.count = lambda batch: counted.append(len(batch)) or len(batch)
    agreed = AgreedPass(lambda: window, PlainRuntime(), nn.Linear(1, 1), lambda batch: batch, None)

    assert agreed.begin()
    told = [agreed.count(batch) for batch in agreed.draw()]

    assert (5, [2, 3], [2, 3]) == (agreed.records, told, counted)
