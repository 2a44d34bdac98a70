"""A state of something else is refused, in words, and nothing is changed by it."""

import copy
import sys
from itertools import chain

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader

from treadle_loop import (
    AveragesDisagree,
    Busy,
    Engine,
    EpochSampler,
    InvalidPosition,
    InvalidSetting,
    NumpyMissing,
    StateMismatch,
    TensorLoader,
)


def flat(batches):
    return list(chain.from_iterable(batches))


def squares(model, batch):
    return model(batch).pow(2).mean()


def build(model=None, *, optimizer=None, scheduler=False, **settings):
    model = nn.Linear(2, 3) if model is None else model
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9) if optimizer is None else optimizer
    schedule = StepLR(optimizer, 2) if scheduler else None
    engine = Engine(model, squares, optimizer, scheduler=schedule, **settings)
    engine.update([torch.ones(2, 2)])
    return engine


def two_groups():
    model = nn.Linear(2, 3)
    groups = [{"params": [model.weight]}, {"params": [model.bias], "lr": 0.5}]
    return build(model, optimizer=SGD(groups, lr=0.1))


def frozen(**settings):
    model = nn.Linear(2, 3)
    model.bias.requires_grad_(requires_grad=False)
    return build(model, **settings)


def adam():
    model = nn.Linear(2, 3)
    return build(model, optimizer=AdamW(model.parameters()))


OTHERWISE = "the state is that of an engine with other settings:"
SAME = "; make the engine with the same arguments"
RETURNED = "; give Engine.load_state_dict what Engine.state_dict returned"
REFUSED = [
    (
        lambda: build(nn.Linear(2, 4)),
        (
            "the state is of a model other than Linear: it has weight of shape (4, 2) instead of "
            "(3, 2), bias of shape (4,) instead of (3,); make the model as it was when the state was "
            "saved"
        ),
    ),
    (
        lambda: build(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3))),
        (
            "the state is of a model other than Linear: it has no weight, no bias, an unknown "
            "0.weight and 3 more differences; make the model as it was when the state was saved"
        ),
    ),
    (
        two_groups,
        (
            "the state is that of an optimizer with groups of [1, 1] parameters, and this SGD has "
            "groups of [2]; make it from the same parameters"
        ),
    ),
    (
        adam,
        (
            "the state is of an optimizer other than SGD: it has no dampening, and has amsgrad; "
            "make the optimizer as it was when the state was saved"
        ),
    ),
    (lambda: build(ema=0.9), f"{OTHERWISE} it has averages, which this engine lacks{SAME}"),
    (
        lambda: build(scheduler=True),
        f"{OTHERWISE} it has scheduler, which this engine lacks{SAME}",
    ),
    (
        lambda: build(precision="fp16"),
        f"{OTHERWISE} it has scaling, which this engine lacks{SAME}",
    ),
    (
        lambda: Engine(nn.Linear(2, 3), squares),
        f"{OTHERWISE} it has no optimizer{SAME}",
    ),
]


@pytest.mark.parametrize(("make", "expected"), REFUSED)
def test_another_state_is_refused(same, make, expected):
    """What is different is named, and the engine is as it was."""
    engine = build()
    before = copy.deepcopy(engine.state_dict())

    with pytest.raises(StateMismatch) as caught:
        engine.load_state_dict(make().state_dict())

    assert expected == str(caught.value)
    assert same({**before, "ranks": 0}, {**engine.state_dict(), "ranks": 0})


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({"ema": 0.9}, "averages"),
        ({"scheduler": True}, "scheduler"),
        ({"precision": "fp16", "ema": 0.9}, "averages, scaling"),
    ],
)
def test_a_state_with_less_is_refused(settings, missing):
    """What an engine has must be in the state."""
    with pytest.raises(StateMismatch) as caught:
        build(**settings).load_state_dict(build().state_dict())

    assert f"{OTHERWISE} it has no {missing}{SAME}" == str(caught.value)


def test_averages_of_other_parameters_are_refused(same):
    """Where another part of the model was trained, nothing is loaded."""
    engine = build(ema=0.9)
    before = copy.deepcopy(engine.state_dict())

    with pytest.raises(AveragesDisagree):
        engine.load_state_dict(frozen(ema=0.9).state_dict())

    assert same({**before, "ranks": 0}, {**engine.state_dict(), "ranks": 0})


def changed(change):
    state = build().state_dict()
    change(state)
    return state


