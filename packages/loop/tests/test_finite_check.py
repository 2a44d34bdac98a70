"""The finite check through the engine: what is withheld, and when it is an error."""

import copy
import math

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.optim import SGD, AdamW
from torch.optim.lr_scheduler import ExponentialLR

from treadle_loop import Engine, NotFinite, supervised

MESSAGE = (
    "the loss of update 3 is nan; it was withheld, and so were the 7 after it: the weights and the "
    "optimizer's state are those before it. Look at its batches, lower the learning rate, or set "
    "clip_norm"
)


def batches(count=10, bad=()):
    torch.manual_seed(5)
    loader = [(torch.randn(4, 6), torch.randint(3, (4,))) for _ in range(count)]
    for index in bad:
        loader[index][0][0, 0] = math.nan
    return loader


def adamw(parameters):
    return AdamW(parameters, lr=0.01)


def fused(parameters):
    return AdamW(parameters, lr=0.01, fused=True)


def momentum(parameters):
    return SGD(parameters, lr=0.1, momentum=0.9)


@pytest.fixture
def made(network):
    def make(optimizer=adamw, **settings):
        model = network()
        model.train()
        settings = {"ema": 0.9, "check_finite": True} | settings
        return Engine(model, supervised(cross_entropy), optimizer(model.parameters()), **settings)

    return make


def parts(engine):
    """What must be as it was: weights, the optimizer's state, the averages and their count."""
    state = engine.state_dict()
    return copy.deepcopy([dict(state[name]) for name in ("model", "optimizer", "averages")])


def trained(engine, loader, start=0):
    """Train on them, each with random numbers of its own for the dropout."""
    for index, batch in enumerate(loader, start):
        torch.manual_seed(index)
        yield engine.update([batch])


@pytest.mark.parametrize("optimizer", [adamw, fused, momentum])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_nan_withholds_its_update_and_all_after_it(made, same, optimizer, precision):
    """Of ten updates, weights, optimizer and averages are those of the first two."""
    engine = made(optimizer, precision=precision)
    shorter = made(optimizer, precision=precision)

    torch.manual_seed(3)
    with pytest.raises(NotFinite) as caught:
        engine.train_epoch(batches(bad=[2]))
    torch.manual_seed(3)
    shorter.train_epoch(batches()[:2])

    assert MESSAGE == str(caught.value)
    assert same(parts(shorter), parts(engine))


def test_nothing_is_read_before_the_end_of_a_short_pass(made):
    """All ten updates are handed out, and the error comes after the last one."""
    engine = made()
    seen = []

    with pytest.raises(NotFinite):
        seen.extend(update.last for update in engine.updates(batches(bad=[2])))

    assert [False] * 9 + [True] == seen


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_error_comes_within_the_pass(made, same, precision):
    """Of 200 updates, the third of which is bad, 64 are handed out, and two stand."""
    engine, shorter = made(precision=precision), made(precision=precision)
    seen = []

    torch.manual_seed(3)
    with pytest.raises(NotFinite) as caught:
        seen.extend(update.index for update in engine.updates(batches(200, bad=[2])))
    torch.manual_seed(3)
    shorter.train_epoch(batches(200)[:2])

    assert list(range(64)) == seen
    assert str(caught.value).startswith("the loss of update 3 is nan; it was withheld, and so were")
    assert same(parts(shorter), parts(engine))


def test_the_error_comes_before_a_stop_is_asked_for(made):
    """Where the pass ends by the check, the error is that of the check, stop or no stop."""
    engine = made()
    asked = []

    with pytest.raises(NotFinite):
        engine.train_epoch(batches(200, bad=[2]), stop=lambda: asked.append(1))

    assert 64 == len(asked)


def test_single_updates_raise_too(made):
    """A loop of one's own over update() is told by the update after the look."""
    engine = made()
    made_updates = []

    with pytest.raises(NotFinite):
        made_updates.extend(trained(engine, batches(200, bad=[2])))

    assert 64 == len(made_updates)


def test_the_state_is_not_handed_out(made):
    """Where each update is saved, the error comes at the bad one, and the next save is fine."""
    engine = made()
    saved = []

    def save(update):
        engine.state_dict()
        saved.append(update.index)

    with pytest.raises(NotFinite) as caught:
        list(map(save, engine.updates(batches(bad=[2]))))

    assert [0, 1] == saved
    assert str(caught.value).startswith("the loss of update 3 is nan; it was withheld: the weights")
    kept = {"model", "optimizer", "parameter_names", "averages", "ranks"}
    assert kept == engine.state_dict().keys()