NO_POSITION = f"this is not an engine's state: it has no position{RETURNED}"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: nn.Linear(2, 3).state_dict(), NO_POSITION),
        (lambda: [1], NO_POSITION),
        (dict, NO_POSITION),
        (lambda: changed(lambda state: state.pop("ranks")), NO_POSITION),
        (lambda: changed(lambda state: state.update(ranks=[])), NO_POSITION),
        (lambda: changed(lambda state: state.update(ranks=[{"epoch": 1}])), NO_POSITION),
        (lambda: changed(lambda state: state["ranks"][0].update(batches=1)), NO_POSITION),
        (lambda: changed(lambda state: state["ranks"][0].pop("random_state")), NO_POSITION),
        (
            lambda: changed(lambda state: state.pop("model")),
            f"{OTHERWISE} it has no model{SAME}",
        ),
        (
            lambda: changed(lambda state: state.update(model=None)),
            f"the state of the model is of type NoneType, and a dict was expected{RETURNED}",
        ),
        (
            lambda: changed(lambda state: state["model"].pop("bias")),
            (
                "the state is of a model other than Linear: it has no bias; make the model as it "
                "was when the state was saved"
            ),
        ),
        (
            lambda: changed(lambda state: state["optimizer"].pop("param_groups")),
            (
                "the state of the optimizer has no state or no param_groups, as if truncated"
                f"{RETURNED}"
            ),
        ),
    ],
)
def test_what_is_no_state_is_refused(same, make, expected):
    """A dict of something else, or one that was cut, is an error that says so."""
    engine = build()
    before = copy.deepcopy(engine.state_dict())

    with pytest.raises(StateMismatch) as caught:
        engine.load_state_dict(make())

    assert expected == str(caught.value)
    assert same({**before, "ranks": 0}, {**engine.state_dict(), "ranks": 0})


@pytest.mark.parametrize("method", ["state_dict", "load_state_dict"])
def test_within_an_update_there_is_no_state(method):
    """Half of an update can neither be saved nor loaded over."""
    arguments = [build().state_dict()] if method == "load_state_dict" else []

    def step(model, batch):
        getattr(engine, method)(*arguments)

    model = nn.Linear(2, 3)
    engine = Engine(model, step, SGD(model.parameters(), lr=0.1))

    with pytest.raises(Busy) as caught:
        engine.train_epoch([torch.ones(2, 2)])

    expected = (
        f"Engine.{method} was called while an update is being computed, when half of it may be "
        "done; call it between two updates: in the body of `for update in engine.updates(loader)`"
    )
    assert expected == str(caught.value)
    engine.state_dict()


def test_a_scheduler_without_a_state_is_refused():
    """It would not go on as it was."""

    class Forgetful:
        def step(self):
            pass

    model = nn.Linear(2, 3)
    engine = Engine(model, squares, SGD(model.parameters(), lr=0.1), scheduler=Forgetful())

    with pytest.raises(InvalidSetting) as caught:
        engine.state_dict()

    expected = (
        "the scheduler is a Forgetful without state_dict() and load_state_dict(), so a resumed "
        "training would not have it as it was; give it both"
    )
    assert expected == str(caught.value)


def tensors(noisy, *, batch_size=4, shuffle=True, seed=3, count=26):
    data = noisy()
    every = (data.inputs[:count], data.targets[:count], data.indices[:count])
    return TensorLoader(*every, batch_size=batch_size, shuffle=shuffle, seed=seed)


def sampled(noisy, batch_size=4, seed=3):
    dataset = noisy()
    return DataLoader(dataset, batch_size, sampler=EpochSampler(dataset, seed=seed))


ORDER = (
    "the position was saved in an order of {0}, and the loader has {1}: records would be repeated "
    "and others left out; make the loader as it was, or resume from the end of a pass"
)
WITHIN = (
    "the position is after 12 records, saved with batches of 4 on 1 ranks, and with batches of {0} "
    "on 1 it would lie within a batch; resume with a batch size that divides it, or from the end "
    "of a pass"
)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda noisy: tensors(noisy, seed=4), ORDER.format("seed 3", "seed 4")),
        (
            lambda noisy: tensors(noisy, shuffle=False),
            ORDER.format("shuffle True", "shuffle False"),
        ),
        (lambda noisy: tensors(noisy, count=16), ORDER.format("records 26", "records 16")),
        (lambda noisy: tensors(noisy, batch_size=5), WITHIN.format(5)),
        (lambda noisy: tensors(noisy, batch_size=8), WITHIN.format(8)),
        (lambda noisy: sampled(noisy, seed=4), ORDER.format("seed 3", "seed 4")),
        (lambda noisy: sampled(noisy, batch_size=5), WITHIN.format(5)),
        (lambda noisy: list(tensors(noisy)), ORDER.format("seed 3", "seed None")),
    ],
)
def test_another_order_is_refused(training, noisy, make, expected):
    """Where records would be repeated or left out, it is an error, and the position stays."""
    state = training.but(loader="tensors").begin().states()[2]
    run = training.resume(state)
    run.loader = make(noisy)

    with pytest.raises(InvalidPosition) as caught:
        run.finish()

    assert expected == str(caught.value)
    assert [] == run.used
    assert 12 == run.engine.state_dict()["ranks"][0]["records"]


def test_at_the_end_of_a_pass_any_order_will_do(training, noisy):
    """The next pass may be over other data, in another order and other batches."""
    state = training.but(loader="tensors").begin().states()[6]
    run = training.resume(state)
    run.loader = tensors(noisy, seed=4, batch_size=5, count=20)

    finished = run.finish()

    assert list(range(20)) == sorted(flat(finished["used"]))


@pytest.mark.parametrize("saved", [1, 2, 4])
@pytest.mark.parametrize("now", [1, 2, 4])
def test_another_number_of_ranks_repeats_nothing(saved, now):
    """The ranks that there are now share what those that there were have left."""
    from treadle_loop.progress import Progress

    def loaders(count):
        return [
            DataLoader(range(24), 2, sampler=EpochSampler(24, seed=3, rank=rank, world_size=count))
            for rank in range(count)
        ]

    used = []
    states = []
    for loader in loaders(saved):
        progress = Progress(saved)
        windows = progress.open_pass(loader, 1, None)
        for _ in range(8 // (2 * saved)):
            windows.begin()
            used += [batch.tolist() for batch in windows.draw()]
            windows.drawn(1)
            progress.used(2 * saved, 1, last=windows.last)
        states.append(progress.state_dict())
    for rank, loader in enumerate(loaders(now)):
        progress = Progress(now)
        progress.load_state_dict(progress.state_for(states, rank))
        windows = progress.open_pass(loader, 1, None)
        while windows.begin():
            batches = [batch.tolist() for batch in windows.draw()]
            used += batches
            windows.drawn(len(batches))
            progress.used(2 * now, 1, last=windows.last)
        assert progress.complete

    assert list(range(24)) == sorted(flat(used))


def ordered(*names, **others):
    """An engine whose optimizer has the weights of two like layers in this order."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    named = {**dict(model.named_parameters()), **others}
    parameters = [named[name] for name in names]
    return build(model, optimizer=SGD(parameters, lr=0.1, momentum=0.9))


def test_an_optimizer_in_another_order_is_refused(same):
    """Parameters of one shape would get each other's momentum; the first one is named."""
    state = copy.deepcopy(ordered("0.weight", "1.weight").state_dict())
    engine = ordered("1.weight", "0.weight")
    before = copy.deepcopy(engine.state_dict())

    with pytest.raises(StateMismatch) as caught:
        engine.load_state_dict(state)

    assert (
        "the state is that of an optimizer with its parameters in another order: number 0, counted "
        "from 0, is 0.weight there and 1.weight here; make the optimizer from the same parameters "
        "in the same order"
    ) == str(caught.value)
    assert ["0.weight", "1.weight"] == state["parameter_names"]
    assert same(before["model"], engine.state_dict()["model"])
    assert same(before["optimizer"], engine.state_dict()["optimizer"])


@pytest.mark.parametrize("part", [("0.weight",), ("1.weight",)])
def test_an_optimizer_of_another_part_is_refused(part):
    """One that trains the other of two like layers is another one."""
    state = ordered("0.weight").state_dict()

    if part == ("0.weight",):
        ordered(*part).load_state_dict(state)
        return
    with pytest.raises(StateMismatch, match=r"number 0, counted from 0, is 0\.weight there"):
        ordered(*part).load_state_dict(state)


def test_a_state_without_the_names_is_loaded(same):
    """As those that were saved before there were names."""
    state = copy.deepcopy(ordered("0.weight", "1.weight").state_dict())
    del state["parameter_names"]
    engine = ordered("1.weight", "0.weight")

    engine.load_state_dict(state)

    assert same(state["optimizer"], engine.state_dict()["optimizer"])


def test_parameters_of_another_model_have_no_names():
    """An optimizer that holds what is not the model's is told by its groups alone."""
    engine = ordered("0.weight", "other", other=nn.Parameter(torch.ones(2)))
    state = engine.state_dict()

    assert "parameter_names" not in state
    ordered("1.weight", "other", other=nn.Parameter(torch.ones(2))).load_state_dict(state)


def test_a_missing_numpy_is_found_before_anything_is_loaded(same, monkeypatch):
    """A state with numpy's generator, where there is no numpy, leaves the engine as it was."""
    state = copy.deepcopy(build().state_dict())
    state["ranks"][0]["random_state"]["numpy"] = {}
    engine = build()
    before = copy.deepcopy(engine.state_dict())
    monkeypatch.setitem(sys.modules, "numpy", None)

    with pytest.raises(NumpyMissing):
        engine.load_state_dict(state)

    monkeypatch.undo()
    assert not same(state["model"], before["model"])
    assert same(before["model"], engine.state_dict()["model"])
    assert same(before["optimizer"], engine.state_dict()["optimizer"])