@pytest.mark.parametrize("ask", ["state_dict", "test_epoch", "train_epoch", "updates"])
@pytest.mark.parametrize("left", ["update", "break"])
def test_what_was_left_early_is_an_error_later(made, left, ask):
    """After single updates, or a break, the next evaluation, state or pass raises, drawing nothing."""
    engine = made()
    drawn = []

    def loader():
        drawn.append(1)
        yield batches(1)[0]

    if left == "update":
        list(trained(engine, batches(4, bad=[2])))
    else:
        for update in engine.updates(batches(bad=[2])):
            if update.index == 3:
                break
    asked = {
        "state_dict": engine.state_dict,
        "test_epoch": lambda: engine.test_epoch(loader()),
        "train_epoch": lambda: engine.train_epoch(loader()),
        "updates": lambda: next(engine.updates(loader())),
    }[ask]

    with pytest.raises(NotFinite) as caught:
        asked()
    assert str(caught.value).startswith("the loss of update 3 is nan; it was withheld, and so was")
    assert [] == drawn
    asked()


def test_training_goes_on_after_the_error(made, same):
    """The updates after it are those of a training in which the bad one never was."""
    engine, other = made(momentum), made(momentum)
    good = batches(6)

    list(trained(engine, good[:2]))
    with pytest.raises(NotFinite):
        engine.train_epoch(batches(3, bad=[0]))
    list(trained(engine, good[2:], 2))
    list(trained(other, good))

    assert same(parts(other), parts(engine))


def test_training_goes_on_from_a_saved_state(made, same):
    """After load_state_dict, the scheduler too is where it was, and nothing of the bad one is left."""
    engine, other = made(), made()
    for each in (engine, other):
        each.scheduler = ExponentialLR(each.optimizer, 0.9)
    good = batches(6)

    list(trained(engine, good[:2]))
    saved = copy.deepcopy(engine.state_dict())
    list(trained(engine, batches(3, bad=[1])))
    engine.load_state_dict(saved)
    list(trained(engine, good[2:], 2))
    list(trained(other, good))

    assert same(parts(other), parts(engine))
    assert same(other.scheduler.state_dict(), engine.scheduler.state_dict())


def test_a_bad_batch_of_a_window_withholds_the_window(made, same):
    """With accumulate=2, batch 3 of 4 is in update 2, and update 1 stands."""
    engine, shorter = made(accumulate=2), made(accumulate=2)

    torch.manual_seed(3)
    with pytest.raises(NotFinite, match="the loss of update 2 is nan; it was withheld: "):
        engine.train_epoch(batches(4, bad=[2]))
    torch.manual_seed(3)
    shorter.train_epoch(batches(4)[:2])

    assert same(parts(shorter), parts(engine))


@pytest.mark.parametrize("clip", [{"clip_value": 1.0}, {"clip_norm": 1.0}, {}])
def test_an_infinite_gradient_is_found_before_it_is_clipped(scale, clip):
    """clip_value would make a finite step of it; the weight stays, and the message says what it was."""

    def root(model, batch):
        return model(batch).sum().sqrt()  # from a weight of 0: the loss is 0, its slope infinite

    engine = Engine(scale, root, SGD(scale.parameters(), lr=1.0), check_finite=True, **clip)

    with pytest.raises(NotFinite) as caught:
        engine.train_epoch([torch.ones(1, dtype=torch.float64)])

    assert 0.0 == scale.weight.item()
    assert str(caught.value).startswith(
        "the norm of the gradients of update 1 is inf, and its loss is finite; it was withheld: "
    )


def test_an_evaluation_may_be_nan(made):
    """Only what trains is looked at."""
    engine = made()

    result = engine.test_epoch(batches(2, bad=[1]))
    engine.state_dict()

    assert math.isnan(result.loss)


def test_without_the_check_nothing_is_withheld(made):
    """The same batches without check_finite end in nan, and no error."""
    engine = made(check_finite=False)

    engine.train_epoch(batches(bad=[2]))

    assert engine.model[0].weight.isnan().any()
